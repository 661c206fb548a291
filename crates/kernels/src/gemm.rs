//! The one matrix product: `C = start + A B` in tiles whose sums stay in registers.
//!
//! Columns of `B` and `C` lie across lanes, and every sum runs over `k` in index order with fused multiply-add. So
//! the bits of an element depend neither on the tile that it falls into nor on the instruction set. Everything here is
//! `inline(always)`, so that it takes the features of the function that it lands in.

use crate::simd::Simd;

/// Columns that are computed side by side: one AVX-512 register, two of AVX2.
pub(crate) const LANES: usize = 16;

/// One register of numbers.
pub(crate) type Lanes = [f32; LANES];

/// `width` rounded up to whole lanes.
pub(crate) fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// `numbers` as whole registers.
#[inline(always)]
pub(crate) fn lanes(numbers: &[f32]) -> &[Lanes] {
    numbers.as_chunks().0
}

/// `numbers` as whole registers.
#[inline(always)]
pub(crate) fn lanes_mut(numbers: &mut [f32]) -> &mut [Lanes] {
    numbers.as_chunks_mut().0
}

/// The left matrix `A`, `[m, k]`, as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Left<'a> {
    /// Row-major: row `i` begins at `i * stride`.
    Rows { numbers: &'a [f32], stride: usize },
    /// The transposed matrix row-major: `[k, m]`, index `k` begins at `k * stride`.
    Columns { numbers: &'a [f32], stride: usize },
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    Zero,
    /// The same row, `[n]` padded to whole lanes, for every row of `C`.
    Row(&'a [f32]),
    /// What `C` holds.
    Existing,
}

/// Sizes of a product; `n` counts whole lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) vectors: usize,
}

/// `C = start + A B` with `B` `[k, vectors]` and `C` `[m, vectors]` of lanes, row-major. Machines with 32
/// registers of 16 lanes take tiles of 6 x 64 or 12 x 16; others take 6 x 16.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    simd: S,
    sizes: Sizes,
    a: Left<'_>,
    b: &[f32],
    start: Start<'_>,
    c: &mut [f32],
) {
    let (b, c) = (lanes(b), lanes_mut(c));
    let start = match start {
        Start::Zero => Origin::Zero,
        Start::Row(row) => Origin::Row(lanes(row)),
        Start::Existing => Origin::Existing,
    };
    let mut column = 0;
    if S::WIDE {
        while column + 4 <= sizes.vectors {
            panel::<S, 6, 4>(simd, sizes, column, a, b, start, c);
            column += 4;
        }
    }
    while column < sizes.vectors {
        if S::WIDE {
            panel::<S, 12, 1>(simd, sizes, column, a, b, start, c);
        } else {
            panel::<S, 6, 1>(simd, sizes, column, a, b, start, c);
        }
        column += 1;
    }
}

/// [`Start`] in lanes.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Zero,
    Row(&'a [Lanes]),
    Existing,
}

/// `V` vectors of columns from `column` on, all rows: tiles of `R` rows, then of what is left.
#[inline(always)]
fn panel<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sizes: Sizes,
    column: usize,
    a: Left<'_>,
    b: &[Lanes],
    start: Origin<'_>,
    c: &mut [Lanes],
) {
    let mut row = 0;
    while row + R <= sizes.m {
        tile::<S, R, V>(simd, sizes, (row, column), a, b, start, c);
        row += R;
    }
    if R > 6 && row + 6 <= sizes.m {
        tile::<S, 6, V>(simd, sizes, (row, column), a, b, start, c);
        row += 6;
    }
    if row + 4 <= sizes.m {
        tile::<S, 4, V>(simd, sizes, (row, column), a, b, start, c);
        row += 4;
    }
    if row + 2 <= sizes.m {
        tile::<S, 2, V>(simd, sizes, (row, column), a, b, start, c);
        row += 2;
    }
    if row < sizes.m {
        tile::<S, 1, V>(simd, sizes, (row, column), a, b, start, c);
    }
}

#[inline(always)]
fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sizes: Sizes,
    (row, column): (usize, usize),
    a: Left<'_>,
    b: &[Lanes],
    start: Origin<'_>,
    c: &mut [Lanes],
) {
    let Sizes { k, vectors, .. } = sizes;
    let mut sums = [[simd.splat(0.0); V]; R];
    for (r, sums) in sums.iter_mut().enumerate() {
        let from: Option<&[Lanes; V]> = match start {
            Origin::Zero => None,
            Origin::Row(values) => Some(part(values, column)),
            Origin::Existing => Some(part(c, (row + r) * vectors + column)),
        };
        if let Some(from) = from {
            for v in 0..V {
                sums[v] = simd.load(&from[v]);
            }
        }
    }
    let b_rows = b[..k * vectors].chunks_exact(vectors);
    match a {
        Left::Rows { numbers, stride } => {
            let mut rows: [&[f32]; R] = [&[]; R];
            for (r, values) in rows.iter_mut().enumerate() {
                *values = &numbers[(row + r) * stride..][..k];
            }
            for (at, b_row) in b_rows.enumerate() {
                add_products(simd, &mut sums, |r| rows[r][at], part(b_row, column));
            }
        }
        Left::Columns { numbers, stride } => {
            for (a_row, b_row) in numbers.chunks(stride).zip(b_rows) {
                let factors: &[f32; R] = part(a_row, row);
                add_products(simd, &mut sums, |r| factors[r], part(b_row, column));
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let to: &mut [Lanes; V] = part_mut(c, (row + r) * vectors + column);
        for v in 0..V {
            simd.store(sums[v], &mut to[v]);
        }
    }
}

#[inline(always)]
fn add_products<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::Vector; V]; R],
    factor: impl Fn(usize) -> f32,
    b: &[Lanes; V],
) {
    let mut factors = [simd.splat(0.0); V];
    for v in 0..V {
        factors[v] = simd.load(&b[v]);
    }
    for (r, sums) in sums.iter_mut().enumerate() {
        let x = simd.splat(factor(r));
        for v in 0..V {
            sums[v] = simd.mul_add(x, factors[v], sums[v]);
        }
    }
}

/// `N` items of `items` from `at` on.
#[inline(always)]
fn part<T, const N: usize>(items: &[T], at: usize) -> &[T; N] {
    match items[at..].first_chunk() {
        Some(part) => part,
        None => too_short(),
    }
}

#[inline(always)]
fn part_mut<T, const N: usize>(items: &mut [T], at: usize) -> &mut [T; N] {
    match items[at..].first_chunk_mut() {
        Some(part) => part,
        None => too_short(),
    }
}

#[cold]
#[inline(never)]
fn too_short() -> ! {
    unreachable!("the lengths of a product are checked by its callers")
}
