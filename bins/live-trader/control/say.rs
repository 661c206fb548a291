//! What the subcommands print.

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::{
    ControlReply, NumberedEvent, Order, OrderSize, SessionEvent, SessionStatus, Side, Timestamp,
};
use walkforward_live::SessionProcess;

use super::named;

/// How a session was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Through {
    /// It answered on its socket.
    Socket,
    /// A file in its journal's folder.
    File,
    /// Its journal was read.
    Journal,
}

/// What was done, and how.
pub(super) struct Told {
    pub(super) verb: String,
    pub(super) through: Through,
    /// The process that runs it without answering.
    pub(super) process: Option<SessionProcess>,
    /// Why it has not acknowledged what was asked on its socket before.
    pub(super) unanswered: Option<String>,
    pub(super) status: Option<SessionStatus>,
}

impl Told {
    /// A running session has answered.
    pub(super) fn answered(verb: &str, status: SessionStatus) -> Self {
        Self {
            verb: verb.to_owned(),
            through: Through::Socket,
            process: None,
            unanswered: None,
            status: Some(status),
        }
    }

    fn is_running(&self) -> bool {
        self.through == Through::Socket || self.process.is_some()
    }

    fn json(&self) -> String {
        let line = serde_json::json!({
            "done": self.verb, "through": self.through, "running": self.is_running(), "status": self.status,
            "unanswered": self.unanswered,
        });
        format!("{line}\n")
    }
}

/// What somebody told the session.
pub(super) fn told(told: &Told, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&told.json()),
        Output::Human => say(&told_text(told)),
    }
}

fn told_text(told: &Told) -> String {
    let verb = &told.verb;
    if let Some(problem) = &told.unanswered {
        return format!(
            "{verb}: asked on the socket, which the session did not acknowledge ({problem}); and a file in its journal's \
             folder says so too, which it reads as soon as it can, or else its next start\n"
        );
    }
    match (&told.status, told.process) {
        (Some(status), _) => {
            let mode = mode_words(status);
            let model = model_lines(status).join("\n");
            format!("{verb}: done by the running session {}\nmode       {mode}\n{model}\n", status.session)
        }
        (None, Some(process)) => format!(
            "{verb}: {} does not answer on a socket; it reads the file in its journal's folder within seconds\n",
            named(process)
        ),
        (None, None) => {
            format!("{verb}: nothing runs; a file in the journal's folder tells the next start\n")
        }
    }
}

/// How the session is.
pub(super) fn status(told: &Told, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&told.json()),
        Output::Human => {
            let first = match (told.through, told.process) {
                (Through::Socket, _) => "running".to_owned(),
                (_, Some(process)) => {
                    format!("{} runs and does not answer on a socket; its journal says:", named(process))
                }
                (_, None) => "nothing runs; the journal says:".to_owned(),
            };
            let mut lines = told.status.as_ref().map(status_lines).unwrap_or_default();
            if told.through == Through::Journal {
                // Of a feed that nobody listens to the journal says nothing.
                lines.retain(|line| !line.starts_with("feed "));
            }
            say(&format!("{first}\n{}\n", lines.join("\n")))
        }
    }
}

/// A session that is watched from now on.
pub(super) fn watched(status: &SessionStatus, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => reply(&ControlReply::Status { id: 0, status: Box::new(status.clone()) }),
        Output::Human => say(&format!("{}\n", status_lines(status).join("\n"))),
    }
}

/// Something that happened.
pub(super) fn event(event: NumberedEvent, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => reply(&ControlReply::Event(Box::new(event))),
        Output::Human => say(&format!("{}\n", event_line(&event))),
    }
}

fn reply(reply: &ControlReply) -> Result<(), Failure> {
    let line = serde_json::to_string(reply).map_err(|error| Failure::stage(error.to_string()))?;
    say(&format!("{line}\n"))
}

/// A session in lines for a person.
pub(crate) fn status_lines(status: &SessionStatus) -> Vec<String> {
    let SessionStatus { session, line, symbol, timeframe, venue, .. } = status;
    let last = time_words(status.last_bar);
    let equity = status.equity.get();
    let share = if equity > 0.0 { 100.0 * status.position_value.get() / equity } else { 0.0 };
    let data = match (status.is_feed_up, status.last_data_at) {
        (is_up, Some(at)) => format!("{}, newest data {at}", if is_up { "up" } else { "down" }),
        (true, None) => "up".to_owned(),
        (false, None) => "down".to_owned(),
    };
    let mut lines = vec![
        format!("session    {session}  {symbol} {timeframe}  line {line}  {venue}"),
        format!("started    {}", status.started_at),
        format!("bars       {} ({} missed), last {last}", status.bars, status.missed),
        format!("equity     {equity:.2}  cash {:.2}", status.cash.get()),
        format!("position   {} worth {:.2} ({share:.1} %)", status.position, status.position_value.get()),
        format!("mode       {}", mode_words(status)),
    ];
    lines.extend(model_lines(status));
    lines.push(format!("orders     {} open", status.open_orders));
    lines.push(format!("feed       {data}"));
    lines
}

fn mode_words(status: &SessionStatus) -> String {
    let Some(restriction) = &status.restriction else { return status.mode.to_string() };
    let until = match (restriction.until, restriction.needs_acknowledgement) {
        (Some(until), _) => format!(", until {until}"),
        (None, true) => ", until `resume --ack REASON`".to_owned(),
        (None, false) => String::new(),
    };
    format!("{} since {}{until}: {}", status.mode, restriction.since, restriction.reason)
}

fn model_lines(status: &SessionStatus) -> Vec<String> {
    let Some(model) = &status.model else { return vec!["model      none".to_owned()] };
    let grade = model.grade.map_or_else(|| "without a grade".to_owned(), |grade| grade.to_string());
    let mut lines = vec![format!("model      {} (version {}, {grade})", model.model_id, model.model_version)];
    if let Some(until) = model.trained_until {
        lines.push(format!("trained    until {until}"));
    }
    if let Some(at) = model.confirmed_at {
        lines.push(format!("confirmed  {at}"));
    }
    lines
}

/// A price as a person reads it: the decimals that matter at its size.
pub(crate) fn price_words(price: f64) -> String {
    if price >= 100.0 { format!("{price:.2}") } else { format!("{price:.8}") }
}

fn time_words(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "none".to_owned(), |time| time.to_string())
}

/// An event in a line for a person.
pub(crate) fn event_line(event: &NumberedEvent) -> String {
    format!("{}  {}", event.at, event_words(&event.event))
}

fn event_words(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Bar { bar, missed, order, equity, position, action } => {
            let did = match (missed, action, order) {
                (true, ..) => "missed".to_owned(),
                (_, _, Some(order)) => order_words(order),
                (_, Some(action), None) => format!("action {}, no order", action.0),
                (_, None, None) => "no decision".to_owned(),
            };
            format!(
                "bar {} close {}  {did}  position {position}  equity {:.2}",
                bar.open_time(),
                bar.close(),
                equity.get()
            )
        }
        SessionEvent::Fill { fill } => format!(
            "fill {} {} at {}, fee {:.4}",
            side_word(fill.side),
            fill.quantity,
            price_words(fill.price.get()),
            fill.fee_in_quote()
        ),
        SessionEvent::ModelLoaded { from, to } => {
            let from = from.as_ref().map_or_else(String::new, |from| format!(", before {from}"));
            format!("model {} (version {}){from}", to.model_id, to.model_version)
        }
        SessionEvent::ModelRefused { reason, .. } => format!("model refused: {reason}"),
        SessionEvent::Mode { mode, reason } => format!("mode {mode}: {reason}"),
        SessionEvent::Feed { is_up: true, .. } => "feed up".to_owned(),
        SessionEvent::Feed { reason, .. } => {
            format!("feed down: {}", reason.as_ref().map_or("no reason given", |reason| reason.as_str()))
        }
        SessionEvent::Warning { reason } => format!("warning: {reason}"),
        SessionEvent::Ended { reason } => format!("ended: {reason}"),
        SessionEvent::Other => "something that this version does not know".to_owned(),
    }
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn order_words(order: &Order) -> String {
    let side = side_word(order.side);
    match order.size {
        OrderSize::Notional(cash) => format!("order {side} for {:.2}", cash.get()),
        OrderSize::Quantity(quantity) => format!("order {side} {quantity}"),
    }
}
