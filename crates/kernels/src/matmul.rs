//! A bare matrix product, to measure what the kernels could reach.

use crate::error::{Error, check_len};
use crate::gemm::{LANES, Left, Sizes, Start, multiply};
use crate::isa::{Checked, Isa, multiversion};
use crate::simd::Simd;

/// The matrix product that forward and backward passes are made of, on one instruction set.
#[derive(Debug, Clone, Copy)]
pub struct MatMul(Checked);

multiversion! {
    fn run = product(sizes: Sizes, a: Left<'_>, b: &[f32], c: &mut [f32]);
}

#[inline(always)]
fn product<S: Simd>(simd: S, sizes: Sizes, a: Left<'_>, b: &[f32], c: &mut [f32]) {
    multiply(simd, sizes, a, b, Start::Zero, c);
}

impl MatMul {
    /// Products on `isa`; `None` when this machine does not have it.
    pub fn new(isa: Isa) -> Option<Self> {
        Checked::new(isa).map(Self)
    }

    /// `c = a b` with `a` `[m, k]`, `b` `[k, n]` and `c` `[m, n]`, row-major, `n` a multiple of 16.
    ///
    /// # Errors
    /// When a length does not fit, a size is 0, or `n` is no multiple of 16.
    pub fn multiply(self, [m, k, n]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) -> Result<(), Error> {
        if m * k * n == 0 {
            return Err(Error::Empty { what: "rows or columns in a product" });
        }
        check_len("the columns of a product", n, n / LANES * LANES)?;
        check_len("the left matrix", a.len(), m * k)?;
        check_len("the right matrix", b.len(), k * n)?;
        check_len("the product", c.len(), m * n)?;
        run(self.0, Sizes { m, k, vectors: n / LANES }, Left::Rows { numbers: a, stride: k }, b, c);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_instruction_set_multiplies_like_three_loops(
            (m, k, vectors) in (1usize..30, 1usize..40, 1usize..7),
            transposed in any::<bool>(),
            salt in any::<u32>(),
        ) {
            let n = vectors * LANES;
            let number = |i: usize| ((i as u32).wrapping_add(salt).wrapping_mul(2_654_435_761) >> 20) as f32 / 4096.0;
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..k * n).map(|i| number(i + 7)).collect();
            let at = |row: usize, index: usize| if transposed { a[index * m + row] } else { a[row * k + index] };
            let expected: Vec<f32> = (0..m * n)
                .map(|i| (0..k).fold(0.0_f32, |sum, index| at(i / n, index).mul_add(b[index * n + i % n], sum)))
                .collect();
            for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
                let Some(checked) = Checked::new(isa) else { continue };
                let left = match transposed {
                    true => Left::Columns { numbers: &a, stride: m },
                    false => Left::Rows { numbers: &a, stride: k },
                };
                let mut c = vec![f32::NAN; m * n];
                run(checked, Sizes { m, k, vectors }, left, &b, &mut c);
                prop_assert_eq!(&c, &expected, "{:?}", isa);
            }
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let product = MatMul::new(Isa::Portable).unwrap();
        assert!(product.multiply([1, 1, 8], &[1.0], &[0.0; 8], &mut [0.0; 8]).is_err());
        assert!(product.multiply([1, 2, 16], &[1.0], &[0.0; 32], &mut [0.0; 16]).is_err());
        assert!(product.multiply([0, 1, 16], &[], &[0.0; 16], &mut []).is_err());
    }
}
