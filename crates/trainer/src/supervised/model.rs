//! A fitted model, and the network that answers as it does.

use std::ops::Range;

use walkforward_core::{CancelToken, NetworkSpec, PolicySpec};
use walkforward_policy::Tensors;

use super::boosting::{BoostedTrees, Tree};
use super::choice::Choice;
use super::linear::LinearModel;
use super::rows::Rows;
use super::{SupervisedConfig, SupervisedError, SupervisedModel};

/// Outputs of the networks: flat, long.
const OUTPUTS: usize = 2;
const LONG: usize = 1;
/// Position fraction above which a session holds the asset.
pub(super) const HELD: f32 = 0.5;

/// Forecasts from features.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fitted {
    Linear(LinearModel),
    Trees(BoostedTrees),
}

impl Fitted {
    /// Fits the model that `config` names on the rows of `fit`; gives its iterations too.
    pub(super) fn new(
        rows: &Rows,
        fit: Range<usize>,
        config: &SupervisedConfig,
        cancel: &CancelToken,
    ) -> Result<(Self, u64), SupervisedError> {
        Ok(match config.model {
            SupervisedModel::Ridge => (Self::Linear(LinearModel::ridge(rows, fit, config, cancel)?), 1),
            SupervisedModel::Logistic => {
                let (model, steps) = LinearModel::logistic(rows, fit, config, cancel)?;
                (Self::Linear(model), steps)
            }
            SupervisedModel::Trees => {
                (Self::Trees(BoostedTrees::fit(rows, fit, config, cancel)?), config.trees as u64)
            }
        })
    }

    /// The forecast for one row: above 0 for a rise, in the model's own unit.
    pub(super) fn score(&self, features: &[f32]) -> f64 {
        match self {
            Self::Linear(model) => model.score(features),
            Self::Trees(model) => model.score(features),
        }
    }

    /// The forecasts for the rows of `range`.
    pub(super) fn scores(&self, rows: &Rows, range: Range<usize>) -> Vec<f64> {
        range.map(|row| self.score(rows.features(row))).collect()
    }

    /// The network whose output 1 (long) lies above its output 0 (flat) exactly when `choice` is to be long. Without a
    /// choice it is flat whatever it sees.
    pub(super) fn network(&self, inputs: usize, choice: Option<&Choice>) -> (NetworkSpec, Tensors) {
        let observation = inputs + PolicySpec::PORTFOLIO_INPUTS;
        match self {
            Self::Linear(model) => {
                let network = NetworkSpec::Linear { inputs: observation, outputs: OUTPUTS };
                (network, linear_tensors(model, choice))
            }
            Self::Trees(model) => {
                let (trees, tensors) = tree_tensors(model, inputs, choice);
                let depth = model.depth;
                (NetworkSpec::Trees { inputs: observation, outputs: OUTPUTS, trees, depth }, tensors)
            }
        }
    }
}

/// Output of "long" where the model found no edge; that of "flat" is 0.
const NEVER: f32 = -1.0;

fn linear_tensors(model: &LinearModel, choice: Option<&Choice>) -> Tensors {
    let observation = model.weight.len() + PolicySpec::PORTFOLIO_INPUTS;
    let mut weight = vec![0.0; OUTPUTS * observation];
    let mut bias = vec![0.0, NEVER];
    if let Some(choice) = choice {
        let long = &mut weight[LONG * observation..];
        long.iter_mut().zip(&model.weight).for_each(|(slot, &w)| *slot = w as f32);
        long[model.weight.len()] = choice.hysteresis as f32;
        bias[LONG] = (model.bias - choice.threshold) as f32;
    }
    Tensors::from([
        ("linear.weight".to_owned(), (vec![OUTPUTS, observation], weight)),
        ("linear.bias".to_owned(), (vec![OUTPUTS], bias)),
    ])
}

/// The number of trees, and the tensors: the model's trees, then one that asks whether the asset is held.
fn tree_tensors(model: &BoostedTrees, inputs: usize, choice: Option<&Choice>) -> (usize, Tensors) {
    let mut trees = if choice.is_some() { model.trees.clone() } else { Vec::new() };
    let mut bias = vec![0.0, NEVER];
    let mut held = Tree::stump(model.depth);
    if let Some(choice) = choice {
        (held.feature[0], held.threshold[0]) = (inputs, HELD);
        held.leaf[1 << (model.depth - 1)] = choice.hysteresis as f32;
        bias[LONG] = (model.bias - choice.threshold) as f32;
    }
    trees.push(held);
    let (count, inner) = (trees.len(), (1 << model.depth) - 1);
    let feature = trees.iter().flat_map(|tree| tree.feature.iter().map(|&feature| feature as f32));
    let threshold = trees.iter().flat_map(|tree| tree.threshold.iter().copied());
    let leaf = trees.iter().flat_map(|tree| tree.leaf.iter().copied());
    let tensors = Tensors::from([
        ("trees.feature".to_owned(), (vec![count, inner], feature.collect())),
        ("trees.threshold".to_owned(), (vec![count, inner], threshold.collect())),
        ("trees.leaf".to_owned(), (vec![count, inner + 1], leaf.collect())),
        ("trees.output".to_owned(), (vec![count], vec![LONG as f32; count])),
        ("trees.bias".to_owned(), (vec![OUTPUTS], bias)),
    ]);
    (count, tensors)
}
