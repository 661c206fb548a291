//! The evidence for a person who waits.

use walkforward_core::{Horizon, StreamEvidence};
use walkforward_promoter::{Chance, EvidenceRules, Gap, Meter, TrialVariance, TrialsOf};

use crate::ledgers::{registered, stream};

fn meter(stream: &StreamEvidence) -> Meter {
    Meter::of(stream, &EvidenceRules::default()).unwrap()
}

fn chances(meter: &Meter, gap: Gap) -> Vec<Chance> {
    meter.outlooks.iter().find(|outlook| outlook.gap == gap).unwrap().chances.clone()
}

#[test]
fn chances_grow_with_time_with_the_gap_and_with_the_ease_of_the_grade() {
    let meter = meter(&stream(700, 0.0, 3));
    assert_eq!(meter.outlooks.len(), 4);
    for outlook in &meter.outlooks {
        let days: Vec<usize> = outlook.chances.iter().map(|chance| chance.within_days).collect();
        assert_eq!(days, [30, 90, 365]);
        for chance in &outlook.chances {
            assert!(chance.provisional >= chance.screened && Some(chance.screened) >= chance.qualified);
        }
        for pair in outlook.chances.windows(2) {
            assert!(pair[0].provisional <= pair[1].provisional && pair[0].qualified <= pair[1].qualified);
        }
    }
    let within_a_year = [0.0, 1.0, 2.0].map(|sharpe| chances(&meter, Gap::Sharpe(sharpe))[2]);
    assert!(within_a_year.windows(2).all(|pair| pair[0].screened < pair[1].screened), "{within_a_year:?}");
}

/// A walk with drift S over the horizon crosses b with probability Phi(S - b) + exp(2 S b) Phi(-b - S), here with
/// b = 2.4977 of one-sided 1.25 %; looks of a day miss a little.
#[test]
fn chances_before_the_first_look_are_those_of_a_walk() {
    let early = meter(&stream(0, 0.0, 1));
    assert!(early.outlooks.iter().all(|outlook| outlook.gap != Gap::Observed));
    for (sharpe, crossing) in [(0.0, 0.0125), (1.0, 0.1013), (2.0, 0.3843)] {
        let chance = chances(&early, Gap::Sharpe(sharpe))[2];
        assert!((chance.qualified.unwrap() - crossing).abs() < 0.04, "{sharpe}: {chance:?}");
    }
    // One look finds 20 % of arms without skill, and the looks of 16 days less than three independent ones.
    let first_month = chances(&early, Gap::Sharpe(0.0))[0];
    assert!((0.25..0.49).contains(&first_month.provisional), "{first_month:?}");
    assert!((0.01..0.08).contains(&first_month.screened), "{first_month:?}");
}

#[test]
fn days_that_have_gone_by_bring_the_first_look_nearer() {
    let within_a_month = |bars| chances(&meter(&stream(bars, 0.0, 1)), Gap::Sharpe(0.0))[0].provisional;
    assert!(within_a_month(0) < within_a_month(300));
}

#[test]
fn a_grade_that_is_reached_is_certain() {
    let screened = meter(&stream(2_016, 8.0, 1));
    let chance = chances(&screened, Gap::Sharpe(0.0))[0];
    assert_eq!((chance.provisional, chance.screened), (1.0, 1.0));
    assert!(chance.qualified < Some(1.0));
}

#[test]
fn a_test_that_is_over_leaves_no_chance() {
    let over = Horizon { bars: 400, ..registered(0) };
    let over = meter(&StreamEvidence { horizon: Some(over), ..stream(700, 0.0, 3) });
    assert_eq!(chances(&over, Gap::Sharpe(2.0))[2].qualified, Some(0.0));
    let mut fell = StreamEvidence { horizon: None, ..stream(700, 0.0, 3) };
    assert!(chances(&meter(&fell), Gap::Sharpe(2.0))[2].qualified > Some(0.0));
    fell.arm_return[5] = -0.3;
    assert_eq!(chances(&meter(&fell), Gap::Sharpe(2.0))[2].qualified, Some(0.0));
}

#[test]
fn the_error_that_is_spent_is_that_of_the_deciding_test() {
    let registered_test = meter(&stream(4_392, 0.0, 2)).error;
    assert!(registered_test.spent > 0.0 && registered_test.spent < registered_test.allowed);
    assert_eq!((registered_test.allowed, registered_test.of_the_line), (0.0125, 0.05));
    let e_process = meter(&StreamEvidence { horizon: None, ..stream(400, 0.0, 2) }).error;
    assert_eq!(e_process.spent, e_process.allowed);
    let fixed = StreamEvidence { horizon: None, anytime_level: Some(0.004), ..stream(400, 0.0, 2) };
    assert_eq!((meter(&fixed).error.allowed, meter(&fixed).error.spent), (0.004, 0.004));
    let nothing_yet = meter(&StreamEvidence { horizon: None, ..stream(10, 0.0, 2) }).error;
    assert_eq!(nothing_yet.spent, 0.0);
}

#[test]
fn more_trials_deflate_the_sharpe_ratio() {
    let record = |arms| meter(&StreamEvidence { arms: Some(arms), ..stream(2_016, 4.0, 1) }).track_record;
    let (one, many) = (record(1), record(40));
    assert_eq!(one.deflated_sharpe, one.probabilistic_sharpe);
    assert!(many.deflated_sharpe < one.deflated_sharpe && many.sharpe == one.sharpe);
    assert!(one.min_track_record_bars.unwrap() > 2.0);
    assert_eq!(meter(&stream(2_016, -8.0, 1)).track_record.min_track_record_bars, None);
}

#[test]
fn trials_that_differ_more_deflate_the_sharpe_ratio_more() {
    let record = |trial_sharpe_variance, trial_bars| {
        let trials = StreamEvidence { trial_sharpe_variance, trial_bars, ..stream(2_016, 4.0, 1) };
        meter(&StreamEvidence { arms: Some(40), ..trials }).track_record
    };
    let floor = 1.0 / 2_015.0;
    let (unknown, alike) = (record(None, Some(336)), record(Some(1e-9), Some(336)));
    assert_eq!((unknown, unknown.trial_sharpe_variance), (alike, Some(floor)));
    assert_eq!(unknown.variance_from, TrialVariance::WithoutSkill);
    // Ratios over a sixth of the bars vary six times as much.
    let apart = record(Some(24.0 * floor), Some(336));
    assert!((apart.trial_sharpe_variance.unwrap() - 4.0 * floor).abs() < 1e-12, "{apart:?}");
    assert_eq!(apart.variance_from, TrialVariance::HoldOuts);
    assert!(apart.deflated_sharpe < alike.deflated_sharpe, "{apart:?}");
    // Nobody knows over how many bars these were measured.
    assert_eq!(record(Some(24.0 * floor), None), unknown);
    let early = meter(&StreamEvidence { trial_sharpe_variance: Some(0.1), ..stream(100, 0.0, 1) });
    assert_eq!(early.track_record.trial_sharpe_variance, None);
}

#[test]
fn trials_are_arms_and_models_where_nobody_has_counted_those() {
    let record = |arms| meter(&StreamEvidence { trials: 56, arms, ..stream(2_016, 4.0, 1) }).track_record;
    let (counted, unknown) = (record(Some(3)), record(None));
    assert_eq!((counted.trials, counted.trials_of), (3, TrialsOf::Arms));
    assert_eq!((unknown.trials, unknown.trials_of), (56, TrialsOf::Models));
    assert!(unknown.deflated_sharpe < counted.deflated_sharpe);
}

#[test]
fn a_pair_without_a_live_bar_has_no_chance_of_qualified() {
    let replayed = |bars| meter(&StreamEvidence { replayed_bars: bars, ..stream(700, 3.0, 3) });
    let chances_of = |meter: &Meter| chances(meter, Gap::Sharpe(2.0))[2];
    let whole = replayed(700);
    assert_eq!((whole.live_bars, chances_of(&whole).qualified), (0, None));
    let last = replayed(699);
    assert_eq!(last.live_bars, 1);
    assert!(chances_of(&last).qualified > Some(0.0));
    assert_eq!(chances_of(&whole).screened, chances_of(&last).screened);
    // One that begins today is told of what its live bars may come to.
    assert!(chances_of(&meter(&stream(0, 0.0, 1))).qualified > Some(0.0));
}

#[test]
fn a_chance_waits_for_enough_decisions() {
    // A trade in 64 bars: ten of them take 27 days, twenty stretches 53.
    let mut rare = stream(336, 3.0, 3);
    rare.arm_position = (0..336).map(|bar| f64::from(u8::from(bar % 64 < 32))).collect();
    let slow = meter(&rare);
    let chances_of = |meter: &Meter| chances(meter, Gap::Sharpe(2.0));
    let [month, quarter, _] = chances_of(&slow)[..] else { panic!("three spans") };
    assert_eq!((month.provisional, month.screened, month.qualified), (0.0, 0.0, Some(0.0)));
    assert!(quarter.provisional > 0.0, "{quarter:?}");
    let busy = chances_of(&meter(&stream(336, 3.0, 3)));
    assert!(busy[0].provisional > 0.0 && busy[2].provisional >= quarter.provisional);
    rare.arm_position.fill(1.0);
    assert!(meter(&rare).outlooks.is_empty(), "it never closes a trade");
}

#[test]
fn an_arm_is_told_beside_the_asset_at_its_own_mean_exposure() {
    let rising = |gain: f64| StreamEvidence { asset_return: vec![gain; 2_100], ..stream(2_100, 3.0, 3) };
    let holding = meter(&rising(0.000_4)).holding.unwrap();
    // The window ends at the look after 2,088 bars, and the arm is long on half of it.
    assert_eq!(holding.mean_exposure, 0.5);
    assert!((holding.held - 0.5 * 2_016.0 * 0.000_4).abs() < 1e-12, "{holding:?}");
    let arm: f64 = stream(2_100, 3.0, 3).arm_return[72..2_088].iter().sum();
    assert!((holding.arm - arm).abs() < 1e-12);
    let words = "would have made 40 % before costs (this decides nothing)";
    assert!(holding.sentence.starts_with("over 84 days the arm made ") && holding.sentence.ends_with(words));
    assert!(holding.sentence.contains("held at the arm's mean exposure of 50 % on the same bars"));
    assert!(meter(&rising(-0.000_4)).holding.unwrap().sentence.contains("would have lost 40 %"));
    assert_eq!(meter(&stream(2_100, 3.0, 3)).holding, None);
    assert_eq!(meter(&StreamEvidence { asset_return: vec![0.0; 300], ..stream(300, 3.0, 3) }).holding, None);
}

#[test]
fn a_meter_is_the_same_whenever_it_is_asked() {
    let one = stream(700, 1.0, 3);
    let later = StreamEvidence { now: one.now.plus_millis(77), ..one.clone() };
    assert_eq!(meter(&one), meter(&later));
    let json = serde_json::to_string(&meter(&one)).unwrap();
    assert_eq!(serde_json::from_str::<Meter>(&json).unwrap(), meter(&one));
}

#[test]
fn alike_decisions_have_no_outlook() {
    let mut alike = stream(400, 0.0, 1);
    alike.reference_position = alike.arm_position.clone();
    assert!(meter(&alike).outlooks.is_empty());
}

#[test]
fn the_next_look_is_told_in_hours() {
    assert_eq!(meter(&stream(340, 0.0, 1)).next_look_in_hours, 20.0);
}
