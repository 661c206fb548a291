//! Fresh weights.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// A matrix `[rows, cols]`, row-major, whose shorter side is orthonormal, times `gain` (Saxe et al. 2014).
///
/// Gaussian vectors through Gram-Schmidt, done twice against rounding.
pub(crate) fn orthogonal(rows: usize, cols: usize, gain: f64, rng: &mut impl Rng) -> Vec<f32> {
    let (count, length) = (rows.min(cols), rows.max(cols));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(rng)).collect();
        for other in basis.iter().chain(basis.iter()) {
            let overlap = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(x, y)| *x -= overlap * y);
        }
        let norm = dot(&vector, &vector).sqrt().max(f64::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= norm);
        basis.push(vector);
    }
    let at = |row: usize, col: usize| if rows <= cols { basis[row][col] } else { basis[col][row] };
    (0..rows * cols).map(|index| (gain * at(index / cols, index % cols)) as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn check(rows: usize, cols: usize) {
        let gain = 2.0_f64.sqrt();
        let matrix = orthogonal(rows, cols, gain, &mut ChaCha8Rng::seed_from_u64(1));
        let vector = |i: usize| -> Vec<f64> {
            (0..rows.max(cols))
                .map(|j| f64::from(if rows <= cols { matrix[i * cols + j] } else { matrix[j * cols + i] }))
                .collect()
        };
        for i in 0..rows.min(cols) {
            for j in 0..=i {
                let expected = if i == j { 2.0 } else { 0.0 };
                assert!((dot(&vector(i), &vector(j)) - expected).abs() < 1e-5, "{i} {j}");
            }
        }
    }

    #[test]
    fn fresh_weights_are_orthogonal_with_their_gain() {
        check(3, 7);
        check(7, 3);
        check(4, 4);
        check(1, 5);
    }
}
