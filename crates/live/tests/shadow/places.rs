//! Who is in the shadow, and that nobody is in another's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use walkforward_core::{Action, Observation, Policy, PolicyError, PolicySpec};
use walkforward_engine::SessionConfig;
use walkforward_live::{Answer, MAX_CHALLENGERS, Shadow, ShadowError, ShadowModel, ShadowRole, Succession};

use crate::worlds::{HISTORY, Models, bits, config, dataset, loaded, play, shadow_before};

const BARS: usize = 420;

/// A policy that falls silent when it is told to.
struct Moody {
    inner: Arc<dyn Policy>,
    is_silent: Arc<AtomicBool>,
}

impl Policy for Moody {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        match self.is_silent.load(Ordering::SeqCst) {
            true => Err(PolicyError::ObservationLength { expected: 1, actual: 0 }),
            false => self.inner.act(observation),
        }
    }

    fn spec(&self) -> &PolicySpec {
        self.inner.spec()
    }
}

#[test]
fn a_model_without_an_answer_holds_its_position_and_disturbs_nobody() {
    let (models, data) = (Models::new(), dataset(11, BARS));
    let (good, other) = (loaded(&models.model(2)), loaded(&models.model(3)));
    let is_silent = Arc::new(AtomicBool::new(false));
    let moody = Moody { inner: other.policy.clone(), is_silent: Arc::clone(&is_silent) };
    let moody = ShadowModel { policy: Arc::new(moody), ..other };
    let mut alone = shadow_before(&data, HISTORY);
    alone.set_champion(good.clone(), Succession::Takeover).unwrap();
    let mut both = shadow_before(&data, HISTORY);
    both.set_champion(good, Succession::Takeover).unwrap();
    both.add_challenger(moody).unwrap();
    let silent = HISTORY + 50..HISTORY + 90;
    let mut held = Vec::new();
    for bar in HISTORY..BARS {
        is_silent.store(silent.contains(&bar), Ordering::SeqCst);
        let expected = play(&mut alone, &data, bar..bar + 1).remove(0);
        let found = play(&mut both, &data, bar..bar + 1).remove(0);
        assert_eq!(bits(&found[..1]), bits(&expected));
        let expected = if silent.contains(&bar) { Answer::Missing } else { Answer::Given };
        assert_eq!((found[1].answer, found[1].problem.is_some()), (expected, silent.contains(&bar)));
        if silent.contains(&bar) {
            held.push(both.checkpoint().ledgers[1].session.position);
        }
    }
    // The order of the last answer fills on the first silent bar; then nothing happens.
    assert!(held.windows(2).all(|pair| pair[0] == pair[1]), "{held:?}");
}

#[test]
fn a_challenger_that_takes_over_brings_its_ledger_and_the_anchor_begins_flat() {
    let (models, data) = (Models::new(), dataset(12, BARS));
    let (old, new) = (loaded(&models.model(2)), loaded(&models.model(4)));
    let mut shadow = shadow_before(&data, HISTORY);
    shadow.set_champion(old.clone(), Succession::Takeover).unwrap();
    shadow.add_challenger(new.clone()).unwrap();
    let before = play(&mut shadow, &data, HISTORY..HISTORY + 100);
    shadow.set_champion(new.clone(), Succession::Takeover).unwrap();
    shadow.set_anchor(Some(old.clone())).unwrap();
    assert_eq!(shadow.challengers().count(), 0);
    let after = play(&mut shadow, &data, HISTORY + 100..BARS);
    let mut alone = shadow_before(&data, HISTORY);
    alone.add_challenger(new).unwrap();
    let expected = play(&mut alone, &data, HISTORY..BARS);
    let brought = before.iter().map(|bar| &bar[1]).chain(after.iter().map(|bar| &bar[0]));
    assert_eq!(bits(brought), bits(expected.iter().map(|bar| &bar[0])));
    let initial = SessionConfig::default().initial_cash;
    assert_eq!((after[0][1].role, after[0][1].equity), (ShadowRole::Anchor, initial));
    assert_eq!(shadow.last_of(ShadowRole::Anchor).unwrap().model_id, old.model_id);
    // The anchor stays through refreshes, and is not begun anew by being named again.
    let equity = shadow.last_of(ShadowRole::Anchor).unwrap().equity;
    shadow.set_champion(loaded(&models.model(6)), Succession::Refresh).unwrap();
    shadow.set_anchor(Some(old)).unwrap();
    assert_eq!(shadow.checkpoint().ledgers[1].session.equity, equity);
    shadow.set_anchor(None).unwrap();
    assert_eq!(shadow.checkpoint().ledgers.len(), 1);
}

#[test]
fn challengers_are_bounded_and_known_once() {
    let models = Models::new();
    let mut shadow = Shadow::new(config(), "1h".parse().unwrap(), HISTORY).unwrap();
    shadow.set_champion(loaded(&models.model(0)), Succession::Takeover).unwrap();
    for number in 1..=MAX_CHALLENGERS {
        shadow.add_challenger(loaded(&models.model(number))).unwrap();
    }
    let full = shadow.add_challenger(loaded(&models.model(99))).unwrap_err();
    assert!(matches!(full, ShadowError::Full(_)), "{full}");
    for known in [0, 3] {
        let error = shadow.add_challenger(loaded(&models.model(known))).unwrap_err();
        assert!(matches!(error, ShadowError::Known(_)), "{error}");
    }
    let third = loaded(&models.model(3)).model_id;
    assert!(shadow.remove_challenger(&third) && !shadow.remove_challenger(&third));
    assert_eq!(shadow.challengers().count(), MAX_CHALLENGERS - 1);
    shadow.add_challenger(loaded(&models.model(99))).unwrap();
}

#[test]
fn a_newer_snapshot_of_a_challenger_goes_on_in_its_ledger() {
    let (models, data) = (Models::new(), dataset(15, BARS));
    let [champion, old, new] = [1, 2, 4].map(|number| loaded(&models.model(number)));
    let mut shadow = shadow_before(&data, HISTORY);
    shadow.set_champion(champion.clone(), Succession::Takeover).unwrap();
    shadow.add_challenger(old.clone()).unwrap();
    let mut played = play(&mut shadow, &data, HISTORY..HISTORY + 80);
    shadow.renew_challenger(&old.model_id, new.clone()).unwrap();
    assert_eq!(shadow.challengers().collect::<Vec<_>>(), [&new.model_id]);
    played.extend(play(&mut shadow, &data, HISTORY + 80..BARS - 1));
    // As a refresh of a champion, which the gates' stream is held against.
    let mut alone = shadow_before(&data, HISTORY);
    alone.set_champion(old.clone(), Succession::Takeover).unwrap();
    let mut expected = play(&mut alone, &data, HISTORY..HISTORY + 80);
    alone.set_champion(new.clone(), Succession::Refresh).unwrap();
    expected.extend(play(&mut alone, &data, HISTORY + 80..BARS - 1));
    assert_eq!(bits(played.iter().map(|bar| &bar[1])), bits(expected.iter().map(|bar| &bar[0])));
    // One that is there stays as it is; one of a name that is not there comes in.
    let known = shadow.renew_challenger(&new.model_id, champion).unwrap_err();
    assert!(matches!(known, ShadowError::Known(_)), "{known}");
    shadow.renew_challenger(&new.model_id, old).unwrap();
    shadow.remove_champion();
    assert!(play(&mut shadow, &data, BARS - 1..BARS)[0].iter().all(|bar| bar.role == ShadowRole::Challenger));
}

#[test]
fn a_model_that_can_not_decide_on_these_bars_is_refused_and_nothing_changes() {
    let models = Models::new();
    let model = loaded(&models.model(3));
    let refused = |config, timeframe: &str, history| {
        let mut shadow = Shadow::new(config, timeframe.parse().unwrap(), history).unwrap();
        let error = shadow.add_challenger(model.clone()).unwrap_err();
        assert!(shadow.set_champion(model.clone(), Succession::Refresh).is_err());
        assert!(shadow.set_anchor(Some(model.clone())).is_err());
        assert!(shadow.checkpoint().ledgers.is_empty());
        error
    };
    assert!(matches!(refused(config(), "5m", HISTORY), ShadowError::Timeframe { .. }));
    assert!(matches!(refused(config(), "1h", 10), ShadowError::History { kept: 10, .. }));
    // It may be short, and this market does not sell short.
    assert!(matches!(refused(SessionConfig::default(), "1h", HISTORY), ShadowError::Engine(_)));
}

#[test]
fn a_ledger_whose_model_is_gone_is_left_out_and_named() {
    let (models, data) = (Models::new(), dataset(13, BARS));
    let (kept, gone) = (loaded(&models.model(2)), loaded(&models.model(3)));
    let mut shadow = shadow_before(&data, HISTORY);
    shadow.set_champion(kept.clone(), Succession::Takeover).unwrap();
    shadow.add_challenger(gone.clone()).unwrap();
    play(&mut shadow, &data, HISTORY..HISTORY + 40);
    let checkpoint = shadow.checkpoint();
    let hour = "1h".parse().unwrap();
    // A model of the same name with other weights is another one.
    let other = ShadowModel { sha256: "00".repeat(32), ..gone.clone() };
    let (shadow, left_out) =
        Shadow::resume(config(), hour, HISTORY, &checkpoint, &[kept.clone(), other]).unwrap();
    assert_eq!((left_out, shadow.checkpoint().ledgers.len()), (vec![gone.model_id], 1));
    let mut torn = checkpoint;
    torn.ledgers[0].session.equity = f64::NAN;
    assert!(Shadow::resume(config(), hour, HISTORY, &torn, &[kept]).is_err());
}

#[test]
fn too_little_history_is_a_warm_up_and_no_missing_answer() {
    let (models, data) = (Models::new(), dataset(14, BARS));
    let mut shadow = shadow_before(&data, 2);
    shadow.add_challenger(loaded(&models.model(2))).unwrap();
    let played = play(&mut shadow, &data, 2..BARS);
    let asked: Vec<bool> = played.iter().map(|bar| bar[0].answer == Answer::Given).collect();
    assert!(asked.is_sorted() && !asked[0] && asked[HISTORY], "{asked:?}");
    assert!(played.iter().all(|bar| bar[0].problem.is_none()));
}
