//! What `orchestrate demo` prints.

use std::path::Path;

use walkforward_report::{DemoEquity, DemoMarket, DemoProof, DemoReport, DemoRows};

use crate::table::{Align, Table};
use crate::text::{labelled, minute};

/// For a person.
pub(super) fn text(report: &DemoReport, page: &Path) -> String {
    let mut parts: Vec<String> = report.markets.iter().map(market).collect();
    parts.push(report.notes.iter().map(|note| format!("{note}\n")).collect());
    parts.extend(report.proofs.iter().map(proof));
    parts.push(labelled("page", &page.display().to_string()));
    parts.join("\n")
}

fn market(market: &DemoMarket) -> String {
    let heading = format!(
        "{}: {} to {}, {} cycles on bars of {}\n{}\n",
        market.name,
        minute(market.span.start()),
        minute(market.span.end()),
        market.cycles,
        market.timeframe,
        market.explanation
    );
    let mut columns = vec![("after costs", Align::Left)];
    columns.extend(["promotions", "net result", "Sharpe", "max drawdown"].map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    for rule in &market.equities {
        table.row(row(rule));
    }
    format!("{heading}{table}")
}

fn row(rule: &DemoEquity) -> Vec<String> {
    let DemoEquity { equity, promotions } = rule;
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    vec![
        equity.name.clone(),
        or_dash(promotions.map(|count| count.to_string())),
        or_dash(equity.total_return.map(|value| format!("{:+.2} %", 100.0 * value))),
        or_dash(equity.sharpe.map(|value| format!("{value:.2}"))),
        or_dash(equity.max_drawdown.map(|value| format!("{:.2} %", 100.0 * value))),
    ]
}

fn proof(proof: &DemoProof) -> String {
    let word = if proof.held { "held" } else { "FAILED" };
    let facts: String = proof.facts.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
    let rows = proof.rows.as_ref().map(rows).unwrap_or_default();
    format!("{} - {word}\n{}.\n{facts}{rows}", proof.name, proof.sentence)
}

fn rows(rows: &DemoRows) -> String {
    let columns: Vec<(&str, Align)> = rows.header.iter().map(|name| (name.as_str(), Align::Left)).collect();
    let mut table = Table::new(&columns);
    for row in &rows.rows {
        table.row(row.clone());
    }
    table.to_string()
}
