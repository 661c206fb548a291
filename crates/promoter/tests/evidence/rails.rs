//! Bounds that hold whatever the evidence says.

use walkforward_core::{EvaluationReport, Evidence, Metrics, Outcome};
use walkforward_promoter::{EvidenceGate, ExplicitRails};

use crate::ledgers::{change, change_stream, check, check_under, hour, report, takeover};

const RAILS: Option<&str> = Some("rails");

fn with(by: impl FnOnce(&mut Metrics)) -> Evidence {
    change(takeover(), |evidence| by(&mut evidence.candidate.metrics))
}

fn beside(evidence: Evidence, holding_drawdown: f64) -> Evidence {
    change(evidence, |evidence| {
        let metrics = Metrics { max_drawdown: Some(holding_drawdown), ..Metrics::default() };
        evidence.baselines = vec![report("flat"), EvaluationReport { metrics, ..report("buy_and_hold") }];
    })
}

fn explicit(rails: ExplicitRails) -> EvidenceGate {
    EvidenceGate { explicit: rails.checked().unwrap(), ..EvidenceGate::default() }
}

#[test]
fn an_undefined_figure_passes_no_rail() {
    let words = ["turnover undefined"];
    check(&with(|metrics| metrics.turnover = None), Outcome::Reject, RAILS, &words);
    check(
        &with(|metrics| metrics.max_drawdown = Some(f64::NAN)),
        Outcome::Reject,
        RAILS,
        &["maxDrawdown undefined"],
    );
    check(&with(|metrics| metrics.total_return = None), Outcome::Reject, RAILS, &["totalReturn undefined"]);
    check(&with(|metrics| metrics.win_rate = None), Outcome::Promote, None, &[]);
}

#[test]
fn a_drawdown_is_bounded_by_a_figure_or_by_what_holding_fell_by() {
    let fell = |drawdown: f64| with(|metrics| metrics.max_drawdown = Some(drawdown));
    check(&fell(0.2), Outcome::Promote, None, &[]);
    check(&fell(0.2_f64.next_up()), Outcome::Reject, RAILS, &["maxDrawdown", "is above 0.2"]);
    check(&beside(fell(0.3), 0.4), Outcome::Promote, None, &[]);
    let words = ["is above 0.3, 75 % of what holding the asset fell by"];
    check(&beside(fell(0.300_1), 0.4), Outcome::Reject, RAILS, &words);
    check(&beside(fell(0.2), 0.1), Outcome::Promote, None, &[]);
    let other_bars = change(beside(fell(0.3), 0.4), |evidence| {
        let span = walkforward_core::Window::new(hour(0), hour(10)).unwrap();
        evidence.baselines[1].judged_span = Some(span);
    });
    check(&other_bars, Outcome::Reject, RAILS, &["is above 0.2"]);
}

#[test]
fn turnover_is_bounded_by_the_day() {
    check(&with(|metrics| metrics.turnover = Some(0.25)), Outcome::Promote, None, &[]);
    check(
        &with(|metrics| metrics.turnover = Some(0.26)),
        Outcome::Reject,
        RAILS,
        &["turnoverPerDay 6.24 is above 6"],
    );
}

#[test]
fn too_few_trades_or_stretches_of_the_stream_wait_and_never_reject() {
    // Each trade is a stretch against a flat reference: six bars every twelve.
    let trading = |bars: usize| change_stream(takeover(), |stream| stream.arm_position[bars..].fill(0.0));
    check(&trading(20 * 12), Outcome::Promote, None, &[]);
    let few = [
        "19 separate stretches on which the arm and its reference differ are too few to judge by, 20 are needed",
    ];
    check(&trading(19 * 12), Outcome::Inconclusive, RAILS, &few);
    let words = ["9 closed trades of the arm are too few to judge by, 10 are needed"];
    check(&trading(9 * 12), Outcome::Inconclusive, RAILS, &words);
}

#[test]
fn bounds_that_were_set_are_rails() {
    let at = |win_rate: f64| with(|metrics| metrics.win_rate = Some(win_rate));
    let win_rate = explicit(ExplicitRails { min_win_rate: Some(0.55), ..ExplicitRails::default() });
    check_under(&win_rate, &at(0.55), Outcome::Promote, None, &[]);
    check_under(&win_rate, &at(0.549), Outcome::Reject, RAILS, &["winRate 0.549 is below 0.55"]);
    check(&at(0.0), Outcome::Promote, None, &[]);

    let pnl = explicit(ExplicitRails { min_pnl_per_trade: Some(0.0), ..ExplicitRails::default() });
    check_under(&pnl, &with(|metrics| metrics.pnl_per_trade = Some(0.0)), Outcome::Promote, None, &[]);
    check_under(
        &pnl,
        &with(|metrics| metrics.pnl_per_trade = Some(-1e-9)),
        Outcome::Reject,
        RAILS,
        &["pnlPerTrade"],
    );

    let drawdown = explicit(ExplicitRails { max_drawdown: Some(0.35), ..ExplicitRails::default() });
    let fell = |by: f64| with(|metrics| metrics.max_drawdown = Some(by));
    check_under(&drawdown, &fell(0.35), Outcome::Promote, None, &[]);
    check_under(&drawdown, &beside(fell(0.36), 0.9), Outcome::Reject, RAILS, &["is above 0.35"]);
}

#[test]
fn a_rail_on_trades_waits_for_enough_of_them() {
    let win_rate = explicit(ExplicitRails { min_win_rate: Some(0.55), ..ExplicitRails::default() });
    let few = |trades: u64| {
        with(|metrics| (metrics.trades, metrics.win_rate) = (Some(trades), (trades > 0).then_some(0.1)))
    };
    check_under(&win_rate, &few(10), Outcome::Reject, RAILS, &[]);
    check_under(
        &win_rate,
        &few(9),
        Outcome::Inconclusive,
        RAILS,
        &[
            "9 trades on the hold-out can't confirm: 10 are needed, and a longer hold-out has more (--holdout-bars)",
        ],
    );
    check_under(&win_rate, &few(0), Outcome::Inconclusive, RAILS, &["winRate is undefined"]);
}

#[test]
fn bounds_that_are_none_are_refused_by_name() {
    let refused = |rails: ExplicitRails| rails.checked().unwrap_err().to_string();
    let win_rate = ExplicitRails { min_win_rate: Some(1.1), ..ExplicitRails::default() };
    assert!(refused(win_rate).starts_with("min_win_rate is 1.1"));
    let pnl = ExplicitRails { min_pnl_per_trade: Some(f64::NAN), ..ExplicitRails::default() };
    assert!(refused(pnl).starts_with("min_pnl_per_trade is NaN"));
}
