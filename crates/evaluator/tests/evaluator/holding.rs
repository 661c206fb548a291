//! A limit on the bars in one position: models keep it, in streams too; to hold the asset stays what it is.

use serde_json::Value;
use tempfile::tempdir;
use walkforward_core::{Continued, Dataset, Evaluator, ModelRef, StreamRequest};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::BacktestEvaluator;

use crate::common::{context, dataset, waves, window, write_model};

const LIMIT: usize = 4;
/// The second midnight after which a day of history is there.
const FROM: usize = 48;
const BARS: usize = 200;

fn evaluator(max_bars_in_position: Option<u32>) -> BacktestEvaluator {
    BacktestEvaluator::new(SessionConfig { max_bars_in_position, ..SessionConfig::default() })
}

fn limited() -> BacktestEvaluator {
    evaluator(Some(LIMIT as u32))
}

/// Closes of the longest position.
fn longest(position: &[f64]) -> usize {
    let stretches = position.chunk_by(|a, b| (*a > 0.0) == (*b > 0.0));
    stretches.filter(|stretch| stretch[0] > 0.0).map(<[f64]>::len).max().unwrap_or(0)
}

#[test]
fn a_model_that_never_sells_sells_at_the_limit_and_buys_again() {
    let data = dataset(&waves(BARS));
    let folder = tempdir().unwrap();
    let model = write_model(folder.path(), 0.0, 1.0);
    let judge = |evaluator: BacktestEvaluator| {
        evaluator.evaluate(&model, &data, window(FROM, BARS), &context()).unwrap()
    };
    let (free, kept) = (judge(evaluator(None)), judge(limited()));
    assert_eq!((free.fills.len(), longest(&free.position)), (1, BARS - FROM - 1));
    assert_eq!((longest(&kept.position), kept.metrics.trades), (LIMIT, Some(30)));
}

#[test]
fn the_baseline_that_holds_is_not_held_to_the_limit() {
    let data = dataset(&waves(BARS));
    let baselines =
        |evaluator: BacktestEvaluator| evaluator.baselines(&data, window(FROM, BARS), &context()).unwrap();
    assert_eq!(baselines(limited()), baselines(evaluator(None)));
}

/// The positions of a stream whose stretches end every `bars` bars.
fn stream(model: &ModelRef, data: &Dataset, bars: usize) -> (Vec<f64>, Value) {
    let (mut position, mut session) = (Vec::new(), None);
    for from in (FROM..BARS).step_by(bars) {
        let span = window(from, BARS.min(from + bars));
        let request = StreamRequest { model: Some(model), dataset: data, span, session: session.as_ref() };
        let Continued::Scored(stretch) = limited().continue_stream(&request, &context()).unwrap() else {
            panic!("a stretch that is scored");
        };
        position.extend(stretch.position);
        session = Some(stretch.session);
    }
    (position, session.unwrap())
}

#[test]
fn a_stream_counts_on_from_stretch_to_stretch() {
    let data = dataset(&waves(BARS));
    let folder = tempdir().unwrap();
    let model = write_model(folder.path(), 0.0, 1.0);
    let (whole, ended) = stream(&model, &data, BARS);
    assert_eq!(longest(&whole), LIMIT);
    for bars in [1, 2, 3, 7] {
        let (pieces, session) = stream(&model, &data, bars);
        assert_eq!(pieces, whole, "{bars} bars at a time");
        assert_eq!(session, ended, "{bars} bars at a time");
    }
}
