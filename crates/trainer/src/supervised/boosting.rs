//! Gradient-boosted trees on the logistic loss (Friedman 2001; second-order leaves as in Chen & Guestrin 2016).

use std::ops::Range;

use walkforward_core::CancelToken;

use super::histogram::{BINS, Binned, Slope, Sums};
use super::linear::sigmoid;
use super::rows::Rows;
use super::{SupervisedConfig, SupervisedError};
use crate::TrainerError;

/// A decision has to improve the loss by more than rounding.
const LEAST_GAIN: f64 = 1e-9;

/// `score = bias + sum of the trees' leaves`: the log odds of a rise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BoostedTrees {
    pub(super) bias: f64,
    pub(super) depth: usize,
    pub(super) trees: Vec<Tree>,
}

/// A complete tree: node `i` has the children `2i + 1` (at most the threshold) and `2i + 2`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    /// `[2^depth - 1]`.
    pub(super) feature: Vec<usize>,
    /// `[2^depth - 1]`; `f32::MAX` where there is nothing to decide.
    pub(super) threshold: Vec<f32>,
    /// `[2^depth]`.
    pub(super) leaf: Vec<f32>,
}

impl Tree {
    /// A tree of `depth` whose every path ends in the first leaf.
    pub(super) fn stump(depth: usize) -> Self {
        let inner = (1 << depth) - 1;
        Self { feature: vec![0; inner], threshold: vec![f32::MAX; inner], leaf: vec![0.0; inner + 1] }
    }

    fn score(&self, features: &[f32], depth: usize) -> f64 {
        let mut at = 0;
        for _ in 0..depth {
            at = 2 * at + 1 + usize::from(features[self.feature[at]] > self.threshold[at]);
        }
        f64::from(self.leaf[at - self.feature.len()])
    }
}

impl BoostedTrees {
    pub(super) fn score(&self, features: &[f32]) -> f64 {
        self.bias + self.trees.iter().map(|tree| tree.score(features, self.depth)).sum::<f64>()
    }

    /// Fits the signs of the labels of `fit`.
    pub(super) fn fit(
        rows: &Rows,
        fit: Range<usize>,
        config: &SupervisedConfig,
        cancel: &CancelToken,
    ) -> Result<Self, SupervisedError> {
        let grower = Grower {
            bins: Binned::new(rows, fit.clone()),
            penalty: config.l2 * fit.len() as f64,
            config,
            cancel,
        };
        let rose: Vec<f64> = rows.labels[fit].iter().map(|&y| f64::from(u8::from(y > 0.0))).collect();
        // Between 0 and 1 even when all labels have one sign.
        let share = (rose.iter().sum::<f64>() + 1.0) / (rose.len() as f64 + 2.0);
        let bias = (share / (1.0 - share)).ln();
        let mut scores = vec![bias; rose.len()];
        let mut trees = Vec::with_capacity(config.trees);
        for _ in 0..config.trees {
            let slopes: Vec<Slope> = scores
                .iter()
                .zip(&rose)
                .map(|(&score, rose)| {
                    let probability = sigmoid(score);
                    Slope { gradient: rose - probability, curvature: probability * (1.0 - probability) }
                })
                .collect();
            trees.push(grower.grow(&slopes, &mut scores)?);
        }
        Ok(Self { bias, depth: config.depth, trees })
    }
}

/// The best decision of a node so far.
#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    cut: usize,
}

struct Grower<'a> {
    bins: Binned,
    penalty: f64,
    config: &'a SupervisedConfig,
    cancel: &'a CancelToken,
}

impl Grower<'_> {
    /// One more tree, level by level, and the rows' scores with it.
    fn grow(&self, slopes: &[Slope], scores: &mut [f64]) -> Result<Tree, SupervisedError> {
        let depth = self.config.depth;
        let mut tree = Tree::stump(depth);
        let mut nodes = vec![0_usize; slopes.len()];
        for level in 0..depth {
            let first = (1 << level) - 1;
            let splits = self.best_splits(slopes, &nodes, first, 1 << level)?;
            for (offset, split) in splits.iter().enumerate() {
                if let Some(split) = split {
                    tree.feature[first + offset] = split.feature;
                    tree.threshold[first + offset] = self.bins.cuts[split.feature][split.cut];
                }
            }
            for (row, node) in nodes.iter_mut().enumerate() {
                let is_above = splits[*node - first]
                    .is_some_and(|split| usize::from(self.bins.column(split.feature)[row]) > split.cut);
                *node = 2 * *node + 1 + usize::from(is_above);
            }
        }
        self.fill_leaves(&mut tree, slopes, &nodes, scores);
        Ok(tree)
    }

    fn fill_leaves(&self, tree: &mut Tree, slopes: &[Slope], nodes: &[usize], scores: &mut [f64]) {
        let inner = tree.feature.len();
        let mut sums = vec![Sums::default(); tree.leaf.len()];
        for (node, slope) in nodes.iter().zip(slopes) {
            sums[node - inner].add(slope);
        }
        for (leaf, sums) in tree.leaf.iter_mut().zip(&sums) {
            *leaf = (self.config.shrinkage * sums.gradient / (sums.curvature + self.penalty)) as f32;
        }
        for (score, node) in scores.iter_mut().zip(nodes) {
            *score += f64::from(tree.leaf[node - inner]);
        }
    }

    /// The best decision of each of `count` nodes from `first` on; of equal ones that of the lowest feature and cut.
    fn best_splits(
        &self,
        slopes: &[Slope],
        nodes: &[usize],
        first: usize,
        count: usize,
    ) -> Result<Vec<Option<Split>>, SupervisedError> {
        let mut best: Vec<Option<Split>> = vec![None; count];
        let mut sums = vec![[Sums::default(); BINS]; count];
        for feature in 0..self.bins.inputs {
            if self.cancel.is_cancelled() {
                return Err(TrainerError::Cancelled.into());
            }
            sums.fill([Sums::default(); BINS]);
            let column = self.bins.column(feature);
            for ((&bin, &node), slope) in column.iter().zip(nodes).zip(slopes) {
                sums[node - first][usize::from(bin)].add(slope);
            }
            for (best, sums) in best.iter_mut().zip(&sums) {
                self.improve(best, feature, sums);
            }
        }
        Ok(best)
    }

    fn improve(&self, best: &mut Option<Split>, feature: usize, sums: &[Sums; BINS]) {
        let all = sums.iter().fold(Sums::default(), Sums::plus);
        let mut below = Sums::default();
        // What lies above the last cut is on the other side of every decision.
        for (cut, bin) in sums.iter().enumerate().take(self.bins.cuts[feature].len()) {
            below = below.plus(bin);
            let above = all.minus(&below);
            if below.rows.min(above.rows) < self.config.min_leaf_rows {
                continue;
            }
            let gain = below.gain(self.penalty) + above.gain(self.penalty) - all.gain(self.penalty);
            if gain > best.map_or(LEAST_GAIN, |best| best.gain) {
                *best = Some(Split { gain, feature, cut });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features; the label rises when exactly one of them is above 0, which no linear model can say.
    fn either_or(count: usize) -> Rows {
        let features: Vec<f32> =
            (0..count).flat_map(|i| [(i as f32 * 0.7).sin(), (i as f32 * 1.3).cos()]).collect();
        let labels = features.as_chunks::<2>().0.iter().map(|[a, b]| if a * b < 0.0 { 1.0 } else { -1.0 });
        Rows { first_bar: 0, inputs: 2, labels: labels.collect(), features }
    }

    fn config() -> SupervisedConfig {
        SupervisedConfig { trees: 60, depth: 2, shrinkage: 0.3, l2: 1e-4, ..Default::default() }
    }

    #[test]
    fn trees_learn_what_no_linear_model_can() {
        let rows = either_or(600);
        let model = BoostedTrees::fit(&rows, 0..600, &config(), &CancelToken::default()).unwrap();
        let is_right = |row: &usize| (model.score(rows.features(*row)) > 0.0) == (rows.labels[*row] > 0.0);
        let right = (0..600).filter(is_right).count();
        // Cuts lie at quantiles, not at 0.
        assert!(right > 550, "{right} of 600");
    }

    #[test]
    fn a_leaf_is_the_newton_step_of_its_rows() {
        let rows = Rows {
            first_bar: 0,
            inputs: 1,
            features: (0..200).map(|i| if i < 120 { -1.0 } else { 1.0 }).collect(),
            labels: (0..200).map(|i| if i < 120 { -1.0 } else { 1.0 }).collect(),
        };
        let config = SupervisedConfig { trees: 1, depth: 1, shrinkage: 1.0, l2: 0.01, ..Default::default() };
        let model = BoostedTrees::fit(&rows, 0..200, &config, &CancelToken::default()).unwrap();
        let share = 81.0 / 202.0;
        let (curvature, penalty) = (share * (1.0 - share), 0.01 * 200.0);
        let expected = [-120.0 * share, 80.0 * (1.0 - share)];
        let expected =
            [expected[0] / (120.0 * curvature + penalty), expected[1] / (80.0 * curvature + penalty)];
        assert_eq!((model.trees[0].feature[0], model.trees[0].threshold[0]), (0, -1.0));
        for (leaf, expected) in model.trees[0].leaf.iter().zip(expected) {
            assert!((f64::from(*leaf) - expected).abs() < 1e-6, "{leaf} {expected}");
        }
    }

    #[test]
    fn labels_of_one_sign_and_constant_features_give_a_tree_that_decides_nothing() {
        let rows = Rows { first_bar: 0, inputs: 1, features: vec![3.0; 120], labels: vec![1.0; 120] };
        let model = BoostedTrees::fit(&rows, 0..120, &config(), &CancelToken::default()).unwrap();
        assert!(model.trees.iter().all(|tree| tree.threshold == [f32::MAX; 3]));
        assert!(model.score(&[3.0]) > 0.0 && model.score(&[-9.0]).is_finite());
    }

    #[test]
    fn a_cancelled_fit_stops() {
        let cancel = CancelToken::default();
        cancel.cancel();
        let error = BoostedTrees::fit(&either_or(200), 0..200, &config(), &cancel).unwrap_err();
        assert!(matches!(error, SupervisedError::Trainer(TrainerError::Cancelled)));
    }
}
