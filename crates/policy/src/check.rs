//! What a specification and its tensors must be before anything is computed with them.

use walkforward_core::{NetworkSpec, Normaliser, PolicySpec, Probe};

use crate::Tensors;
use crate::forest::{check_indices, forest_shapes};

/// Most hidden layers of a network.
pub const MAX_HIDDEN_LAYERS: usize = 8;
/// Most units in a hidden layer.
pub const MAX_WIDTH: usize = 4_096;
/// Most feature rows in an observation.
pub const MAX_LOOKBACK: usize = 1_024;
/// Most numbers in an observation.
pub const MAX_OBSERVATION: usize = 65_536;
/// Most trees of a network of trees.
pub const MAX_TREES: usize = 4_096;
/// Most decisions on a path through a tree.
pub const MAX_TREE_DEPTH: usize = 10;
/// Most recorded answers.
pub const MAX_PROBES: usize = 64;

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
        NetworkSpec::Mlp { hidden, .. } => check_hidden(hidden),
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

fn check_hidden(hidden: &[usize]) -> Result<(), String> {
    if hidden.len() > MAX_HIDDEN_LAYERS {
        return Err(format!("the network has {} hidden layers, at most {MAX_HIDDEN_LAYERS}", hidden.len()));
    }
    match hidden.iter().find(|width| !(1..=MAX_WIDTH).contains(*width)) {
        Some(width) => Err(format!("a hidden layer has {width} units, expected 1 to {MAX_WIDTH}")),
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

/// Refuses a probe of the wrong shape, and one that is not bit for bit: every kind of network owes the same bits
/// everywhere.
pub(crate) fn check_probe(probe: &Probe, inputs: usize, outputs: usize) -> Result<(), String> {
    let count = probe.observations.len();
    if !(1..=MAX_PROBES).contains(&count) || probe.outputs.len() != count {
        let answers = probe.outputs.len();
        return Err(format!("{count} probes with {answers} answers, expected 1 to {MAX_PROBES} of each"));
    }
    if probe.tolerance != 0.0 {
        return Err(format!("the probe's tolerance is {}, expected 0", probe.tolerance));
    }
    let fits = |rows: &[Vec<f32>], width| {
        rows.iter().all(|row| row.len() == width && row.iter().all(|x| x.is_finite()))
    };
    if !fits(&probe.observations, inputs) || !fits(&probe.outputs, outputs) {
        return Err("a probe has the wrong length or a number that is not finite".to_owned());
    }
    Ok(())
}

/// Name and shape of every tensor of a network called `prefix` with `outputs` outputs, in layer order.
pub(crate) fn tensor_shapes(
    prefix: &str,
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
) -> Vec<(String, Vec<usize>)> {
    let mut shapes = Vec::with_capacity(2 * hidden.len() + 2);
    let mut width = inputs;
    for (layer, &units) in hidden.iter().chain(std::iter::once(&outputs)).enumerate() {
        shapes.push((format!("{prefix}.{layer}.weight"), vec![units, width]));
        shapes.push((format!("{prefix}.{layer}.bias"), vec![units]));
        width = units;
    }
    shapes
}

/// Name and shape of every tensor of `network`; of an mlp the critic too when `tensors` has any of it.
fn expected_shapes(network: &NetworkSpec, tensors: &Tensors) -> Vec<(String, Vec<usize>)> {
    match network {
        NetworkSpec::Mlp { inputs, hidden, outputs, .. } => {
            let mut expected = tensor_shapes("actor", *inputs, hidden, *outputs);
            if tensors.keys().any(|name| name.starts_with("critic.")) {
                expected.extend(tensor_shapes("critic", *inputs, hidden, 1));
            }
            expected
        }
        NetworkSpec::Linear { inputs, outputs } => vec![
            ("linear.weight".to_owned(), vec![*outputs, *inputs]),
            ("linear.bias".to_owned(), vec![*outputs]),
        ],
        NetworkSpec::Trees { outputs, trees, depth, .. } => forest_shapes(*outputs, *trees, *depth),
    }
}

/// Refuses weights that are not exactly those of `network` (of an mlp the actor, or the actor and the critic); names
/// the tensor.
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
