//! What holds for every series of returns and every list of fills.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, StatFill, TradeSummary, returns_from_equity, round_trips,
};

const HOURS_PER_YEAR: f64 = 8_760.0;

/// Quantity in thousandths of the asset (signed), price, fee.
type RawFill = (i64, f64, f64);

fn raw_fills() -> impl Strategy<Value = Vec<RawFill>> {
    let quantity = prop_oneof![-3_000_i64..=-1, 1_i64..=3_000];
    prop::collection::vec((quantity, 1.0..1_000.0_f64, 0.0..2.0_f64), 0..40)
}

fn summary(fills: &[StatFill]) -> TradeSummary {
    TradeSummary::of(&round_trips(fills).unwrap())
}

fn stat_fill(index: usize, (thousandths, price, fee): RawFill) -> StatFill {
    StatFill::with_quote_fee(index as i64, thousandths * 1_000_000, price, fee).unwrap()
}

fn summary_of(raw: &[RawFill]) -> TradeSummary {
    summary(&fills_of(raw))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-7_f64.max(1e-9 * a.abs().max(b.abs()))
}

fn all_defined(s: &ReturnSummary) -> Vec<f64> {
    let fields = [
        s.total_return,
        s.cagr,
        s.mean,
        s.volatility,
        s.sharpe_per_period,
        s.sharpe,
        s.downside_deviation,
        s.sortino,
        s.max_drawdown,
        s.calmar,
        s.var_95,
        s.cvar_95,
        s.tail_ratio,
        s.win_rate,
        s.profit_factor,
        s.skew,
        s.kurtosis,
    ];
    fields.into_iter().flatten().collect()
}

/// Figures in quote currency or shares; ratios, whose error grows as their denominator shrinks, are left out.
fn amounts(s: &TradeSummary) -> Vec<Option<f64>> {
    let totals = [s.gross_pnl, s.total_fees_closed, s.net_pnl].map(Some);
    let means = [s.win_rate, s.pnl_per_trade, s.return_per_trade, s.avg_win, s.avg_loss, s.expectancy];
    [&totals[..], &means, &[s.largest_win, s.largest_loss]].concat()
}

fn counts(s: &TradeSummary) -> [usize; 7] {
    [s.n_trades, s.n_open, s.wins, s.losses, s.breakeven, s.max_consecutive_losses, s.max_consecutive_wins]
}

fn same_trades(a: &TradeSummary, b: &TradeSummary) -> bool {
    let same = |(a, b): (Option<f64>, Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => near(a, b),
        (a, b) => a == b,
    };
    counts(a) == counts(b) && amounts(a).into_iter().zip(amounts(b)).all(same)
}

fn fills_of(raw: &[RawFill]) -> Vec<StatFill> {
    raw.iter().enumerate().map(|(index, raw)| stat_fill(index, *raw)).collect()
}

proptest! {
    #[test]
    fn no_return_statistic_is_ever_nan_or_infinite(
        returns in prop::collection::vec(prop_oneof![-1.0..2.0_f64, Just(-1.0), Just(0.0), Just(1e200)], 0..60),
        per_year in 1.0..600_000.0_f64,
    ) {
        let summary = ReturnSummary::of(&ReturnSeries::new(&returns, per_year).unwrap());
        prop_assert!(all_defined(&summary).iter().all(|value| value.is_finite()), "{summary:?}");
        prop_assert!(summary.max_drawdown.is_none_or(|drawdown| (0.0..=1.0).contains(&drawdown)));
        prop_assert!(summary.max_drawdown_duration <= returns.len());
    }

    #[test]
    fn the_unit_of_the_equity_changes_no_statistic(
        equity in prop::collection::vec(1.0..1e6_f64, 1..60),
        doublings in 0..20_i32,
    ) {
        let scaled: Vec<f64> = equity.iter().map(|value| value * 2.0_f64.powi(doublings)).collect();
        let (plain, scaled) = (returns_from_equity(&equity).unwrap(), returns_from_equity(&scaled).unwrap());
        let summary = |returns: &[f64]| ReturnSummary::of(&ReturnSeries::new(returns, HOURS_PER_YEAR).unwrap());
        prop_assert_eq!(summary(&plain), summary(&scaled));
    }

    #[test]
    fn the_currency_of_the_equity_changes_no_statistic_but_for_rounding(
        equity in prop::collection::vec(1.0..1e4_f64, 3..60),
        rate in 1e-3..1e3_f64,
    ) {
        let other: Vec<f64> = equity.iter().map(|value| value * rate).collect();
        let (here, there) = (returns_from_equity(&equity).unwrap(), returns_from_equity(&other).unwrap());
        let summary = |returns: &[f64]| ReturnSummary::of(&ReturnSeries::new(returns, HOURS_PER_YEAR).unwrap());
        let (here, there) = (summary(&here), summary(&there));
        let pairs = [
            (here.total_return, there.total_return),
            (here.sharpe, there.sharpe),
            (here.volatility, there.volatility),
            (here.downside_deviation, there.downside_deviation),
            (here.max_drawdown, there.max_drawdown),
            (here.var_95, there.var_95),
            (here.cvar_95, there.cvar_95),
            (here.skew, there.skew),
            (here.kurtosis, there.kurtosis),
        ];
        for (here, there) in pairs {
            prop_assert!(here.zip(there).is_none_or(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(1.0)), "{here:?} {there:?}");
        }
    }

    #[test]
    fn a_fill_in_two_parts_is_the_same_trade(raw in raw_fills(), at in any::<prop::sample::Index>()) {
        prop_assume!(!raw.is_empty());
        let at = at.index(raw.len());
        let whole = summary_of(&raw);
        let (thousandths, price, fee) = raw[at];
        // Fills are in thousandths and parts in nanos, so the part that is cut off is never all of it.
        let cut = thousandths * 1_000_000 / 3;
        let share = cut as f64 / (thousandths * 1_000_000) as f64;
        let part = |quantity, share: f64| {
            StatFill::with_quote_fee(at as i64, quantity, price, fee * share).unwrap()
        };
        let mut fills = fills_of(&raw);
        fills.splice(at..=at, [part(cut, share), part(thousandths * 1_000_000 - cut, 1.0 - share)]);
        let split = summary(&fills);
        prop_assert!(same_trades(&whole, &split), "{whole:?}\n{split:?}");
    }

    #[test]
    fn which_fill_of_a_trade_bears_the_fee_does_not_matter(
        prices in prop::collection::vec(1.0..1_000.0_f64, 3),
        fees in prop::collection::vec(0.0..2.0_f64, 3),
    ) {
        let with = |fees: [f64; 3]| summary_of(&[
            (2_000, prices[0], fees[0]), (-500, prices[1], fees[1]), (-1_500, prices[2], fees[2]),
        ]);
        let given = with([fees[0], fees[1], fees[2]]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let moved = with(order.map(|fill| fees[fill]));
            prop_assert!(same_trades(&given, &moved), "{given:?}\n{moved:?}");
        }
    }

    #[test]
    fn wins_losses_and_breakevens_are_all_trades_and_profits_add_up(raw in raw_fills()) {
        let s = summary_of(&raw);
        prop_assert_eq!(s.wins + s.losses + s.breakeven, s.n_trades);
        prop_assert!(near(s.gross_pnl - s.total_fees_closed, s.net_pnl));
        prop_assert!(s.expectancy.zip(s.pnl_per_trade).is_none_or(|(a, b)| near(a, b)));
        prop_assert_eq!(s.win_rate.is_none(), s.n_trades == 0);
    }

    #[test]
    fn closed_trades_take_exactly_the_cash_that_moved(raw in raw_fills()) {
        let mut fills = fills_of(&raw);
        let held: i64 = fills.iter().map(StatFill::quantity_nanos).sum();
        if held != 0 {
            fills.push(StatFill::with_quote_fee(fills.len() as i64, -held, 50.0, 0.5).unwrap());
        }
        let cash: f64 = fills.iter().map(StatFill::cash_flow).sum();
        let s = summary(&fills);
        prop_assert_eq!(s.n_open, 0);
        prop_assert!(near(s.net_pnl, cash));
    }
}
