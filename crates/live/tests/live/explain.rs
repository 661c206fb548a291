//! Why a bar was decided as it was: a model whose normaliser and weights are known by heart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use walkforward_core::{Action, ModelId, ModelRef, RunId, Timestamp};
use walkforward_live::{
    BarChoice, Explanation, Followed, HeldBack, JournalBounds, LimitCheck, LiveError, Relation, Weights,
    explain,
};

use crate::common::{
    Champion, Counted, EventfulFeed, LOOKBACK, ListFeed, Walk, Workplace, at, features, spec, walk,
};

/// A model that is long with the probability `1 / (1 + exp(-inclination))` whatever it sees, and found the first column very
/// narrow, and far away, in training.
fn known_model(place: &Workplace, number: usize, inclination: f32) -> ModelRef {
    let mut spec = spec(features());
    (spec.normaliser.mean[0], spec.normaliser.std[0]) = (1.0, 0.000_1);
    let id = ModelId::of_run(&RunId::at(at(number)));
    let dir = place.models_dir().join(id.as_str());
    std::fs::create_dir_all(&dir).unwrap();
    let inputs = spec.obs_dim();
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![2, inputs], vec![0.0; 2 * inputs])),
        ("actor.0.bias".to_owned(), (vec![2], vec![0.0, inclination])),
    ]);
    let sha256 = walkforward_policy::write_bundle(&dir, &spec, &tensors, None).unwrap().sha256;
    ModelRef { id, dir, sha256, lineage_until: spec.used_until }
}

fn explained(place: &Workplace, choice: &str) -> Explanation {
    explain(&place.journal(), &place.models_dir(), choice.parse().unwrap()).unwrap()
}

fn limit<'a>(explanation: &'a Explanation, name: &str) -> &'a LimitCheck {
    explanation.limits.iter().find(|limit| limit.name == name).unwrap()
}

#[tokio::test]
async fn features_are_measured_against_their_training_and_probabilities_are_those_of_the_outputs() {
    let place = Workplace::new();
    let model = known_model(&place, 1, 0.75);
    let bars = walk(3, 40);
    place.trade(ListFeed::of(bars.iter()), Champion::of(&model)).await.unwrap();
    let last = explained(&place, "last");
    assert_eq!((last.record.open_time, last.difference.as_deref()), (at(39), None));
    assert!(last.record.observation.is_none(), "what it saw is told column by column");
    // The last hour's return in tenths, bent to lie between -1 and 1; in training it was 1, give or take 0.0001.
    let one_hour = bars.bar(39).close() / bars.bar(38).close() - 1.0;
    let farthest = &last.features[0];
    assert_eq!(farthest.column, "ret_1");
    assert!((farthest.value - (10.0 * one_hour).tanh()).abs() < 1e-6, "{farthest:?} {one_hour}");
    assert!((farthest.z - (farthest.value - 1.0) / 0.000_1).abs() < 0.1, "{farthest:?}");
    assert_eq!((farthest.z < -100.0, farthest.seen), (true, -5.0), "cut at the bound: {farthest:?}");
    for feature in &last.features[1..] {
        assert!((feature.z - (feature.value - 0.05) / 0.7).abs() < 1e-5, "{feature:?}");
        assert!((feature.seen - feature.z.clamp(-5.0, 5.0)).abs() < 1e-5, "{feature:?}");
    }
    let distances: Vec<f64> = last.features.iter().map(|feature| feature.z.abs()).collect();
    assert!(distances.is_sorted_by(|a, b| a >= b), "{distances:?}");
    let answer = last.model.unwrap();
    assert_eq!((answer.action, answer.word.as_deref()), (Some(Action(1)), Some("long")));
    let long = 1.0 / (1.0 + (-0.75_f64).exp());
    let probabilities: Vec<f64> = answer.probabilities.iter().map(|it| it.probability.unwrap()).collect();
    assert!((probabilities[0] - (1.0 - long)).abs() < 1e-7 && (probabilities[1] - long).abs() < 1e-7);
}

#[tokio::test]
async fn each_limit_says_where_the_session_stood_and_which_of_them_held() {
    let place = Workplace::new();
    let model = known_model(&place, 1, 1.0);
    let mut options = place.options();
    options.limits.max_position = 0.4;
    options.limits.max_drawdown = Some(0.9);
    options.limits.max_orders_per_hour = Some(7);
    let feed = ListFeed::of(walk(3, 12).iter());
    place.trader(options, feed, Box::new(Champion::of(&model))).run().await.unwrap();
    let bars = place.bars();
    let first = bars.iter().find(|bar| bar.order.is_some()).unwrap();
    let explanation = explained(&place, &first.open_time.to_string());
    let position = limit(&explanation, "position");
    assert_eq!((position.value, position.limit, position.held_back), (Some(1.0), Some(0.4), true));
    assert_eq!(explanation.record.held_back, Some(HeldBack::Position));
    let answer = explanation.model.as_ref().unwrap();
    assert_eq!(
        (answer.wanted, answer.admitted),
        (Some(Followed::Fraction(1.0)), Some(Followed::Fraction(0.4)))
    );
    assert_eq!(answer.order, first.order);
    let rate = limit(&explanation, "order_rate");
    assert_eq!(
        (rate.value, rate.limit, rate.held_back),
        (Some(0.0), Some(7.0), false),
        "its own order comes after"
    );
    assert_eq!(limit(&explanation, "drawdown").limit, Some(0.9));
    assert_eq!(
        (limit(&explanation, "notional").limit, limit(&explanation, "daily_loss").limit),
        (None, None)
    );
    // What it came to stands on the next bar.
    let next = bars.iter().find(|bar| bar.open_time > first.open_time).unwrap();
    assert_eq!((explanation.fills.len(), &explanation.fills), (1, &next.fills));
    assert!(explanation.orders.is_empty(), "on paper there is no venue");
}

/// Forty bars in small segments; the champion moves from one model to another before bar 20.
async fn swapped(place: &Workplace, from: &ModelRef, to: &ModelRef) {
    let champion = Champion::of(from);
    let (moved, to) = (champion.clone(), to.clone());
    let event = Box::new(move || *moved.0.lock().unwrap() = Some(to.clone()));
    let looks = Arc::new(AtomicU64::new(0));
    let feed =
        EventfulFeed { walk: Walk::new(4), bars: 40, events: vec![(20, event)], looks: Arc::clone(&looks) };
    let mut options = place.options();
    options.bounds = JournalBounds { segment_bytes: 4_096, keep_segments: 100 };
    place.trader(options, Box::new(feed), Box::new(Counted(champion, looks))).run().await.unwrap();
}

#[tokio::test]
async fn every_bar_comes_out_as_it_was_journalled_wherever_a_segment_ends() {
    let place = Workplace::new();
    let (from, to) = (place.model(1), place.model(2));
    swapped(&place, &from, &to).await;
    assert!(place.headers().len() > 3);
    for (index, bar) in place.bars().iter().enumerate() {
        let explanation = explained(&place, &bar.open_time.to_string());
        assert_eq!(explanation.difference, None, "bar {index}");
        assert_eq!(explanation.record.open_time, bar.open_time);
        let counted = explained(&place, &format!("-{}", 40 - index));
        assert_eq!(counted.record, explanation.record);
        let previous = explanation.previous.map(|it| (it.relation, it.answer.model_id));
        let expected = (index >= 20).then(|| (Relation::TradedBefore, from.id.clone()));
        assert_eq!(previous, expected, "bar {index}");
        assert_eq!(explanation.features.is_empty(), index < 4 + LOOKBACK, "bar {index}");
    }
}

#[tokio::test]
async fn the_model_before_is_asked_about_the_same_bar_as_long_as_its_weights_are_there() {
    let place = Workplace::new();
    let (from, to) = (known_model(&place, 1, -1.0), known_model(&place, 2, 1.0));
    swapped(&place, &from, &to).await;
    let explanation = explained(&place, "-5");
    let previous = explanation.previous.unwrap();
    assert_eq!((previous.agrees, previous.answer.word.as_deref()), (Some(false), Some("flat")));
    assert_eq!(previous.answer.weights, Weights::Loaded);
    std::fs::remove_file(from.dir.join(walkforward_policy::WEIGHTS_FILE)).unwrap();
    let previous = explained(&place, "-5").previous.unwrap();
    assert_eq!((previous.answer.weights, previous.agrees), (Weights::Gone, None));
    std::fs::write(to.dir.join(walkforward_policy::WEIGHTS_FILE), "torn").unwrap();
    let answer = explained(&place, "-5").model.unwrap();
    assert!(matches!(answer.weights, Weights::Unusable { .. }));
    assert_eq!(answer.action, Some(Action(1)), "the journal still says what it did");
}

#[tokio::test]
async fn a_bar_that_is_not_there_is_refused_by_name() {
    let place = Workplace::new();
    let model = place.model(1);
    place.trade(ListFeed::of(walk(3, 12).iter()), Champion::of(&model)).await.unwrap();
    let refused = |choice: BarChoice| match explain(&place.journal(), &place.models_dir(), choice) {
        Err(error @ LiveError::NoBar { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(BarChoice::OpenTime(at(12))).contains("has no bar that begins at 2023-"));
    assert!(refused(BarChoice::OpenTime(Timestamp::EPOCH)).contains("has no bar"));
    assert!(refused(BarChoice::FromEnd(13)).contains("bar -13 in its newest session"));
}
