//! `live-trader costs`: what orders cost, beside what the cost model says.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward::table::{Align, Table};
use walkforward_live::{COST_WINDOW, CostReport, FillCost, MAX_LISTED_ORDERS, OrderCost, cost_report};

use crate::control::price_words;

/// Orders that are listed unless somebody asks for more.
const DEFAULT_LISTED: &str = "20";

const EXPLAINED: &str = "\
Shortfall is Perold's implementation shortfall (1988): what an order cost more, or brought less, than its quantity at the
close of the bar that it was decided on, fees included. The model is the session's own fill model at that close.";

/// The subcommand.
pub(crate) fn command() -> Command {
    let last = Arg::new("last")
        .long("last")
        .value_name("N")
        .default_value(DEFAULT_LISTED)
        .value_parser(value_parser!(u32).range(0..=MAX_LISTED_ORDERS as i64))
        .help("How many orders are listed, the newest");
    Command::new("costs")
        .about("What the orders of the journal's newest session cost, beside what the cost model says")
        .after_help(EXPLAINED)
        .arg(last)
}

/// Adds up and prints.
pub(crate) fn run(config: &LiveConfig, flags: &ArgMatches, output: Output) -> Result<(), Failure> {
    let listed = flags.get_one::<u32>("last").copied().unwrap_or_default();
    let report = cost_report(&config.journal, listed as usize).map_err(|error| Failure::from(&error))?;
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", json(&report))),
        Output::Human => say(&human(&report)),
    }
}

fn json(report: &CostReport) -> Value {
    let CostReport { order_count, unfilled_orders, liquidations, total, recent_ratio, .. } = report;
    json!({
        "symbol": report.symbol, "venue": report.venue, "since": report.since, "is_whole": report.is_whole,
        "orders": order_count, "unfilled_orders": unfilled_orders, "liquidations": liquidations,
        "value_at_decision": total.value_at_decision,
        "shortfall": total.shortfall, "shortfall_bps": total.shortfall_bps(),
        "modelled": total.modelled, "modelled_bps": total.modelled_bps(),
        "fees": total.fees,
        "fee_cash": total.fee_cash, "fee_cash_asset": report.symbol.quote(),
        "fee_quantity": total.fee_quantity.to_string(), "fee_quantity_asset": report.symbol.base(),
        "recent_orders": COST_WINDOW, "recent_ratio": recent_ratio, "is_beyond_model": report.is_beyond_model,
        "listed": report.orders.iter().map(|order| order_json(order, report)).collect::<Vec<_>>(),
    })
}

fn order_json(order: &OrderCost, report: &CostReport) -> Value {
    let FillCost { side, decision_price, expected_price, average_price, .. } = &order.cost;
    let cost = &order.cost;
    json!({
        "id": cost.id, "bar_open": order.bar_open, "decided_at": cost.decided_at,
        "side": side, "quantity": cost.quantity.to_string(),
        "decision_price": decision_price, "expected_price": expected_price, "average_price": average_price,
        "fee_cash": cost.fee_cash, "fee_cash_asset": report.symbol.quote(),
        "fee_quantity": cost.fee_quantity.to_string(), "fee_quantity_asset": report.symbol.base(),
        "is_fee_estimated": cost.is_fee_estimated,
        "sent_ms": order.after_decision_ms(cost.sent_at), "placed_ms": order.after_decision_ms(cost.placed_at),
        "first_fill_ms": order.after_decision_ms(cost.first_fill_at),
        "last_fill_ms": order.after_decision_ms(cost.last_fill_at),
        "shortfall": cost.shortfall, "shortfall_bps": order.shortfall_bps(),
        "modelled": cost.modelled, "modelled_bps": order.modelled_bps(),
    })
}

const COLUMNS: [(&str, Align); 10] = [
    ("bar", Align::Left),
    ("side", Align::Left),
    ("quantity", Align::Right),
    ("decided at", Align::Right),
    ("expected", Align::Right),
    ("filled at", Align::Right),
    ("fee", Align::Right),
    ("first/last fill ms", Align::Right),
    ("shortfall bps", Align::Right),
    ("model bps", Align::Right),
];

fn human(report: &CostReport) -> String {
    let mut table = Table::new(&COLUMNS);
    for order in &report.orders {
        table.row(row(order, report));
    }
    let listed = if report.orders.is_empty() { String::new() } else { table.to_string() };
    format!("{listed}{}", summary(report))
}

fn row(order: &OrderCost, report: &CostReport) -> Vec<String> {
    let cost = &order.cost;
    let side = match cost.side {
        walkforward_core::Side::Buy => "buy",
        walkforward_core::Side::Sell => "sell",
    };
    let ms = |time| order.after_decision_ms(time).map_or("-".to_owned(), |ms| ms.to_string());
    vec![
        order.bar_open.to_string(),
        side.to_owned(),
        cost.quantity.to_string(),
        price_words(cost.decision_price),
        price_words(cost.expected_price),
        price_words(cost.average_price),
        fee(cost, report),
        format!("{}/{}", ms(cost.first_fill_at), ms(cost.last_fill_at)),
        bps(order.shortfall_bps()),
        bps(order.modelled_bps()),
    ]
}

/// The fee in what it was taken in; with a tilde where the venue did not tell it.
fn fee(cost: &FillCost, report: &CostReport) -> String {
    let about = if cost.is_fee_estimated { "~" } else { "" };
    match cost.fee_quantity.is_zero() {
        true => format!("{about}{:.4} {}", cost.fee_cash, report.symbol.quote()),
        false => format!("{about}{} {}", cost.fee_quantity, report.symbol.base()),
    }
}

fn bps(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2}"))
}

fn summary(report: &CostReport) -> String {
    let (total, quote) = (&report.total, report.symbol.quote());
    let mut text = format!(
        "orders     {} filled, {} came to nothing, at {}\nshortfall  {:.2} {quote}, {} bps of {:.2} {quote}; the \
         model says {:.2} {quote}, {} bps\nfees       {:.2} {quote} ({:.4} {quote} and {} {})\n",
        report.order_count,
        report.unfilled_orders,
        report.venue,
        total.shortfall,
        bps(total.shortfall_bps()),
        total.value_at_decision,
        total.modelled,
        bps(total.modelled_bps()),
        total.fees,
        total.fee_cash,
        total.fee_quantity,
        report.symbol.base(),
    );
    if !report.is_whole {
        text += &format!("           since {}: the journal before that is not kept any more\n", report.since);
    }
    if report.liquidations > 0 {
        text += &format!("           {} short positions were closed by force\n", report.liquidations);
    }
    text += &match report.recent_ratio {
        None => format!("fewer than {COST_WINDOW} filled orders: too few to hold against the model\n"),
        Some(ratio) => format!(
            "the last {COST_WINDOW} orders cost {ratio:.2} times what the model says{}\n",
            if report.is_beyond_model { ": the model is too kind, raise its fee or slippage" } else { "" }
        ),
    };
    text
}
