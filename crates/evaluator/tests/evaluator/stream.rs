//! A stream: one session over stretches, models and datasets.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use walkforward_core::{
    ActionMap, Activation, Bar, BarSeries, Continued, Dataset, Evaluator, FeatureKind, FeatureSpec, GapKind,
    MarketRules, ModelRef, NetworkSpec, Normaliser, PolicySpec, Probe, StreamRequest, StreamStretch,
};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::BacktestEvaluator;

use crate::common::{HISTORY, at, context, dataset, hour, window, write_linear};

const LOOKBACK: usize = 2;
const BARS: usize = 260;
/// The first bar that is scored: its features need 121 bars before its day, and 168 are there.
const FROM: usize = 170;
/// Bars that a dataset may lack at its start.
const SPARE: usize = 168 - 121;

fn evaluator() -> BacktestEvaluator {
    BacktestEvaluator::new(SessionConfig { market: MarketRules::SHORTING, ..Default::default() })
}

/// Closes after `moves` from 100; each eleventh bar is missing, so that orders lapse on it.
fn market(moves: &[f64]) -> Dataset {
    let mut price = 100.0;
    let closes = moves.iter().map(|step| {
        price *= 1.0 + step;
        price
    });
    let mut data = dataset(&closes.collect::<Vec<f64>>());
    data.gap_kinds.iter_mut().skip(5).step_by(11).for_each(|kind| *kind = GapKind::Missing);
    data
}

/// The bars of `data` with indices in `range`.
fn part(data: &Dataset, range: Range<usize>) -> Dataset {
    let (bars, gap_kinds) = (data.bars.slice(range.clone()), data.gap_kinds[range].to_vec());
    Dataset { bars, gap_kinds, ..data.clone() }
}

fn windowed() -> Vec<FeatureKind> {
    vec![
        FeatureKind::Returns { periods: vec![1, 4] },
        FeatureKind::SmaTrend { fast: 3, slow: 8 },
        FeatureKind::Volatility { period: 6, norm: None },
    ]
}

fn with_memory() -> Vec<FeatureKind> {
    windowed().into_iter().chain([FeatureKind::Rsi { period: 3 }]).collect()
}

/// A model that goes short, flat and long by weights drawn from `seed`, in a folder of its own.
fn restless(folder: &TempDir, seed: u32, kinds: Vec<FeatureKind>) -> ModelRef {
    let features = FeatureSpec::new(kinds).unwrap();
    let width = features.width();
    let inputs = LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS;
    let spec = PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: hour(),
        network: NetworkSpec::Mlp { inputs, hidden: vec![], outputs: 3, activation: Activation::Tanh },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; width], std: vec![0.2; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::ShortFlatLong,
        used_until: at(HISTORY),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    };
    let draw = |index: usize| {
        let mixed = (u64::from(seed) << 32 | index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let dir = folder.path().join(seed.to_string());
    std::fs::create_dir(&dir).unwrap();
    write_linear(&dir, &spec, (0..3 * inputs).map(draw).collect(), vec![0.0, 0.05, 0.0])
}

/// Bars, from when to when, and who decides.
type Turn<'a> = (Range<usize>, Option<&'a ModelRef>);

fn go_on(turn: &Turn<'_>, data: &Dataset, session: Option<&Value>) -> StreamStretch {
    let (bars, model) = turn;
    let request = StreamRequest { model: *model, dataset: data, span: window(bars.start, bars.end), session };
    match evaluator().continue_stream(&request, &context()).unwrap() {
        Continued::Scored(stretch) => stretch,
        other => panic!("{other:?}"),
    }
}

/// The stretches of `turns`, one after the other, each over the dataset that `data` gives for it.
fn stream(turns: &[Turn<'_>], data: impl Fn(usize, &Range<usize>) -> Dataset) -> StreamStretch {
    let mut whole = StreamStretch {
        bar_close: Vec::new(),
        net_return: Vec::new(),
        position: Vec::new(),
        session: Value::Null,
    };
    for (index, turn) in turns.iter().enumerate() {
        let before = (index > 0).then_some(&whole.session);
        let stretch = go_on(turn, &data(index, &turn.0), before);
        whole.bar_close.extend(stretch.bar_close);
        whole.net_return.extend(stretch.net_return);
        whole.position.extend(stretch.position);
        // As it comes back from wherever it was kept.
        whole.session = serde_json::from_str(&stretch.session.to_string()).unwrap();
    }
    whole
}

/// Text in which any two doubles differ that differ in a bit.
fn exactly(stretch: &StreamStretch) -> String {
    format!("{stretch:?}")
}

fn moves() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-0.03..0.03_f64, BARS)
}

#[test]
fn a_stream_is_the_same_however_it_is_cut_and_whatever_datasets_its_bars_are_read_from() {
    let folder = tempdir().unwrap();
    let models = [1, 2, 3].map(|seed| restless(&folder, seed, with_memory()));
    let settings = ProptestConfig::with_cases(48);
    proptest!(settings, |(
        moves in moves(),
        turns in prop::collection::vec((1..40_usize, 0..4_usize), 1..6),
        pieces in prop::collection::vec((1..30_usize, 0..=SPARE, 0..30_usize), 1..30),
    )| {
        let whole = market(&moves);
        let mut start = FROM;
        let turns: Vec<Turn<'_>> = turns
            .iter()
            .map(|&(bars, model)| {
                start += bars;
                (start - bars..start.min(BARS), models.get(model))
            })
            .filter(|(bars, _)| !bars.is_empty())
            .collect();
        let mut cut: Vec<Turn<'_>> = Vec::new();
        for (bars, model) in &turns {
            let mut from = bars.start;
            while from < bars.end {
                let to = bars.end.min(from + pieces[cut.len() % pieces.len()].0);
                cut.push((from..to, *model));
                from = to;
            }
        }
        let of_pieces = stream(&cut, |index, bars| {
            let (_, dropped, later) = pieces[index % pieces.len()];
            part(&whole, dropped..BARS.min(bars.end + later))
        });
        let of_turns = stream(&turns, |_, _| whole.clone());
        prop_assert_eq!(exactly(&of_pieces), exactly(&of_turns));
    });
}

/// How often the position goes to another side.
fn changes(stretch: &StreamStretch) -> usize {
    let side = |position: &f64| position.partial_cmp(&0.0);
    stretch.position.windows(2).filter(|pair| side(&pair[0]) != side(&pair[1])).count()
}

#[test]
fn the_models_of_these_tests_change_their_minds() {
    let folder = tempdir().unwrap();
    let data = market(&(0..BARS).map(|bar| 0.02 * (bar as f64 * 0.7).sin()).collect::<Vec<_>>());
    for seed in [1, 2, 3, 8] {
        let model = restless(&folder, seed, with_memory());
        let stretch = go_on(&(FROM..BARS, Some(&model)), &data, None);
        let held = |side: f64| stretch.position.iter().filter(|position| **position * side > 0.5).count();
        assert!(
            changes(&stretch) > 15 && held(1.0) > 10 && held(-1.0) > 10,
            "{seed}: {:?}",
            stretch.position
        );
    }
}

#[test]
fn a_model_takes_over_position_and_order_of_the_one_before() {
    let folder = tempdir().unwrap();
    let models = [1, 2].map(|seed| restless(&folder, seed, with_memory()));
    let data = market(&(0..BARS).map(|bar| 0.02 * (bar as f64 * 0.7).sin()).collect::<Vec<_>>());
    let alone = go_on(&(FROM..BARS, Some(&models[0])), &data, None);
    let side = |bar: usize| alone.position[bar - FROM].partial_cmp(&0.0);
    let enters = |bar: &usize| side(*bar) != side(bar - 1) && alone.position[bar - FROM] != 0.0;
    let swap = (FROM + 20..BARS - 20).find(enters).unwrap();
    let turns = [(FROM..swap, Some(&models[0])), (swap..BARS, Some(&models[1]))];
    let both = stream(&turns, |_, _| data.clone());
    // What fills on the first bar of the second model was decided by the first one, at the close before.
    assert_eq!(both.position[..=swap - FROM], alone.position[..=swap - FROM]);
    assert_eq!(both.net_return[..=swap - FROM], alone.net_return[..=swap - FROM]);
    assert_ne!(both.position, alone.position);
    let closed = stream(&[(FROM..swap, Some(&models[0])), (swap..BARS, None)], |_, _| data.clone());
    let held = |bar: usize| closed.position[bar - FROM];
    assert!(held(swap) != 0.0, "the order of the model before has filled");
    let fills = (swap + 1..BARS).find(|bar| data.can_fill(*bar)).unwrap();
    assert!((fills..BARS).all(|bar| held(bar) == 0.0));
}

/// The bars of `data` as they are after a stock was split in four.
fn split_in_four(data: &Dataset) -> Dataset {
    let mut bars = BarSeries::new(hour());
    for bar in data.bars.iter() {
        let [open, high, low, close] =
            [bar.open(), bar.high(), bar.low(), bar.close()].map(|price| price / 4.0);
        bars.push(Bar::new(bar.open_time(), open, high, low, close, bar.volume()).unwrap()).unwrap();
    }
    Dataset { bars, ..data.clone() }
}

#[test]
fn a_position_of_before_a_split_is_not_valued_at_the_prices_after_it() {
    let folder = tempdir().unwrap();
    let model = restless(&folder, 1, windowed());
    let data = market(&(0..BARS).map(|bar| 0.02 * (bar as f64 * 0.7).sin()).collect::<Vec<_>>());
    let alone = go_on(&(FROM..BARS, Some(&model)), &data, None);
    let cut = (FROM + 20..BARS - 20).find(|bar| alone.position[bar - FROM] > 0.5).unwrap() + 1;
    let turns = [(FROM..cut, Some(&model)), (cut..BARS, Some(&model))];
    let after = split_in_four(&data);
    let both = stream(&turns, |index, _| if index == 0 { data.clone() } else { after.clone() });
    assert_eq!((both.net_return[cut - FROM], both.position[cut - FROM]), (0.0, 0.0));
    assert!(both.net_return.iter().all(|net_return| net_return.abs() < 0.1), "no bar fell by three quarters");
    assert!(both.position[cut - FROM..].iter().any(|position| *position != 0.0), "it trades on");
}

#[test]
fn a_stretch_of_one_model_that_begins_flat_is_an_evaluation() {
    let folder = tempdir().unwrap();
    let model = restless(&folder, 7, windowed());
    let with_memory = restless(&folder, 8, with_memory());
    proptest!(ProptestConfig::with_cases(32), |(moves in moves(), from in FROM..BARS - 1)| {
        let data = market(&moves);
        let check = |model: &ModelRef, data: &Dataset, bars: Range<usize>| {
            let judged = window(bars.start, bars.end);
            let report = evaluator().evaluate(model, data, judged, &context()).unwrap();
            let stretch = go_on(&(bars, Some(model)), data, None);
            prop_assert_eq!(format!("{:?}", report.bar_close), format!("{:?}", stretch.bar_close));
            prop_assert_eq!(format!("{:?}", report.net_return), format!("{:?}", stretch.net_return));
            prop_assert_eq!(format!("{:?}", report.position), format!("{:?}", stretch.position));
            Ok(())
        };
        check(&model, &data, from..BARS)?;
        // A memory has the same last digits where it begins at the same bar.
        let midnight = from - from % 24;
        check(&with_memory, &part(&data, midnight - 121..BARS), from..BARS.min(midnight + 24))?;
    });
}

#[test]
fn bars_that_are_still_to_come_change_nothing() {
    let folder = tempdir().unwrap();
    let model = restless(&folder, 1, with_memory());
    proptest!(ProptestConfig::with_cases(32), |(
        moves in moves(),
        others in moves(),
        known in FROM + 1..BARS,
    )| {
        let changed: Vec<f64> = moves[..known].iter().chain(&others[known..]).copied().collect();
        let run = |moves: &[f64], to: usize| go_on(&(FROM..to, Some(&model)), &market(moves), None);
        let (first, second) = (run(&moves, BARS), run(&changed, BARS));
        prop_assert_eq!(&first.net_return[..known - FROM], &second.net_return[..known - FROM]);
        prop_assert_eq!(&first.position[..known - FROM], &second.position[..known - FROM]);
        prop_assert_eq!(exactly(&run(&moves, known)), exactly(&run(&changed, known)));
    });
}

#[test]
fn a_stream_without_a_model_holds_nothing_and_needs_no_history() {
    let data = market(&[0.01; 60]);
    let flat = go_on(&(0..60, None), &data, None);
    assert_eq!((flat.bar_close.len(), flat.bar_close[0]), (60, at(1)));
    assert!(flat.net_return.iter().chain(&flat.position).all(|&value| value == 0.0));
    let cut = stream(&[(0..1, None), (1..60, None)], |_, bars| part(&data, bars.clone()));
    assert_eq!(exactly(&cut), exactly(&flat));
}
