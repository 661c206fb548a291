//! Paper trading is the backtest, bar by bar.

use walkforward_core::{ActionMap, Bar, MarketRules, SizedTargets};
use walkforward_engine::{SessionConfig, SessionRecord, feature_matrix, run_policy};

use walkforward_live::{BarRecord, verify_journal};

use crate::common::{Champion, ListFeed, Workplace, features, spec_with, walk, write_model};

const FIRST_TRADED: usize = 60;

/// The walk with bars left out, each time as a flat bar that is not present.
fn with_holes(bars: &walkforward_core::BarSeries) -> (walkforward_core::BarSeries, Vec<bool>) {
    let mut filled = walkforward_core::BarSeries::new(bars.timeframe());
    let mut present = Vec::new();
    let mut close = bars.closes()[0];
    for (index, bar) in bars.iter().enumerate() {
        let is_there = !(index % 17 == 9 || (100..104).contains(&index));
        let grid_bar = if is_there { bar } else { Bar::flat(bar.open_time(), close).unwrap() };
        close = grid_bar.close();
        filled.push(grid_bar).unwrap();
        present.push(is_there);
    }
    (filled, present)
}

fn bits(values: impl IntoIterator<Item = f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

#[tokio::test]
async fn a_paper_session_equals_the_backtest_to_the_last_bit() {
    check(ActionMap::LongFlat, MarketRules::LONG_ONLY).await;
}

#[tokio::test]
async fn a_paper_session_equals_the_backtest_under_every_action_scheme() {
    check(ActionMap::BuySellHold, MarketRules::LONG_ONLY).await;
    check(ActionMap::ShortFlatLong, MarketRules::SHORTING).await;
    let sized = SizedTargets::new(&[-0.5, 0.0, 0.25, 1.0]).unwrap();
    check(ActionMap::Sized(sized), MarketRules::SHORTING).await;
}

async fn check(actions: ActionMap, market: MarketRules) {
    let place = Workplace::new();
    let model = write_model(&place.models_dir(), 1, &spec_with(features(), actions));
    let config = SessionConfig { market, ..SessionConfig::default() };
    let (bars, present) = with_holes(&walk(21, 400));
    let policy = walkforward_policy::load(&model.dir, &model.sha256).unwrap();
    let rows = feature_matrix(&policy.spec().features, &bars).unwrap();
    let rows = rows.normalised(&policy.spec().normaliser).unwrap();
    let range = FIRST_TRADED..bars.len();
    let backtest: SessionRecord =
        run_policy(policy.as_ref(), &bars, &present, &rows, range, &config).unwrap();

    let fed: Vec<Bar> = bars.iter().zip(&present).filter(|(_, there)| **there).map(|(bar, _)| bar).collect();
    let first = bars.bar(FIRST_TRADED).open_time();
    let (warm_up, traded): (Vec<Bar>, Vec<Bar>) = fed.into_iter().partition(|bar| bar.open_time() < first);
    let mut options = place.options();
    options.warm_up = warm_up;
    options.session = config;
    let trader = place.trader(options, ListFeed::of(traded), Box::new(Champion::of(&model)));
    let summary = trader.run().await.unwrap();

    let records = place.bars();
    assert_eq!(bits(records.iter().map(|bar| bar.equity)), bits(backtest.equity.clone()));
    let taken: Vec<_> = records.iter().map(|bar| bar.action).collect();
    assert_eq!(taken, backtest.actions);
    let fills: Vec<_> = records.iter().flat_map(BarRecord::all_fills).copied().collect();
    assert_eq!(fills, backtest.fills);
    assert!(fills.len() > 10 && backtest.lapsed_orders > 0, "the walk has to exercise orders and holes");
    assert_eq!(summary.equity.to_bits(), backtest.equity.last().unwrap().to_bits());
    let missing = present[FIRST_TRADED..].iter().filter(|there| !**there).count();
    assert_eq!((summary.bars, summary.missing_bars), (records.len() as u64, missing as u64));
    assert_eq!((summary.fills, summary.no_model_bars), (fills.len() as u64, 0));
    assert!(actions.needs_shorting() == records.iter().any(|bar| bar.position.nanos() < 0));
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
}
