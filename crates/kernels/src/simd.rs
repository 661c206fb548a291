//! Sixteen numbers at a time, on each instruction set.
//!
//! The compiler's own vectoriser reaches the same rate on some tiles of the matrix product and a fifth of it on
//! others, so the product names its registers. Everything else is plain loops.

use crate::gemm::{LANES, Lanes};

/// Proof that this machine has an instruction set, and its registers of [`LANES`] numbers.
pub(crate) trait Simd: Copy {
    /// Whether there are 32 registers of [`LANES`] numbers, rather than 16 of half as many.
    const WIDE: bool;
    /// [`LANES`] numbers in registers.
    type Vector: Copy;

    fn splat(self, x: f32) -> Self::Vector;
    fn load(self, from: &Lanes) -> Self::Vector;
    fn store(self, vector: Self::Vector, to: &mut Lanes);
    /// `a b + c` in each lane, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `d (1 - h^2)` in each lane, the second factor rounded once: a gradient through a hyperbolic tangent of value
    /// `h`.
    fn times_slope(self, d: Self::Vector, h: Self::Vector) -> Self::Vector;
}

/// What every machine of the target has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    const WIDE: bool = false;
    type Vector = Lanes;

    #[inline(always)]
    fn splat(self, x: f32) -> Lanes {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Lanes {
        *from
    }

    #[inline(always)]
    fn store(self, vector: Lanes, to: &mut Lanes) {
        *to = vector;
    }

    #[inline(always)]
    fn mul_add(self, a: Lanes, b: Lanes, mut c: Lanes) -> Lanes {
        for lane in 0..LANES {
            c[lane] = a[lane].mul_add(b[lane], c[lane]);
        }
        c
    }

    #[inline(always)]
    fn add(self, mut a: Lanes, b: Lanes) -> Lanes {
        for lane in 0..LANES {
            a[lane] += b[lane];
        }
        a
    }

    #[inline(always)]
    fn times_slope(self, mut d: Lanes, h: Lanes) -> Lanes {
        for lane in 0..LANES {
            d[lane] *= (-h[lane]).mul_add(h[lane], 1.0);
        }
        d
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "calls instructions that the baseline lacks")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_mul_ps,
        _mm256_set1_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps,
        _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    use super::Simd;
    use crate::gemm::{LANES, Lanes};

    /// Proof of AVX-512F.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx512(());

    /// Proof of AVX2 and FMA.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx2(());

    impl Avx512 {
        /// # Safety
        /// The processor has AVX-512F.
        #[inline(always)]
        pub(crate) unsafe fn new() -> Self {
            Self(())
        }
    }

    impl Avx2 {
        /// # Safety
        /// The processor has AVX2 and FMA.
        #[inline(always)]
        pub(crate) unsafe fn new() -> Self {
            Self(())
        }
    }

    impl Simd for Avx512 {
        const WIDE: bool = true;
        type Vector = __m512;

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            // SAFETY: `self` is proof of AVX-512F.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        fn load(self, from: &Lanes) -> __m512 {
            // SAFETY: `self` is proof of AVX-512F, and sixteen numbers may be read.
            unsafe { _mm512_loadu_ps(from.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, vector: __m512, to: &mut Lanes) {
            // SAFETY: `self` is proof of AVX-512F, and sixteen numbers may be written.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), vector) }
        }

        #[inline(always)]
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: `self` is proof of AVX-512F.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is proof of AVX-512F.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        fn times_slope(self, d: __m512, h: __m512) -> __m512 {
            // SAFETY: `self` is proof of AVX-512F.
            unsafe { _mm512_mul_ps(d, _mm512_fnmadd_ps(h, h, _mm512_set1_ps(1.0))) }
        }
    }

    /// Numbers in one register of AVX2.
    const HALF: usize = LANES / 2;

    impl Simd for Avx2 {
        const WIDE: bool = false;
        type Vector = [__m256; 2];

        #[inline(always)]
        fn splat(self, x: f32) -> [__m256; 2] {
            // SAFETY: `self` is proof of AVX2.
            unsafe { [_mm256_set1_ps(x); 2] }
        }

        #[inline(always)]
        fn load(self, from: &Lanes) -> [__m256; 2] {
            let (low, high) = from.split_at(HALF);
            // SAFETY: `self` is proof of AVX2, and eight numbers of each half may be read.
            unsafe { [_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())] }
        }

        #[inline(always)]
        fn store(self, vector: [__m256; 2], to: &mut Lanes) {
            let (low, high) = to.split_at_mut(HALF);
            // SAFETY: `self` is proof of AVX2, and eight numbers of each half may be written.
            unsafe {
                _mm256_storeu_ps(low.as_mut_ptr(), vector[0]);
                _mm256_storeu_ps(high.as_mut_ptr(), vector[1]);
            }
        }

        #[inline(always)]
        fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
            // SAFETY: `self` is proof of AVX2 and FMA.
            unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
        }

        #[inline(always)]
        fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            // SAFETY: `self` is proof of AVX2.
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }

        #[inline(always)]
        fn times_slope(self, d: [__m256; 2], h: [__m256; 2]) -> [__m256; 2] {
            // SAFETY: `self` is proof of AVX2 and FMA.
            unsafe {
                let one = _mm256_set1_ps(1.0);
                let slopes = [_mm256_fnmadd_ps(h[0], h[0], one), _mm256_fnmadd_ps(h[1], h[1], one)];
                [_mm256_mul_ps(d[0], slopes[0]), _mm256_mul_ps(d[1], slopes[1])]
            }
        }
    }
}
