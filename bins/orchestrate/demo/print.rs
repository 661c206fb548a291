//! What `orchestrate demo` prints.

use std::path::Path;

use walkforward_report::{DemoEquity, DemoMarket, DemoProof, DemoReport, DemoRows, annualised};

use crate::replay::print::worth_of;
use crate::table::{Align, Table};
use crate::text::{labelled, minute};

/// For a person.
pub(super) fn text(report: &DemoReport, page: &Path) -> String {
    let mut parts: Vec<String> = report.markets.iter().map(market).collect();
    let changes = report.markets.iter().flat_map(|market| &market.changes);
    let worths = worth_of(changes.map(|change| change.grade.as_deref()));
    parts.extend((!worths.is_empty()).then_some(worths));
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
    let sharpe = format!("Sharpe, {}", annualised(Some(market.span)));
    let mut columns = vec![("after costs", Align::Left)];
    let figure_names = ["promotions", "net result", sharpe.as_str(), "max drawdown"];
    columns.extend(figure_names.map(|name| (name, Align::Right)));
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

#[cfg(test)]
mod tests {
    use walkforward_core::{Timestamp, Window};
    use walkforward_report::ReplayChange;

    use super::*;

    fn report(grades: &[Option<&str>]) -> DemoReport {
        let at = |day: i64| Timestamp::EPOCH.plus_millis(day * 86_400_000);
        let change = |grade: &Option<&str>| ReplayChange {
            at: at(1),
            kind: "takeover".to_owned(),
            model: None,
            grade: grade.map(str::to_owned),
            sentence: String::new(),
        };
        let market = DemoMarket {
            name: "A market".to_owned(),
            explanation: String::new(),
            symbol: "BTC/USD".parse().unwrap(),
            timeframe: "1h".parse().unwrap(),
            span: Window::new(at(0), at(30)).unwrap(),
            cycles: 30,
            equities: Vec::new(),
            changes: grades.iter().map(change).collect(),
            changes_left_out: 0,
            refusals: Vec::new(),
        };
        DemoReport {
            days: 30,
            every: "24h".to_owned(),
            iterations: 1,
            seed: 1,
            command: String::new(),
            markets: vec![market],
            proofs: Vec::new(),
            settings: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn ratios_say_what_they_were_made_of_and_grades_what_they_are_worth() {
        let told = text(&report(&[Some("screened"), None, Some("screened")]), Path::new("demo.html"));
        assert!(told.contains("Sharpe, annualised from 30 days"), "{told}");
        assert_eq!(told.matches("an arm without any skill reaches screened").count(), 1, "{told}");
        let ungraded = text(&report(&[None]), Path::new("demo.html"));
        assert!(!ungraded.contains("without any skill"), "{ungraded}");
    }
}
