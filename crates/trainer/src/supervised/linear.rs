//! Ridge and logistic regression, solved exactly: by the normal equations, and by Newton's method.

use std::ops::Range;

use walkforward_core::CancelToken;

use super::rows::Rows;
use super::{SupervisedConfig, SupervisedError};
use crate::TrainerError;

/// Most inputs of a linear model: its equations take the cube of their number.
const MAX_INPUTS: usize = 512;
/// Most steps of Newton's method; it takes fewer than ten unless the classes are separable.
const MAX_STEPS: usize = 50;
/// A step that moves no weight further than this was the last.
const SMALLEST_MOVE: f64 = 1e-10;
/// Rows between two looks at the request to stop.
const ROWS_PER_LOOK: usize = 4_096;

/// `score = weight x + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinearModel {
    /// `[inputs]`.
    pub(super) weight: Vec<f64>,
    pub(super) bias: f64,
}

impl LinearModel {
    pub(super) fn score(&self, features: &[f32]) -> f64 {
        self.weight.iter().zip(features).map(|(w, &x)| w * f64::from(x)).sum::<f64>() + self.bias
    }

    /// Least squares on the labels. The score is a forecast log return.
    pub(super) fn ridge(
        rows: &Rows,
        fit: Range<usize>,
        config: &SupervisedConfig,
        cancel: &CancelToken,
    ) -> Result<Self, SupervisedError> {
        let mut system = System::new(rows.inputs)?;
        for row in fit.clone() {
            check(row, cancel)?;
            system.add(rows.features(row), 1.0, rows.labels[row]);
        }
        system.penalise(config.l2 * fit.len() as f64, None);
        Ok(Self::from_solution(system.solve()?))
    }

    /// Maximum likelihood of the labels' signs. The score is the log odds of a rise. Gives the steps too.
    pub(super) fn logistic(
        rows: &Rows,
        fit: Range<usize>,
        config: &SupervisedConfig,
        cancel: &CancelToken,
    ) -> Result<(Self, u64), SupervisedError> {
        let mut model = Self { weight: vec![0.0; rows.inputs], bias: 0.0 };
        for step in 1..=MAX_STEPS {
            let mut system = System::new(rows.inputs)?;
            for row in fit.clone() {
                check(row, cancel)?;
                let features = rows.features(row);
                let probability = sigmoid(model.score(features));
                let rose = f64::from(u8::from(rows.labels[row] > 0.0));
                system.add(features, probability * (1.0 - probability), 0.0);
                system.add_gradient(features, rose - probability);
            }
            system.penalise(config.l2 * fit.len() as f64, Some(&model.weight));
            let change = system.solve()?;
            let largest = change.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            model.weight.iter_mut().zip(&change).for_each(|(w, change)| *w += change);
            model.bias += change[rows.inputs];
            if largest <= SMALLEST_MOVE {
                return Ok((model, step as u64));
            }
        }
        Ok((model, MAX_STEPS as u64))
    }

    fn from_solution(mut solution: Vec<f64>) -> Self {
        let bias = solution.pop().unwrap_or_default();
        Self { weight: solution, bias }
    }
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn check(row: usize, cancel: &CancelToken) -> Result<(), SupervisedError> {
    if row.is_multiple_of(ROWS_PER_LOOK) && cancel.is_cancelled() {
        return Err(TrainerError::Cancelled.into());
    }
    Ok(())
}

/// A symmetric system of equations for weights and bias, the bias last.
struct System {
    size: usize,
    /// Lower triangle, `[size, size]`.
    matrix: Vec<f64>,
    /// `[size]`.
    right: Vec<f64>,
    /// The row at hand with its 1 for the bias, `[size]`.
    row: Vec<f64>,
}

impl System {
    fn new(inputs: usize) -> Result<Self, SupervisedError> {
        if inputs > MAX_INPUTS {
            return Err(SupervisedError::TooManyInputs { inputs, most: MAX_INPUTS });
        }
        let size = inputs + 1;
        Ok(Self { size, matrix: vec![0.0; size * size], right: vec![0.0; size], row: vec![1.0; size] })
    }

    /// Adds `weight x x'` to the matrix and `weight x target` to the right side.
    fn add(&mut self, features: &[f32], weight: f64, target: f64) {
        self.row.iter_mut().zip(features).for_each(|(slot, &x)| *slot = f64::from(x));
        for i in 0..self.size {
            let scaled = weight * self.row[i];
            self.right[i] += scaled * target;
            let lower = &mut self.matrix[i * self.size..i * self.size + i + 1];
            lower.iter_mut().zip(&self.row).for_each(|(sum, x)| *sum += scaled * x);
        }
    }

    /// Adds `x error` to the right side.
    fn add_gradient(&mut self, features: &[f32], error: f64) {
        self.right.iter_mut().zip(features).for_each(|(sum, &x)| *sum += f64::from(x) * error);
        self.right[self.size - 1] += error;
    }

    /// Penalises weights, not the bias; `at` are the weights of a Newton step.
    fn penalise(&mut self, l2: f64, at: Option<&[f64]>) {
        for i in 0..self.size - 1 {
            self.matrix[i * self.size + i] += l2;
            self.right[i] -= l2 * at.map_or(0.0, |weights| weights[i]);
        }
    }

    /// The solution by Cholesky's decomposition.
    fn solve(mut self) -> Result<Vec<f64>, SupervisedError> {
        let n = self.size;
        let at = |i: usize, j: usize| i * n + j;
        for j in 0..n {
            for i in j..n {
                let (row, pivot_row) = (&self.matrix[at(i, 0)..at(i, j)], &self.matrix[at(j, 0)..at(j, j)]);
                let known: f64 = row.iter().zip(pivot_row).map(|(a, b)| a * b).sum();
                let rest = self.matrix[at(i, j)] - known;
                self.matrix[at(i, j)] = if i == j { rest.sqrt() } else { rest / self.matrix[at(j, j)] };
            }
            if !(self.matrix[at(j, j)].is_finite() && self.matrix[at(j, j)] > 0.0) {
                return Err(SupervisedError::Singular);
            }
        }
        for i in 0..n {
            let known: f64 = (0..i).map(|k| self.matrix[at(i, k)] * self.right[k]).sum();
            self.right[i] = (self.right[i] - known) / self.matrix[at(i, i)];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| self.matrix[at(k, i)] * self.right[k]).sum();
            self.right[i] = (self.right[i] - known) / self.matrix[at(i, i)];
        }
        match self.right.iter().all(|x| x.is_finite()) {
            true => Ok(self.right),
            false => Err(SupervisedError::Singular),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose features are `sin` and `cos` of their index and whose label is `label`.
    fn rows(count: usize, label: impl Fn(f64, f64) -> f64) -> Rows {
        let pairs: Vec<(f32, f32)> =
            (0..count).map(|i| ((i as f32 * 0.7).sin(), (i as f32 * 1.3).cos())).collect();
        Rows {
            first_bar: 0,
            inputs: 2,
            features: pairs.iter().flat_map(|&(a, b)| [a, b]).collect(),
            labels: pairs.iter().map(|&(a, b)| label(f64::from(a), f64::from(b))).collect(),
        }
    }

    fn config(l2: f64) -> SupervisedConfig {
        SupervisedConfig { l2, ..Default::default() }
    }

    #[test]
    fn ridge_recovers_a_linear_label_and_shrinks_with_its_penalty() {
        let rows = rows(200, |a, b| 0.5 * a - 2.0 * b + 0.25);
        let fit = |l2| LinearModel::ridge(&rows, 0..200, &config(l2), &CancelToken::default()).unwrap();
        let exact = fit(1e-9);
        assert!((exact.weight[0] - 0.5).abs() < 1e-6 && (exact.weight[1] + 2.0).abs() < 1e-6);
        assert!((exact.bias - 0.25).abs() < 1e-6);
        assert!(fit(1.0).weight[1].abs() < 1.0);
    }

    #[test]
    fn logistic_regression_ends_where_its_gradient_is_zero() {
        let rows = rows(400, |a, b| a - 0.5 * b + 0.3 * (40.0 * a * b).sin());
        let (model, steps) =
            LinearModel::logistic(&rows, 0..400, &config(0.01), &CancelToken::default()).unwrap();
        assert!(steps < 12 && model.weight[0] > 1.0 && model.weight[1] < 0.0, "{steps} {model:?}");
        let mut gradient = [0.0; 3];
        for row in 0..400 {
            let x = rows.features(row);
            let error = f64::from(u8::from(rows.labels[row] > 0.0)) - sigmoid(model.score(x));
            gradient[0] += error * f64::from(x[0]);
            gradient[1] += error * f64::from(x[1]);
            gradient[2] += error;
        }
        gradient[0] -= 4.0 * model.weight[0];
        gradient[1] -= 4.0 * model.weight[1];
        assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn labels_of_one_sign_and_too_many_inputs_do_not_end_in_numbers_that_are_none() {
        let rising = rows(100, |_, _| 1.0);
        if let Ok((model, _)) = LinearModel::logistic(&rising, 0..100, &config(0.01), &CancelToken::default())
        {
            assert!(model.bias.is_finite() && model.bias > 1.0);
        }
        assert!(matches!(System::new(MAX_INPUTS + 1), Err(SupervisedError::TooManyInputs { .. })));
    }
}
