//! The shadow and the gates' streams.

use std::sync::Arc;

use proptest::prelude::*;
use walkforward_core::{
    CancelToken, Continued, Dataset, Evaluator, ManualClock, ModelRef, NoProgress, StageContext,
    StreamRequest, StreamStretch, Timeframe, Window,
};
use walkforward_engine::{SessionCheckpoint, TradingSession, continue_policy, feature_matrix};
use walkforward_evaluator::BacktestEvaluator;
use walkforward_live::{Answer, Shadow, ShadowRole, Succession};

use crate::worlds::{HISTORY, Models, at, bits, config, dataset, loaded, play, shadow_before};

const BARS: usize = 480;

/// Scores bars as the gates' streams do, going on from `session`.
fn stream(
    model: &ModelRef,
    data: &Dataset,
    bars: std::ops::Range<usize>,
    session: Option<&serde_json::Value>,
) -> StreamStretch {
    let span = Window::new(at(bars.start), at(bars.end)).unwrap();
    let request = StreamRequest { model: Some(model), dataset: data, span, session };
    let ctx = StageContext {
        clock: Arc::new(ManualClock::at(at(0))),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: std::path::PathBuf::new(),
    };
    match BacktestEvaluator::new(config()).continue_stream(&request, &ctx).unwrap() {
        Continued::Scored(stretch) => stretch,
        other => panic!("{other:?}"),
    }
}

fn stretch_bits(stretch: &StreamStretch) -> Vec<(walkforward_core::Timestamp, u64, u64)> {
    let rows = stretch.bar_close.iter().zip(&stretch.net_return).zip(&stretch.position);
    rows.map(|((close, net_return), position)| (*close, net_return.to_bits(), position.to_bits())).collect()
}

#[test]
fn every_model_in_the_shadow_equals_its_stream_to_the_last_bit() {
    let (models, data) = (Models::new(), dataset(5, BARS));
    // In the middle of a day.
    let first = HISTORY + 30;
    let mut shadow = shadow_before(&data, first);
    let all: Vec<ModelRef> = (1..=4).map(|number| models.model(number)).collect();
    shadow.set_champion(loaded(&all[0]), Succession::Takeover).unwrap();
    shadow.set_anchor(Some(loaded(&all[1]))).unwrap();
    all[2..].iter().for_each(|model| shadow.add_challenger(loaded(model)).unwrap());
    let played = play(&mut shadow, &data, first..BARS);
    let checkpoint = shadow.checkpoint();
    for (place, model) in all.iter().enumerate() {
        let expected = stream(model, &data, first..BARS, None);
        assert_eq!(bits(played.iter().map(|bar| &bar[place])), stretch_bits(&expected), "{}", model.id);
        let trades = expected.position.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(trades > 10, "the walk has to make {} trade: {trades}", model.id);
        assert!(played.iter().all(|bar| bar[place].answer == Answer::Given));
        // The order that waits is the same too.
        let session: SessionCheckpoint = serde_json::from_value(expected.session["session"].clone()).unwrap();
        assert_eq!(checkpoint.ledgers[place].session, session);
    }
}

#[test]
fn within_a_day_a_shadow_equals_the_backtest_loop_to_the_last_bit() {
    let (models, data) = (Models::new(), dataset(6, BARS));
    let model = loaded(&models.model(2));
    // From midnight on, with the bars before it that features need: as one matrix over all of them.
    let midnight = (HISTORY..).find(|bar| (at(*bar).as_millis() / 3_600_000) % 24 == 0).unwrap();
    let spec = model.policy.spec();
    let begin = midnight - (spec.features.history_bars() + spec.lookback - 1);
    let bars = data.bars.slice(begin..midnight + 24);
    let rows = feature_matrix(&spec.features, &bars).unwrap().normalised(&spec.normaliser).unwrap();
    let present: Vec<bool> = (begin..midnight + 24).map(|bar| data.can_fill(bar)).collect();
    let mut session = TradingSession::new(config()).unwrap();
    let range = midnight - begin..bars.len();
    let record = continue_policy(&mut session, model.policy.as_ref(), &bars, &present, &rows, range).unwrap();
    let mut shadow = shadow_before(&data, midnight);
    shadow.add_challenger(model).unwrap();
    let played = play(&mut shadow, &data, midnight..midnight + 24);
    let equity: Vec<u64> = played.iter().map(|bar| bar[0].equity.to_bits()).collect();
    assert_eq!(equity, record.equity.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
    assert_eq!(shadow.checkpoint().ledgers[0].session, session.checkpoint());
    assert!(!record.fills.is_empty());
}

#[test]
fn a_refresh_goes_on_in_the_ledger_as_the_stream_of_the_arm_does() {
    let (models, data) = (Models::new(), dataset(7, BARS));
    let (old, new) = (models.model(2), models.model(4));
    let (first, swap) = (HISTORY + 20, HISTORY + 97);
    let mut shadow = shadow_before(&data, first);
    shadow.set_champion(loaded(&old), Succession::Takeover).unwrap();
    let mut played = play(&mut shadow, &data, first..swap);
    shadow.set_champion(loaded(&new), Succession::Refresh).unwrap();
    played.extend(play(&mut shadow, &data, swap..BARS));
    let before = stream(&old, &data, first..swap, None);
    let after = stream(&new, &data, swap..BARS, Some(&before.session));
    let expected = [stretch_bits(&before), stretch_bits(&after)].concat();
    assert_eq!(bits(played.iter().map(|bar| &bar[0])), expected);
    assert!(played.iter().all(|bar| bar.len() == 1 && bar[0].role == ShadowRole::Champion));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_shadow_that_is_put_away_between_any_bars_goes_on_to_the_same_bits(
        seed in 0..1_000_u64,
        cuts in prop::collection::btree_set(HISTORY + 1..BARS, 1..5),
    ) {
        let (models, data) = (Models::new(), dataset(seed, BARS));
        let all: Vec<_> = (1..=3).map(|number| loaded(&models.model(number))).collect();
        let mut whole = shadow_before(&data, HISTORY);
        whole.set_champion(all[0].clone(), Succession::Takeover).unwrap();
        whole.set_anchor(Some(all[1].clone())).unwrap();
        whole.add_challenger(all[2].clone()).unwrap();
        let mut cut = shadow_before(&data, HISTORY);
        cut.set_champion(all[0].clone(), Succession::Takeover).unwrap();
        cut.set_anchor(Some(all[1].clone())).unwrap();
        cut.add_challenger(all[2].clone()).unwrap();
        for bar in HISTORY..BARS {
            if cuts.contains(&bar) {
                let text = serde_json::to_string(&cut.checkpoint()).unwrap();
                let kept: Vec<_> = cut.history().copied().collect();
                let (again, left_out) = Shadow::resume(
                    config(), Timeframe::HOUR, HISTORY, &serde_json::from_str(&text).unwrap(), &all,
                ).unwrap();
                prop_assert!(left_out.is_empty());
                cut = again;
                kept.iter().for_each(|bar| cut.warm_up(bar));
            }
            let (expected, found) =
                (play(&mut whole, &data, bar..bar + 1), play(&mut cut, &data, bar..bar + 1));
            prop_assert_eq!(expected, found);
        }
        prop_assert_eq!(whole.checkpoint(), cut.checkpoint());
    }
}
