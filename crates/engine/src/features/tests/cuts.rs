//! A row is the same however the series is cut into blocks, and whatever comes after it.

use proptest::prelude::*;
use walkforward_core::{BarSeries, FeatureKind, FeatureSpec};

use super::{columns, columns_in_blocks, every_form, one, series, walk, wild};
use crate::features::{BLOCK, FeatureEngine, feature_matrix};

fn bits(columns: &[Vec<f64>]) -> Vec<Vec<u64>> {
    columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
}

fn either(seed: u64, bars: usize) -> BarSeries {
    if seed.is_multiple_of(2) { walk(seed, bars) } else { wild(seed, bars) }
}

#[test]
fn wild_markets_give_finite_columns() {
    for seed in 0..8 {
        let bars = wild(seed, 3_000);
        for kind in every_form() {
            let spec = one(kind.clone());
            let matrix = feature_matrix(&spec, &bars).unwrap();
            assert_eq!(matrix.rows(), bars.len() - spec.warm_up_bars(), "{kind:?}");
        }
    }
}

#[test]
fn a_warm_up_of_more_than_a_block_is_left_out_to_the_bar() {
    let long = FeatureKind::SmaTrend { fast: BLOCK as u32 + 100, slow: 3 * BLOCK as u32 };
    let spec = FeatureSpec::new(vec![FeatureKind::Cci { period: 20 }, long]).unwrap();
    for bars in [1, BLOCK, 3 * BLOCK - 1, 3 * BLOCK, 3 * BLOCK + 1, 4 * BLOCK, 5 * BLOCK + 7] {
        let bars = walk(9, bars);
        let (matrix, columns) = (feature_matrix(&spec, &bars).unwrap(), columns(&spec, &bars));
        assert_eq!(matrix.first_row, bars.len().min(3 * BLOCK - 1));
        assert_eq!(matrix.rows(), bars.len() - matrix.first_row);
        for bar in matrix.first_row..bars.len() {
            let row: Vec<f32> = columns.iter().map(|column| column[bar] as f32).collect();
            assert_eq!(matrix.row(bar).unwrap(), row);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn blocks_of_any_length_give_the_same_bits(
        seed in any::<u64>(),
        bars in 1usize..900,
        lengths in prop::collection::vec(1usize..200, 1..5),
    ) {
        let bars = either(seed, bars);
        for kind in every_form() {
            let spec = one(kind);
            let whole = bits(&columns(&spec, &bars));
            prop_assert_eq!(&whole, &bits(&columns_in_blocks(&spec, &bars, &[1])));
            prop_assert_eq!(&whole, &bits(&columns_in_blocks(&spec, &bars, &lengths)));
        }
    }

    #[test]
    fn stream_and_batch_agree_to_the_bit_on_wild_markets(seed in any::<u64>(), bars in 1usize..700) {
        let bars = wild(seed, bars);
        let spec = FeatureSpec::catalogue();
        let matrix = feature_matrix(&spec, &bars).unwrap();
        let mut engine = FeatureEngine::new(&spec).unwrap();
        for (index, bar) in bars.iter().enumerate() {
            let row = engine.push(&bar).unwrap().map(|row| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
            prop_assert_eq!(row, matrix.row(index).map(|row| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn bars_after_a_bar_change_no_feature_at_or_before_it(
        seed in any::<u64>(),
        last in 1usize..400,
        other_seed in any::<u64>(),
    ) {
        let (bars, other) = (either(seed, 500), either(other_seed, 500));
        let rows = |bars: &BarSeries| -> Vec<[f64; 5]> {
            bars.iter().map(|bar| [bar.open(), bar.high(), bar.low(), bar.close(), bar.volume()]).collect()
        };
        let changed = series(rows(&bars).into_iter().take(last + 1).chain(rows(&other).into_iter().skip(last + 1)));
        for kind in every_form() {
            let spec = one(kind);
            let known = |bars: &BarSeries| {
                let columns = columns(&spec, bars);
                columns.iter().map(|column| column[..=last].to_vec()).collect::<Vec<_>>()
            };
            prop_assert_eq!(bits(&known(&bars)), bits(&known(&changed)));
        }
    }
}
