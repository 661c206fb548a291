//! Networks that candle serves: their formulas, what loads, and what is refused.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use candle_core::{Device, Tensor};
use common::{LOOKBACK, WIDTH, spec};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::{Activation, NetworkSpec, PolicySpec};
use walkforward_policy::{
    ActorCritic, BundleError, FrozenPolicy, Tensors, WEIGHTS_FILE, load_policy, sha256_hex, write_bundle,
};

const INPUTS: usize = LOOKBACK * WIDTH + 2;
const UNITS: usize = 4;

fn networks() -> Vec<NetworkSpec> {
    let (inputs, rows, outputs, activation) = (INPUTS, LOOKBACK, 2, Activation::Relu);
    let hidden = vec![5];
    vec![
        NetworkSpec::Mlp { inputs, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::LayerNormMlp { inputs, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::Gru { inputs, rows, units: UNITS, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::Conv { inputs, rows, channels: vec![4, 3], kernel: 2, hidden, outputs, activation },
    ]
}

/// A network away from the zeros and ones of fresh weights.
fn moved(network: &NetworkSpec) -> ActorCritic {
    let net = ActorCritic::new(network.clone(), &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
    let flat: Vec<f32> =
        net.flat().unwrap().iter().enumerate().map(|(i, x)| x + 0.3 * (i as f32 * 1.3).sin()).collect();
    net.set_flat(&flat).unwrap();
    net
}

fn write_and_load(network: &NetworkSpec) -> (Tensors, FrozenPolicy) {
    let tensors = moved(network).to_tensors().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let spec = PolicySpec { network: network.clone(), ..spec() };
    let written = write_bundle(dir.path(), &spec, &tensors, None).unwrap();
    assert_eq!(written.spec.probe.tolerance, 1.0 / 8192.0);
    let policy = load_policy(dir.path(), &written.sha256).unwrap();
    (tensors, policy)
}

fn observations(rows: usize) -> Vec<f32> {
    (0..rows * INPUTS).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect()
}

fn logits(policy: &FrozenPolicy, observations: &[f32]) -> Vec<f32> {
    let mut logits = vec![0.0; observations.len() / INPUTS * 2];
    policy.forward_logits(observations, &mut logits).unwrap();
    logits
}

/// One tensor of the actor as `f64` rows.
fn matrix(tensors: &Tensors, name: &str) -> Vec<Vec<f64>> {
    let (shape, data) = &tensors[&format!("actor.{name}")];
    let width = shape[1..].iter().product::<usize>().max(1);
    data.chunks(width).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

fn vector(tensors: &Tensors, name: &str) -> Vec<f64> {
    matrix(tensors, name).concat()
}

fn affine(tensors: &Tensors, weight: &str, bias: &str, x: &[f64]) -> Vec<f64> {
    let rows = matrix(tensors, weight);
    let product = |row: &Vec<f64>| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    rows.iter().zip(vector(tensors, bias)).map(|(row, b)| product(row) + b).collect()
}

fn head(tensors: &Tensors, x: &[f64]) -> Vec<f64> {
    let hidden: Vec<f64> = affine(tensors, "0.weight", "0.bias", x).into_iter().map(|y| y.max(0.0)).collect();
    affine(tensors, "1.weight", "1.bias", &hidden)
}

fn layer_norm_mlp(tensors: &Tensors, x: &[f64]) -> Vec<f64> {
    let y = affine(tensors, "0.weight", "0.bias", x);
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let variance = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.len() as f64;
    let gains = vector(tensors, "0.norm.weight").into_iter().zip(vector(tensors, "0.norm.bias"));
    let normalised = y.iter().zip(gains).map(|(y, (g, b))| (y - mean) / (variance + 1e-5).sqrt() * g + b);
    let hidden: Vec<f64> = normalised.map(|y| y.max(0.0)).collect();
    affine(tensors, "1.weight", "1.bias", &hidden)
}

fn gru(tensors: &Tensors, x: &[f64]) -> Vec<f64> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut state = vec![0.0; UNITS];
    for row in x[..LOOKBACK * WIDTH].chunks(WIDTH) {
        let input = affine(tensors, "gru.weight_ih", "gru.bias_ih", row);
        let hidden = affine(tensors, "gru.weight_hh", "gru.bias_hh", &state);
        state = (0..UNITS)
            .map(|unit| {
                let at = |gate: usize| gate * UNITS + unit;
                let reset = sigmoid(input[at(0)] + hidden[at(0)]);
                let update = sigmoid(input[at(1)] + hidden[at(1)]);
                let candidate = (input[at(2)] + reset * hidden[at(2)]).tanh();
                (1.0 - update) * candidate + update * state[unit]
            })
            .collect();
    }
    state.extend(&x[LOOKBACK * WIDTH..]);
    head(tensors, &state)
}

fn conv(tensors: &Tensors, x: &[f64]) -> Vec<f64> {
    let mut rows: Vec<Vec<f64>> = x[..LOOKBACK * WIDTH].chunks(WIDTH).map(<[f64]>::to_vec).collect();
    for layer in 0..2 {
        let (weight, bias) = (format!("conv.{layer}.weight"), format!("conv.{layer}.bias"));
        let (weight, bias) = (matrix(tensors, &weight), vector(tensors, &bias));
        let tap = |channel: usize, input: usize, back: usize| weight[channel][input * 2 + 1 - back];
        rows = (0..rows.len())
            .map(|at| {
                let past = |back: usize| at.checked_sub(back << layer).map(|past| &rows[past]);
                let sum = |channel: usize| {
                    let taps = (0..2).filter_map(|back| Some((back, past(back)?)));
                    let products = taps.flat_map(|(back, row)| {
                        row.iter().enumerate().map(move |(input, x)| (back, input, *x))
                    });
                    products.map(|(back, input, x)| tap(channel, input, back) * x).sum::<f64>()
                };
                (0..bias.len()).map(|channel| (sum(channel) + bias[channel]).max(0.0)).collect()
            })
            .collect();
    }
    let mut newest = rows.pop().unwrap();
    newest.extend(&x[LOOKBACK * WIDTH..]);
    head(tensors, &newest)
}

type Formula = fn(&Tensors, &[f64]) -> Vec<f64>;

#[test]
fn every_network_is_its_formula() {
    let formulas: [Formula; 4] = [head, layer_norm_mlp, gru, conv];
    for (network, formula) in networks().iter().zip(formulas) {
        let (tensors, policy) = write_and_load(network);
        for x in observations(7).chunks(INPUTS) {
            let expected = formula(&tensors, &x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            for (actual, expected) in logits(&policy, x).iter().zip(expected) {
                assert!((f64::from(*actual) - expected).abs() < 1e-5, "{network:?}: {actual} {expected}");
            }
        }
    }
}

#[test]
fn a_batch_answers_as_its_rows_to_the_bit_and_as_the_trained_network() {
    for network in networks() {
        let (tensors, policy) = write_and_load(&network);
        let x = observations(9);
        let rows: Vec<f32> = x.chunks(INPUTS).flat_map(|row| logits(&policy, row)).collect();
        assert_eq!(logits(&policy, &x), rows);
        let trained = ActorCritic::from_tensors(network, &tensors).unwrap();
        let batch = Tensor::from_slice(&x, (9, INPUTS), &Device::Cpu).unwrap();
        let (batch, _) = trained.forward(&batch).unwrap();
        let batch: Vec<f32> = batch.flatten_all().unwrap().to_vec1().unwrap();
        assert!(batch.iter().zip(&rows).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(policy.forward_logits(&x[1..], &mut [0.0; 18]).is_err());
    }
}

/// Gradients against central differences of the same forward pass.
#[test]
fn every_parameter_has_its_gradient() {
    for network in networks() {
        let net = moved(&network);
        let x = Tensor::from_slice(&observations(5), (5, INPUTS), &Device::Cpu).unwrap();
        let loss = |net: &ActorCritic| {
            let (logits, values) = net.forward(&x).unwrap();
            (logits.sqr().unwrap().sum_all().unwrap() + values.sqr().unwrap().sum_all().unwrap()).unwrap()
        };
        let gradients = net.flat_gradients(&loss(&net).backward().unwrap()).unwrap();
        let flat = net.flat().unwrap();
        let at = |index: usize, step: f32| {
            let mut flat = flat.clone();
            flat[index] += step;
            net.set_flat(&flat).unwrap();
            f64::from(loss(&net).to_scalar::<f32>().unwrap())
        };
        let scale = gradients.iter().map(|g| g.abs()).fold(0.0, f32::max);
        let mut far = 0;
        for (index, gradient) in gradients.iter().enumerate() {
            let numeric = (at(index, 1e-2) - at(index, -1e-2)) / 2e-2;
            // A step across the kink of a relu makes the difference wrong, the gradient not.
            far += usize::from((numeric - f64::from(*gradient)).abs() > 2e-2 * f64::from(scale));
        }
        assert!(far * 50 <= gradients.len(), "{network:?}: {far} of {}", gradients.len());
        assert!(gradients.iter().filter(|g| **g != 0.0).count() * 2 > gradients.len());
    }
}

/// The specification is refused before anybody looks at tensors.
fn check(network: NetworkSpec, expected: &str) {
    let tensors = Tensors::new();
    let dir = tempfile::tempdir().unwrap();
    let error = write_bundle(dir.path(), &PolicySpec { network, ..spec() }, &tensors, None).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn networks_that_do_not_fit_the_observation_are_refused() {
    let (inputs, outputs, activation, hidden) = (INPUTS, 2, Activation::Tanh, vec![]);
    let gru =
        |rows, units| NetworkSpec::Gru { inputs, rows, units, hidden: hidden.clone(), outputs, activation };
    check(gru(3, 4), "reads 3 feature rows, an observation has 2");
    check(gru(2, 4_097), "a recurrent layer has 4097 units");
    let conv = |channels: Vec<usize>, kernel| NetworkSpec::Conv {
        inputs,
        rows: 2,
        channels,
        kernel,
        hidden: hidden.clone(),
        outputs,
        activation,
    };
    check(conv(vec![], 2), "no convolution");
    check(conv(vec![4], 65), "looks at 65 rows");
    check(conv(vec![1; 9], 2), "9 convolutions");
    let (tensors, _) = write_and_load(&networks()[2]);
    let mut short = tensors.clone();
    short.remove("actor.gru.bias_hh");
    let spec = PolicySpec { network: networks()[2].clone(), ..spec() };
    let error = write_bundle(tempfile::tempdir().unwrap().path(), &spec, &short, None).unwrap_err();
    assert!(matches!(&error, BundleError::Tensor { tensor, .. } if tensor == "actor.gru.bias_hh"), "{error}");
}

/// What loading says after `change` to the file's bytes, given where `mark` ends in them.
fn tampered(network: &NetworkSpec, mark: &str, change: impl Fn(&mut [u8])) -> BundleError {
    let dir = tempfile::tempdir().unwrap();
    let tensors = moved(network).to_tensors().unwrap();
    let spec = PolicySpec { network: network.clone(), ..spec() };
    write_bundle(dir.path(), &spec, &tensors, None).unwrap();
    let path = dir.path().join(WEIGHTS_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(mark.len()).position(|part| part == mark.as_bytes()).unwrap();
    change(&mut bytes[at + mark.len()..]);
    std::fs::write(&path, &bytes).unwrap();
    load_policy(dir.path(), &sha256_hex(&bytes)).unwrap_err()
}

#[test]
fn a_tolerance_is_bounded_and_only_for_networks_without_kernels() {
    const TOLERANCE: &str = r#"tolerance\":"#;
    let wide = tampered(&networks()[2], TOLERANCE, |rest| rest[0] = b'7').to_string();
    assert!(wide.contains("expected at most 0.01 for gru"), "{wide}");
    let mlp = tampered(&spec().network, TOLERANCE, |rest| rest[2] = b'5').to_string();
    assert!(mlp.contains("the probe's tolerance is 0.5, expected at most 0 for mlp"), "{mlp}");
}

#[test]
fn an_answer_beyond_the_tolerance_is_refused() {
    for network in networks() {
        let error = tampered(&network, r#"outputs\":[["#, |rest| {
            let digit = usize::from(rest[0] == b'-');
            rest[digit] = if rest[digit] == b'9' { b'1' } else { b'9' };
        });
        assert!(matches!(error, BundleError::Probe { row: 0, .. }), "{error}");
    }
}
