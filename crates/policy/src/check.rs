//! What a specification and its tensors must be before anything is computed with them.

use walkforward_core::{NetworkSpec, Normaliser, PolicySpec, Probe};

use crate::Tensors;
use crate::forest::{check_indices, forest_shapes};
use crate::network::{Parameter, Role, has_kernels, parameters};

/// Most hidden layers of a network.
pub const MAX_HIDDEN_LAYERS: usize = 8;
/// Most units in a hidden layer.
pub const MAX_WIDTH: usize = 4_096;
/// Most feature rows in an observation.
pub const MAX_LOOKBACK: usize = 1_024;
/// Most numbers in an observation.
pub const MAX_OBSERVATION: usize = 65_536;
/// Most rows that one convolution looks at.
pub const MAX_KERNEL: usize = 64;
/// Most trees of a network of trees.
pub const MAX_TREES: usize = 4_096;
/// Most decisions on a path through a tree.
pub const MAX_TREE_DEPTH: usize = 10;
/// Most recorded answers.
pub const MAX_PROBES: usize = 64;
/// Largest difference from a recorded answer that a network without kernels may declare.
const MAX_TOLERANCE: f32 = 1e-2;

/// Refuses what the reason says; the probe is checked by [`check_probe`].
pub(crate) fn check_spec(spec: &PolicySpec) -> Result<(), String> {
    if !(1..=MAX_LOOKBACK).contains(&spec.lookback) {
        return Err(format!("lookback is {}, expected 1 to {MAX_LOOKBACK}", spec.lookback));
    }
    if spec.obs_dim() > MAX_OBSERVATION {
        return Err(format!("an observation has {} numbers, at most {MAX_OBSERVATION}", spec.obs_dim()));
    }
    check_network(spec)?;
    check_normaliser(&spec.normaliser, spec.features.width())
}

fn check_network(spec: &PolicySpec) -> Result<(), String> {
    let (inputs, outputs) = (spec.network.inputs(), spec.network.outputs());
    if inputs != spec.obs_dim() {
        let expected = spec.obs_dim();
        return Err(format!("the network takes {inputs} numbers, an observation has {expected}"));
    }
    if outputs != spec.actions.len() {
        return Err(format!("the network gives {outputs} numbers, there are {} actions", spec.actions.len()));
    }
    match &spec.network {
        NetworkSpec::Mlp { hidden, .. } | NetworkSpec::LayerNormMlp { hidden, .. } => {
            check_widths("hidden layer", hidden)
        }
        NetworkSpec::Gru { rows, units, hidden, .. } => {
            check_rows(*rows, spec.lookback)?;
            check_widths("recurrent layer", &[*units])?;
            check_widths("hidden layer", hidden)
        }
        NetworkSpec::Conv { rows, channels, kernel, hidden, .. } => {
            check_rows(*rows, spec.lookback)?;
            check_kernel(channels, *kernel)?;
            check_widths("hidden layer", hidden)
        }
        NetworkSpec::Linear { .. } => Ok(()),
        NetworkSpec::Trees { trees, depth, .. } => check_trees(*trees, *depth),
    }
}

fn check_trees(trees: usize, depth: usize) -> Result<(), String> {
    if !(1..=MAX_TREES).contains(&trees) {
        return Err(format!("the network has {trees} trees, expected 1 to {MAX_TREES}"));
    }
    if !(1..=MAX_TREE_DEPTH).contains(&depth) {
        return Err(format!("the trees have depth {depth}, expected 1 to {MAX_TREE_DEPTH}"));
    }
    Ok(())
}

fn check_rows(rows: usize, lookback: usize) -> Result<(), String> {
    if rows == lookback {
        return Ok(());
    }
    Err(format!("the network reads {rows} feature rows, an observation has {lookback}"))
}

fn check_kernel(channels: &[usize], kernel: usize) -> Result<(), String> {
    if channels.is_empty() {
        return Err("the network has no convolution, expected at least one".to_owned());
    }
    if !(1..=MAX_KERNEL).contains(&kernel) {
        return Err(format!("a convolution looks at {kernel} rows, expected 1 to {MAX_KERNEL}"));
    }
    check_widths("convolution", channels)
}

/// `what` names one layer of `widths`.
fn check_widths(what: &str, widths: &[usize]) -> Result<(), String> {
    if widths.len() > MAX_HIDDEN_LAYERS {
        return Err(format!("the network has {} {what}s, at most {MAX_HIDDEN_LAYERS}", widths.len()));
    }
    match widths.iter().find(|width| !(1..=MAX_WIDTH).contains(*width)) {
        Some(width) => Err(format!("a {what} has {width} units, expected 1 to {MAX_WIDTH}")),
        None => Ok(()),
    }
}

fn check_normaliser(normaliser: &Normaliser, width: usize) -> Result<(), String> {
    let Normaliser { mean, std, clip } = normaliser;
    if mean.len() != width || std.len() != width {
        return Err(format!(
            "the normaliser has {} means and {} deviations, there are {width} features",
            mean.len(),
            std.len()
        ));
    }
    if let Some(column) = mean.iter().position(|x| !x.is_finite()) {
        return Err(format!("the normaliser's mean of column {column} is not finite"));
    }
    if let Some(column) = std.iter().position(|x| !x.is_finite() || *x <= 0.0) {
        return Err(format!("the normaliser's deviation of column {column} is not above 0"));
    }
    if !clip.is_finite() || *clip <= 0.0 {
        return Err(format!("the normaliser's clip is {clip}, expected a finite number above 0"));
    }
    Ok(())
}

/// Refuses a probe of the wrong shape, and a tolerance that `network` does not need: what the kernels serve owes the
/// same bits everywhere.
pub(crate) fn check_probe(probe: &Probe, network: &NetworkSpec) -> Result<(), String> {
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let count = probe.observations.len();
    if !(1..=MAX_PROBES).contains(&count) || probe.outputs.len() != count {
        let answers = probe.outputs.len();
        return Err(format!("{count} probes with {answers} answers, expected 1 to {MAX_PROBES} of each"));
    }
    let most = if has_kernels(network) { 0.0 } else { MAX_TOLERANCE };
    if !(0.0..=most).contains(&probe.tolerance) {
        let (tolerance, kind) = (probe.tolerance, network.kind());
        return Err(format!("the probe's tolerance is {tolerance}, expected at most {most} for {kind}"));
    }
    let fits = |rows: &[Vec<f32>], width| {
        rows.iter().all(|row| row.len() == width && row.iter().all(|x| x.is_finite()))
    };
    if !fits(&probe.observations, inputs) || !fits(&probe.outputs, outputs) {
        return Err("a probe has the wrong length or a number that is not finite".to_owned());
    }
    Ok(())
}

/// Name and shape of every tensor of `network`; of an actor and critic both when `tensors` has any of the critic.
fn expected_shapes(network: &NetworkSpec, tensors: &Tensors) -> Vec<(String, Vec<usize>)> {
    match network {
        NetworkSpec::Mlp { .. }
        | NetworkSpec::LayerNormMlp { .. }
        | NetworkSpec::Gru { .. }
        | NetworkSpec::Conv { .. } => {
            let has_critic = tensors.keys().any(|name| name.starts_with("critic."));
            let roles: &[Role] = if has_critic { &[Role::Actor, Role::Critic] } else { &[Role::Actor] };
            let named = roles.iter().flat_map(|&role| parameters(network, role));
            named.map(|Parameter { name, shape, .. }| (name, shape)).collect()
        }
        NetworkSpec::Linear { inputs, outputs } => vec![
            ("linear.weight".to_owned(), vec![*outputs, *inputs]),
            ("linear.bias".to_owned(), vec![*outputs]),
        ],
        NetworkSpec::Trees { outputs, trees, depth, .. } => forest_shapes(*outputs, *trees, *depth),
    }
}

/// Refuses weights that are not exactly those of `network` (of an actor and critic the actor, or both); names the
/// tensor.
pub(crate) fn check_tensors(network: &NetworkSpec, tensors: &Tensors) -> Result<(), (String, String)> {
    let expected = expected_shapes(network, tensors);
    for (name, shape) in &expected {
        let Some((actual, data)) = tensors.get(name) else {
            return Err((name.clone(), format!("it is not there, expected shape {shape:?}")));
        };
        if actual != shape || data.len() != shape.iter().product::<usize>() {
            let reason = format!("it has shape {actual:?} and {} numbers, expected {shape:?}", data.len());
            return Err((name.clone(), reason));
        }
        if let Some(index) = data.iter().position(|x| !x.is_finite()) {
            return Err((name.clone(), format!("number {index} is not finite")));
        }
    }
    match tensors.keys().find(|name| !expected.iter().any(|(known, _)| known == *name)) {
        Some(name) => Err((name.clone(), "the network has no such tensor".to_owned())),
        None if matches!(network, NetworkSpec::Trees { .. }) => {
            check_indices(network.inputs(), network.outputs(), tensors)
        }
        None => Ok(()),
    }
}
