//! `live-trader explain BAR`: why a bar was decided as it was.

use clap::{Arg, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward::table::{Align, Table};
use walkforward_core::{Fill, Order, OrderSize, Side};
use walkforward_live::{
    BarChoice, BarRecord, Explanation, FeatureDistance, Followed, LimitCheck, ModelAnswer, OrderFate,
    Relation, Weights, explain,
};

use crate::control::price_words;

/// Digits of a hash that a person sees.
const SHOWN_HASH: usize = 12;

/// The subcommand.
pub(crate) fn command() -> Command {
    let bar = Arg::new("bar")
        .value_name("BAR")
        .required(true)
        .allow_negative_numbers(true)
        .value_parser(|text: &str| text.parse::<BarChoice>())
        .help("The time at which it begins, or last, or -3 for the third from the end");
    Command::new("explain")
        .about("Why a bar was decided as it was: runs its part of the journal again")
        .arg(bar)
}

/// Explains and prints.
pub(crate) fn run(config: &LiveConfig, flags: &ArgMatches, output: Output) -> Result<(), Failure> {
    let choice = flags.get_one::<BarChoice>("bar").copied().unwrap_or(BarChoice::FromEnd(1));
    let explanation =
        explain(&config.journal, &config.models_dir, choice).map_err(|error| Failure::from(&error))?;
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let line =
                serde_json::to_string(&explanation).map_err(|error| Failure::stage(error.to_string()))?;
            say(&format!("{line}\n"))
        }
        Output::Human => say(&human(&explanation)),
    }
}

fn human(it: &Explanation) -> String {
    let mut text = bar(&it.record, it.decided_again);
    text += &it.model.as_ref().map_or("model      no_model: nobody decided\n".to_owned(), model);
    if !it.features.is_empty() {
        text += &format!("furthest from training\n{}", features(&it.features));
    }
    text += &format!("limits\n{}", limits(&it.limits));
    if let Some(restriction) = &it.restriction {
        text += &format!("           {}: {}\n", restriction.mode, restriction.reason);
    }
    text += &outcome(it);
    text += &previous(it);
    if let Some(difference) = &it.difference {
        text += &format!("DIFFERENT  {difference}; see live-trader verify\n");
    }
    text
}

fn bar(bar: &BarRecord, decided_again: u32) -> String {
    let mut notes = Vec::new();
    if !bar.present {
        notes.push("the feed did not have it".to_owned());
    }
    if bar.missed {
        notes.push("too late to decide".to_owned());
    }
    if decided_again > 0 {
        notes.push(format!("decided anew {decided_again} times, because the position moved"));
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!(
        "bar        {}  open {} high {} low {} close {} volume {}{notes}\n\
         ledger     equity {:.2}, cash {:.2}, position {}, {}\n",
        bar.open_time,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.equity,
        bar.cash,
        bar.position,
        bar.mode,
    )
}

fn model(model: &ModelAnswer) -> String {
    let hash: String = model.sha256.chars().take(SHOWN_HASH).collect();
    format!(
        "model      {} ({hash}){}\ndecision   {}\n",
        model.model_id,
        weights(&model.weights),
        answer(model)
    )
}

fn weights(weights: &Weights) -> String {
    match weights {
        Weights::Loaded => String::new(),
        Weights::Gone => ", its weights are gone: what the journal says is all there is".to_owned(),
        Weights::Unusable { reason } => format!(", its weights can't be used: {reason}"),
    }
}

fn answer(model: &ModelAnswer) -> String {
    let Some(action) = model.action else {
        let problem = model.problem.as_deref().unwrap_or("none");
        return format!("none: {problem}");
    };
    let word = model.word.clone().unwrap_or_else(|| format!("action {}", action.0));
    let odds: Vec<String> = (model.probabilities.iter())
        .filter_map(|it| Some(format!("{} {:.1} %", it.word, 100.0 * it.probability?)))
        .collect();
    let odds = if odds.is_empty() { String::new() } else { format!(" ({})", odds.join(", ")) };
    let wanted = model.wanted.map_or_else(String::new, |it| format!(", wants {}", target(it)));
    let admitted = model.admitted.map_or_else(String::new, |it| format!(", may have {}", target(it)));
    let problem = model.problem.as_ref().map_or_else(String::new, |it| format!(", refused: {it}"));
    format!("{word}{odds}{wanted}{admitted}{problem}")
}

fn target(followed: Followed) -> String {
    match followed {
        Followed::Hold => "what there is".to_owned(),
        Followed::Fraction(fraction) => format!("{:.0} %", 100.0 * fraction),
    }
}

fn features(features: &[FeatureDistance]) -> String {
    let mut table = Table::new(&[
        ("  feature", Align::Left),
        ("value", Align::Right),
        ("mean", Align::Right),
        ("deviation", Align::Right),
        ("z", Align::Right),
        ("seen as", Align::Right),
    ]);
    for it in features {
        table.row(vec![
            format!("  {}", it.column),
            format!("{:.6}", it.value),
            format!("{:.6}", it.mean),
            format!("{:.6}", it.deviation),
            format!("{:+.2}", it.z),
            format!("{:+.2}", it.seen),
        ]);
    }
    table.to_string()
}

fn limits(limits: &[LimitCheck]) -> String {
    let mut table = Table::new(&[
        ("  limit", Align::Left),
        ("counts", Align::Left),
        ("value", Align::Right),
        ("most", Align::Right),
        ("", Align::Left),
    ]);
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    for it in limits {
        let held = if it.held_back { "held back" } else { "" };
        table.row(vec![
            format!("  {}", it.name),
            it.what.to_owned(),
            number(it.value),
            number(it.limit),
            held.to_owned(),
        ]);
    }
    table.to_string()
}

fn outcome(it: &Explanation) -> String {
    let mut text = match &it.record.order {
        None => "order      none\n".to_owned(),
        Some(order) => format!("order      {}\n", order_words(order)),
    };
    for fill in &it.fills {
        text += &format!("fill       {}\n", fill_words(fill));
    }
    for order in &it.orders {
        text += &fate(order);
    }
    text
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn order_words(order: &Order) -> String {
    match order.size {
        OrderSize::Notional(cash) => format!("{} for {:.2}", side(order.side), cash.get()),
        OrderSize::Quantity(quantity) => format!("{} {quantity}", side(order.side)),
    }
}

fn fill_words(fill: &Fill) -> String {
    format!(
        "{} {} at {}, fee {} of the asset and {:.4} cash, at {}",
        side(fill.side),
        fill.quantity,
        price_words(fill.price.get()),
        fill.fee_quantity,
        fill.fee_cash.get(),
        fill.time,
    )
}

fn fate(order: &OrderFate) -> String {
    let sent = order.sent_at.map_or("not handed in".to_owned(), |at| format!("handed in {at}"));
    let placed = order.placed_at.map_or_else(String::new, |at| format!(", at the venue {at}"));
    let ended = order.outcome.as_ref().map_or(", not over by the journal".to_owned(), |outcome| {
        let at = order.ended_at.map_or_else(String::new, |at| format!(" {at}"));
        format!(", {outcome:?}{at}")
    });
    let mut text =
        format!("at venue   {} attempt {}: {sent}{placed}{ended}\n", order.intent.id, order.intent.attempt);
    for booking in &order.bookings {
        text += &format!("fill       {}\n", fill_words(&booking.fill));
    }
    text
}

fn previous(it: &Explanation) -> String {
    let Some(previous) = &it.previous else {
        return "before     no model was there before\n".to_owned();
    };
    let who = match previous.relation {
        Relation::TradedBefore => "traded before",
        Relation::Parent => "its parent",
    };
    let model = &previous.answer;
    let said = match &model.weights {
        Weights::Loaded => answer(model),
        Weights::Gone => "its weights are gone, so that nobody can ask it".to_owned(),
        Weights::Unusable { reason } => format!("its weights can't be used: {reason}"),
    };
    let agrees = match previous.agrees {
        Some(true) => " - the same",
        Some(false) => " - something else",
        None => "",
    };
    format!("before     {} ({who}): {said}{agrees}\n", model.model_id)
}
