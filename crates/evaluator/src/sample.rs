//! What a model came to on the bars that it may have learned from, beside those that it has not seen.

use std::ops::Range;

use walkforward_core::{BarSeries, EvaluationReport, EvaluationWarning, Metrics, SampleFigures, Window};
use walkforward_engine::SessionRecord;

/// Name of the warning that the reward rises where the net profit falls.
pub const REWARD_UP_PNL_DOWN: &str = "reward_up_pnl_down";
/// Name of the warning that the profit is that of a single trade.
pub const ONE_TRADE_DECIDES: &str = "one_trade_decides";
/// Name of the warning that the trades earn and the account loses.
pub const OPEN_LOSS_LEFT_OUT: &str = "open_loss_left_out";
/// Name of the warning that orders came to nothing on bars that could fill them.
pub const ORDERS_CAME_TO_NOTHING: &str = "orders_came_to_nothing";
/// Name of the warning that the bars before the hold-out could not be measured.
pub const NO_IN_SAMPLE: &str = "no_in_sample";

/// The figures of `record`, a session over the bars with indices in `range`.
pub(crate) fn figures(
    record: &SessionRecord,
    metrics: &Metrics,
    bars: &BarSeries,
    range: Range<usize>,
    initial_cash: f64,
) -> Option<SampleFigures> {
    let ends = (bars.open_times().get(range.start)?, record.bar_close.last()?);
    Some(SampleFigures {
        span: Window::new(*ends.0, *ends.1).ok()?,
        bars: range.len() as u64,
        reward: reward(&record.position, bars.closes().get(range)?),
        net_pnl_quote: record.equity.last()? - initial_cash,
        total_return: metrics.total_return,
        sharpe: metrics.sharpe,
        trades: metrics.trades.unwrap_or(0),
    })
}

/// The warning that the bars before the hold-out could not be measured.
pub(crate) fn no_in_sample(problem: String) -> EvaluationWarning {
    let sentence = format!("the bars before the hold-out could not be measured: {problem}");
    EvaluationWarning { name: NO_IN_SAMPLE.to_owned(), sentence }
}

/// Sum of position x price change from close to close; the first bar has none before it.
fn reward(position: &[f64], closes: &[f64]) -> f64 {
    let changes = closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0);
    position.iter().skip(1).zip(changes).fold(0.0, |sum, (position, change)| sum + position * change)
}

/// What a reader of `report` has to know.
pub(crate) fn warnings(report: &EvaluationReport) -> Vec<EvaluationWarning> {
    let (inside, outside) = (report.in_sample.as_ref(), report.out_of_sample.as_ref());
    let named = [("before the hold-out", inside), ("on the judged bars", outside)];
    let mut found: Vec<_> = named
        .into_iter()
        .filter_map(|(place, figures)| Some((place, figures?)))
        .filter(|(_, figures)| figures.reward > 0.0 && figures.net_pnl_quote < 0.0)
        .map(|(place, figures)| unpaid(place, figures))
        .collect();
    found.extend(inside.zip(outside).and_then(|(inside, outside)| apart(inside, outside)));
    found.extend(one_trade(report));
    found.extend(open_loss(report));
    found
}

/// Closed trades that earn beside an account that loses: the loss is in a position that is still open.
fn open_loss(report: &EvaluationReport) -> Option<EvaluationWarning> {
    let (trades, pnl) = (report.trades.len(), report.out_of_sample.as_ref()?.net_pnl_quote);
    let earned: f64 = report.trades.iter().map(|trade| trade.pnl).sum();
    if !(earned > 0.0 && pnl < 0.0) {
        return None;
    }
    let sentence = format!(
        "its {trades} closed trades made {earned:.2} and its account lost {:.2}: the loss is in the position that is \
         open at the end, which no figure of trades counts",
        -pnl
    );
    Some(EvaluationWarning { name: OPEN_LOSS_LEFT_OUT.to_owned(), sentence })
}

/// Orders of a session that came to nothing although the bar could fill them: `unfillable` bars of it could not.
pub(crate) fn lapsed(record: &SessionRecord, unfillable: usize) -> Option<EvaluationWarning> {
    let lapsed = record.lapsed_orders.checked_sub(unfillable).filter(|&orders| orders > 0)?;
    let sentence = format!(
        "at least {lapsed} of its orders came to nothing: their amounts are smaller or larger than a quantity can be, \
         at these prices and this cash"
    );
    Some(EvaluationWarning { name: ORDERS_CAME_TO_NOTHING.to_owned(), sentence })
}

fn unpaid(place: &str, figures: &SampleFigures) -> EvaluationWarning {
    let (reward, pnl) = (figures.reward, figures.net_pnl_quote);
    let sentence = format!(
        "{place} its reward rises by {reward:.4} while its net profit falls by {:.2}: costs and fills take more than \
         its decisions earn",
        -pnl
    );
    EvaluationWarning { name: REWARD_UP_PNL_DOWN.to_owned(), sentence }
}

/// A reward for each bar that is higher on the judged bars than before, beside a growth of the account that is lower.
/// The growth is logarithmic: over a longer span an account that grows earns more money with each bar.
fn apart(inside: &SampleFigures, outside: &SampleFigures) -> Option<EvaluationWarning> {
    let each = |figures: &SampleFigures, sum: f64| sum / figures.bars as f64;
    let reward = [inside, outside].map(|figures| each(figures, figures.reward));
    let growth = |figures: &SampleFigures| Some(each(figures, figures.total_return?.ln_1p()));
    let growth = [growth(inside)?, growth(outside)?];
    if !(reward[1] > reward[0] && growth[1] < growth[0]) {
        return None;
    }
    let bps = 1e4;
    let sentence = format!(
        "from the bars before the hold-out to the judged ones its reward a bar rises from {:.2} to {:.2} bps while the \
         growth of its account a bar falls from {:.2} to {:.2} bps",
        reward[0] * bps,
        reward[1] * bps,
        growth[0] * bps,
        growth[1] * bps
    );
    Some(EvaluationWarning { name: REWARD_UP_PNL_DOWN.to_owned(), sentence })
}

/// Trades that would lose together without the best of them.
fn one_trade(report: &EvaluationReport) -> Option<EvaluationWarning> {
    let total: f64 = report.trades.iter().map(|trade| trade.pnl).sum();
    let best = report.trades.iter().map(|trade| trade.pnl).reduce(f64::max)?;
    if total <= 0.0 || total - best > 0.0 {
        return None;
    }
    let (trades, rest) = (report.trades.len(), total - best);
    let sentence = match trades {
        1 => format!("its profit is that of its only trade, {best:.2}"),
        _ => format!("its best trade made {best:.2}, the other {} came to {rest:.2} together", trades - 1),
    };
    Some(EvaluationWarning { name: ONE_TRADE_DECIDES.to_owned(), sentence })
}

#[cfg(test)]
mod tests {
    use walkforward_core::{SuppliedBy, Timestamp, TradeRecord};

    use super::*;

    fn sample(bars: u64, reward: f64, net_pnl_quote: f64) -> SampleFigures {
        let span = Window::new("2024-01-01".parse().unwrap(), "2024-01-02".parse().unwrap()).unwrap();
        let total_return = Some(net_pnl_quote / 100.0);
        SampleFigures { span, bars, reward, net_pnl_quote, total_return, sharpe: None, trades: 1 }
    }

    fn warned(inside: SampleFigures, outside: SampleFigures, sentences: &[&str]) {
        let report = EvaluationReport {
            in_sample: Some(inside),
            out_of_sample: Some(outside),
            ..EvaluationReport::without_figures("model", SuppliedBy::Backtest)
        };
        let found = warnings(&report);
        assert_eq!(found.len(), sentences.len(), "{found:?}");
        for (warning, sentence) in found.iter().zip(sentences) {
            assert_eq!(warning.name, REWARD_UP_PNL_DOWN);
            assert!(warning.sentence.contains(sentence), "{warning:?}");
        }
    }

    #[test]
    fn a_reward_that_rises_while_the_profit_falls_is_named() {
        warned(sample(9, 0.1, 5.0), sample(9, 0.1, 5.0), &[]);
        warned(
            sample(9, 0.1, 5.0),
            sample(9, 0.05, -2.5),
            &["on the judged bars its reward rises by 0.0500"],
        );
        warned(sample(9, 0.1, -5.0), sample(9, -0.1, -5.0), &["before the hold-out"]);
        warned(sample(9, 0.1, 5.0), sample(9, 0.2, 4.0), &["falls from 54.21 to 43.58 bps"]);
        // As good a bar over a longer span earns more money each.
        warned(sample(90, 0.9, 62.889_462_677_744_14), sample(9, 0.1, 5.0), &[]);
        warned(sample(9, 0.1, 5.0), sample(3, 0.02, 1.0), &[]);
    }

    #[test]
    fn a_loss_in_the_open_position_beside_trades_that_earn_is_named() {
        let time = Timestamp::EPOCH;
        let trade = |pnl| TradeRecord {
            opened_at: time,
            closed_at: time,
            entry_notional: 1_000.0,
            pnl,
            return_on_entry: pnl / 1_000.0,
        };
        let named = |pnl: f64| {
            let report = EvaluationReport {
                out_of_sample: Some(sample(9, 0.0, pnl)),
                trades: vec![trade(60.0), trade(40.0)],
                ..EvaluationReport::without_figures("model", SuppliedBy::Backtest)
            };
            warnings(&report)
        };
        assert_eq!(named(80.0), vec![]);
        let found = named(-360.0);
        assert_eq!(found[0].name, OPEN_LOSS_LEFT_OUT);
        assert!(found[0].sentence.contains("made 100.00 and its account lost 360.00"), "{found:?}");
    }

    #[test]
    fn orders_that_came_to_nothing_are_named_unless_their_bars_could_not_fill() {
        let record = SessionRecord { lapsed_orders: 3, ..SessionRecord::default() };
        assert_eq!(lapsed(&record, 3), None);
        assert_eq!(lapsed(&record, 1).unwrap().name, ORDERS_CAME_TO_NOTHING);
    }

    #[test]
    fn the_reward_is_the_position_times_the_price_change() {
        assert_eq!(reward(&[9.0, 1.0, -0.5], &[1.0, 2.0, 3.0]), 1.0 - 0.25);
        assert_eq!(reward(&[1.0], &[1.0]), 0.0);
    }
}
