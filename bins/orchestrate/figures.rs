//! What was measured, side by side.

use walkforward_core::{ActionMap, Metrics, SampleFigures, Window, named_shares};
use walkforward_report::{annualised, growth_bps};

use crate::table::{Align, Table};

const BASIS_POINTS: f64 = 10_000.0;

type Figure = (&'static str, fn(&Metrics) -> Option<f64>, fn(f64) -> String);

/// The figures that a person compares, in reading order.
const FIGURES: &[Figure] = &[
    ("total return", |m| m.total_return, percent),
    ("max drawdown", |m| m.max_drawdown, percent),
    ("closed trades", |m| m.trades.map(|trades| trades as f64), whole),
    ("win rate", |m| m.win_rate, percent),
    ("return per trade", |m| m.pnl_per_trade, percent),
    ("time in the market", |m| m.exposure, percent),
    ("fees, quote currency", |m| m.fees_quote, plain),
    (SHARPE, |m| m.sharpe, plain),
];
const SHARPE: &str = "Sharpe";

/// A column for each of `subjects`, name and figures over `span`; a figure that none has is left out.
pub(crate) fn table(heading: &str, span: Option<Window>, subjects: &[(&str, &Metrics)]) -> Table {
    let mut header = vec![(heading, Align::Left)];
    header.extend(subjects.iter().map(|(name, _)| (*name, Align::Right)));
    let mut table = Table::new(&header);
    for (name, figure, format) in FIGURES {
        let cells: Vec<Option<f64>> = subjects.iter().map(|(_, metrics)| figure(metrics)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells = cells.into_iter().map(|value| value.map_or_else(|| "-".to_owned(), format));
        let name = if *name == SHARPE { format!("{name}, {}", annualised(span)) } else { (*name).to_owned() };
        table.row(std::iter::once(name).chain(cells).collect());
    }
    table
}

/// Reward and profit, in sums and for a bar, on the bars that a model may have learned from, and on others; none when neither is known.
pub(crate) fn samples(
    in_sample: Option<&SampleFigures>,
    out_of_sample: Option<&SampleFigures>,
) -> Option<Table> {
    let columns = ["bars", "reward", "bps a bar", "net PnL", "bps a bar"];
    let mut header = vec![("model on bars", Align::Left)];
    header.extend(columns.map(|name| (name, Align::Right)));
    let mut table = Table::new(&header);
    let named = [("it may have learned", in_sample), ("it has not seen", out_of_sample)];
    for (name, figures) in named.into_iter().filter_map(|(name, figures)| Some((name, figures?))) {
        let bars = figures.bars.max(1) as f64;
        table.row(vec![
            name.to_owned(),
            figures.bars.to_string(),
            format!("{:+.4}", figures.reward),
            signed(BASIS_POINTS * figures.reward / bars),
            signed(figures.net_pnl_quote),
            figures
                .total_return
                .and_then(|total| growth_bps(total, bars))
                .map_or_else(|| "-".to_owned(), signed),
        ]);
    }
    (in_sample.is_some() || out_of_sample.is_some()).then_some(table)
}

/// How often a policy decided on what (`flat 54.5 %, long 45.5 %`); none without decisions.
pub(crate) fn decisions(map: Option<ActionMap>, shares: &[f64]) -> Option<String> {
    let each = named_shares(map, shares).into_iter();
    let each: Vec<String> = each.map(|(name, share)| format!("{name} {:.1} %", 100.0 * share)).collect();
    (!each.is_empty()).then(|| each.join(", "))
}

fn signed(value: f64) -> String {
    format!("{value:+.2}")
}

fn percent(value: f64) -> String {
    format!("{:.2} %", 100.0 * value)
}

fn plain(value: f64) -> String {
    format!("{value:.2}")
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(end: &str) -> Option<Window> {
        Window::new("2024-01-01".parse().unwrap(), end.parse().unwrap()).ok()
    }

    #[test]
    fn what_was_measured_comes_before_what_was_made_of_it() {
        let metrics = Metrics {
            total_return: Some(0.1),
            max_drawdown: Some(0.02),
            sharpe: Some(29.7),
            ..Metrics::default()
        };
        let table = table("on 336 bars", window("2024-01-15"), &[("model", &metrics)]).to_string();
        let rows: Vec<&str> = table.lines().skip(2).map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(rows, ["total return", "max drawdown", "Sharpe, annualised from 14 days"]);
    }

    #[test]
    fn reward_and_profit_stand_side_by_side_for_a_bar_too() {
        let figures = |total_return| SampleFigures {
            span: window("2024-01-02").unwrap(),
            bars: 100,
            reward: 0.25,
            net_pnl_quote: -50.0,
            total_return,
            sharpe: None,
            trades: 1,
        };
        let both = samples(Some(&figures(Some(-0.005))), Some(&figures(None))).unwrap().to_string();
        let rows: Vec<Vec<&str>> =
            both.lines().skip(2).map(|line| line.split_whitespace().rev().take(5).collect()).collect();
        assert_eq!(rows[0], ["-0.50", "-50.00", "+25.00", "+0.2500", "100"]);
        assert_eq!(rows[1][0], "-");
        assert!(samples(None, None).is_none());
    }

    #[test]
    fn decisions_are_named_as_far_as_they_are_known() {
        assert_eq!(
            decisions(Some(ActionMap::LongFlat), &[0.545, 0.455]).unwrap(),
            "flat 54.5 %, long 45.5 %"
        );
        assert_eq!(decisions(None, &[1.0]).unwrap(), "action 0 100.0 %");
        assert_eq!(decisions(None, &[]), None);
    }
}
