//! Ledgers and reports to judge.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use walkforward_core::{
    EvaluationReport, Evidence, Grade, Horizon, Metrics, Outcome, StreamEvidence, SuppliedBy, Timestamp,
    Verdict, Window,
};
use walkforward_promoter::{EvidenceGate, EvidenceRules, EvidenceSettings, Gate, MarketPace, Standing};

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Hourly deviation of a market of 60 % a year.
pub(crate) const DEVIATION: f64 = 0.006_4;
/// Bars of a hold-out.
const HOLDOUT: usize = 336;

pub(crate) fn hourly() -> MarketPace {
    MarketPace::new(24.0, 8_760.0).unwrap()
}

pub(crate) fn hour(hours: usize) -> Timestamp {
    "2024-01-01".parse::<Timestamp>().unwrap().plus_millis(hours as i64 * HOUR_MS)
}

/// Long for six hours, flat for six.
pub(crate) fn switching(bars: usize) -> Vec<f64> {
    (0..bars).map(|bar| ((bar / 6) % 2) as f64).collect()
}

/// Normal returns on the bars with a position; `sharpe` is annual.
pub(crate) fn earned(position: &[f64], sharpe: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Half of the bars earn, so that the mean is that of the Sharpe ratio of all bars.
    let mean = sharpe * DEVIATION * 2.0_f64.sqrt() / 8_760.0_f64.sqrt();
    let mut noise = || rng.sample::<f64, _>(StandardNormal);
    position.iter().map(|position| position * (mean + DEVIATION * noise())).collect()
}

/// An arm that switches against a flat reference; live from its first bar.
pub(crate) fn stream(bars: usize, sharpe: f64, seed: u64) -> StreamEvidence {
    let position = switching(bars);
    StreamEvidence {
        arm: "00c0ffee00c0ffee".parse().unwrap(),
        reference: "flat".to_owned(),
        bar_close: (1..=bars).map(hour).collect(),
        arm_return: earned(&position, sharpe, seed),
        reference_return: vec![0.0; bars],
        arm_position: position,
        reference_position: vec![0.0; bars],
        asset_return: Vec::new(),
        replayed_bars: 0,
        bars_per_day: 24.0,
        bars_per_year: 8_760.0,
        horizon: Some(registered(0)),
        is_champions: false,
        champion_grade: None,
        trials: 1,
        arms: None,
        trial_sharpe_variance: None,
        trial_bars: None,
        caution: None,
        quarantined_until: None,
        anytime_level: None,
        own_anchor: None,
        last_takeover_at: None,
        now: hour(bars),
    }
}

/// A test over a year that counts the bars after so many hours.
pub(crate) fn registered(after: usize) -> Horizon {
    Horizon { after: hour(after), bars: 8_760, alpha: 0.0125, broken: None, crossed_at: None }
}

/// A backtest over a hold-out with figures that no rail minds.
pub(crate) fn report(subject: &str) -> EvaluationReport {
    let position = switching(HOLDOUT);
    EvaluationReport {
        judged_span: Some(Window::new(hour(0), hour(HOLDOUT)).unwrap()),
        bar_close: (1..=HOLDOUT).map(hour).collect(),
        net_return: earned(&position, 0.0, 77),
        position,
        metrics: Metrics {
            total_return: Some(0.01),
            max_drawdown: Some(0.1),
            turnover: Some(0.1),
            trades: Some(12),
            win_rate: Some(0.5),
            pnl_per_trade: Some(0.001),
            ..Metrics::default()
        },
        ..EvaluationReport::without_figures(subject, SuppliedBy::Backtest)
    }
}

pub(crate) fn evidence(stream: StreamEvidence) -> Evidence {
    Evidence {
        candidate: report("candidate"),
        champion: None,
        baselines: Vec::new(),
        unseen_bars: HOLDOUT,
        holdout_bars: HOLDOUT,
        min_judged_bars: 250,
        stream: Some(stream),
    }
}

/// An arm with a lead that nobody calls luck, before a takeover.
pub(crate) fn takeover() -> Evidence {
    evidence(stream(2_016, 8.0, 1))
}

/// The bars of a hold-out on which candidate and serving snapshot of [`refresh`] differ.
pub(crate) fn differing_bars() -> impl Iterator<Item = usize> {
    (0..HOLDOUT).step_by(7)
}

/// A newer snapshot of a provisional champion's own arm; both decide alike but for 48 bars.
pub(crate) fn refresh() -> Evidence {
    let mut serving = report("serving");
    for bar in differing_bars() {
        serving.position[bar] = 1.0 - serving.position[bar];
        serving.net_return[bar] = 0.0;
    }
    Evidence {
        champion: Some(serving),
        ..evidence(StreamEvidence {
            is_champions: true,
            champion_grade: Some(Grade::Provisional),
            ..stream(2_016, 0.0, 2)
        })
    }
}

/// A refresh whose candidate holds the serving snapshot's position on the first `bars` of 336 alone, and earns the same.
pub(crate) fn agreeing(bars: usize) -> Evidence {
    change(refresh(), |evidence| {
        let serving = evidence.champion.as_mut().unwrap();
        serving.position.clone_from(&evidence.candidate.position);
        serving.net_return.clone_from(&evidence.candidate.net_return);
        serving.position[bars..].iter_mut().for_each(|position| *position = 1.0 - *position);
    })
}

pub(crate) fn change(mut evidence: Evidence, by: impl FnOnce(&mut Evidence)) -> Evidence {
    by(&mut evidence);
    evidence
}

pub(crate) fn change_stream(mut evidence: Evidence, by: impl FnOnce(&mut StreamEvidence)) -> Evidence {
    by(evidence.stream.as_mut().unwrap());
    evidence
}

pub(crate) fn rules(by: impl FnOnce(&mut EvidenceSettings)) -> EvidenceRules {
    let mut settings = EvidenceSettings::default();
    by(&mut settings);
    EvidenceRules::new(settings).unwrap()
}

pub(crate) fn standing(stream: &StreamEvidence) -> Standing {
    Standing::of(stream, &EvidenceRules::default()).unwrap()
}

pub(crate) fn assess(evidence: &Evidence) -> Verdict {
    EvidenceGate::default().assess(evidence)
}

/// Holds the default gate's answer against what is expected, and its sentence against words.
pub(crate) fn check(evidence: &Evidence, outcome: Outcome, reason: Option<&str>, words: &[&str]) {
    check_under(&EvidenceGate::default(), evidence, outcome, reason, words);
}

pub(crate) fn check_under(
    gate: &EvidenceGate,
    evidence: &Evidence,
    outcome: Outcome,
    reason: Option<&str>,
    words: &[&str],
) {
    let verdict = gate.assess(evidence);
    let found = (verdict.outcome, verdict.reason.as_deref());
    assert_eq!(found, (outcome, reason), "{}: {:#?}", verdict.sentence, verdict.checks);
    assert_eq!(verdict.preset, "evidence");
    for word in words {
        assert!(verdict.sentence.contains(word), "'{word}' is missing: {}", verdict.sentence);
    }
}
