//! What lies at the service: keys, clock, streams, and the account with its symbol, cash, position and orders.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use walkforward::failure::chain;
use walkforward::live::LiveConfig;
use walkforward::source::SourceConfig;
use walkforward::venue::VenueConfig;
use walkforward_alpaca::{AlpacaBackfill, AlpacaClient, AlpacaFeed, FeedConfig, Keys, StreamSettings};
use walkforward_core::{
    Backfill, Clock, FeedEvent, Instrument, MarketFeed, Timeframe, Venue, VenueUpdate, Window,
};
use walkforward_live::{SegmentHeader, StartRefusal, TraderOptions, VenueFindings, venue_findings};

use super::files::Found;
use super::report::Report;
use crate::venue::other_trader;

/// Longest wait for a stream, and attempts to connect that may fail meanwhile.
const STREAM_PATIENCE: Duration = Duration::from_secs(15);
const STREAM_ATTEMPTS: u32 = 2;
/// The last minutes that are asked for.
const ASKED_MINUTES: i64 = 30;
/// Difference of the clocks from which on a person is told, and from which on bars close at the wrong time. The service's
/// dates count whole seconds.
const SOME_SKEW_MS: i64 = 2_000;
const MUCH_SKEW_MS: i64 = 5_000;

/// Checks all of it.
pub(super) async fn check(config: &LiveConfig, found: &Found, clock: &Arc<dyn Clock>, report: &mut Report) {
    let Some(keys) = &config.keys else {
        return report.fail("keys", "there are none", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY");
    };
    bars(config, clock, report).await;
    match found.is_running {
        // An account has one stream of bars.
        true => report.ok("stream of bars", "not asked: the session that runs has the account's only one"),
        false => stream(config, keys, report).await,
    }
    if let Some(venue) = &config.venue {
        account(config, venue, found, clock, report).await;
    }
}

/// The history of bars, and what its answer says about the clock.
async fn bars(config: &LiveConfig, clock: &Arc<dyn Clock>, report: &mut Report) {
    const NAME: &str = "history of bars";
    let SourceConfig::Alpaca { config: service, .. } = &config.source else { return };
    let refused = "look at APCA_API_DATA_URL and the keys";
    let client = match AlpacaClient::new((**service).clone(), Arc::clone(clock)) {
        Ok(client) => Arc::new(client),
        Err(error) => return report.fail(NAME, chain(&error), refused),
    };
    let backfill = match AlpacaBackfill::new(Arc::clone(&client), config.symbol.clone()) {
        Ok(backfill) => backfill,
        Err(error) => return report.fail(NAME, chain(&error), refused),
    };
    let end = Timeframe::MINUTE.floor(clock.now());
    let begin = end.plus_millis(-ASKED_MINUTES * Timeframe::MINUTE.millis());
    let Ok(span) = Window::new(begin, end) else { return };
    match backfill.bars(span).await {
        Ok(bars) => report.ok(NAME, format!("{} bars in the last {ASKED_MINUTES} minutes", bars.len())),
        Err(error) => report.fail(NAME, chain(&error), refused),
    }
    skew(client.clock_skew_ms(), report);
}

fn skew(skew_ms: Option<i64>, report: &mut Report) {
    const NAME: &str = "clock";
    let to_do = "let the system keep its clock by NTP: bars close by it";
    match skew_ms {
        None => report.warn(NAME, "the service's answers have no date", "compare the clock by hand"),
        Some(skew_ms) => {
            let found = format!("{:+.1} s from the service's", -(skew_ms as f64) / 1_000.0);
            match skew_ms.abs() {
                ..SOME_SKEW_MS => report.ok(NAME, found),
                SOME_SKEW_MS..MUCH_SKEW_MS => report.warn(NAME, found, to_do),
                _ => report.fail(NAME, found, to_do),
            }
        }
    }
}

/// The stream of bars, until it takes the keys and the subscription.
async fn stream(config: &LiveConfig, keys: &Keys, report: &mut Report) {
    const NAME: &str = "stream of bars";
    let to_do = "look at the keys and at APCA_API_STREAM_URL; an account has one connection";
    let (url, symbol, keys) = (config.stream_url.clone(), config.symbol.clone(), keys.clone());
    let feed = AlpacaFeed::new(FeedConfig { url, symbol, keys, stream: StreamSettings::default() });
    let mut feed = match feed {
        Ok(feed) => feed,
        Err(error) => return report.fail(NAME, chain(&error), to_do),
    };
    let down = |event| if let FeedEvent::Down { reason } = event { Some(reason) } else { None };
    let up = connected(async || Heard::of(feed.next().await, down));
    match up.await {
        Ok(()) => report.ok(NAME, "connected, the keys are taken"),
        Err(reason) => report.fail(NAME, reason, to_do),
    }
}

/// What a stream says.
enum Heard {
    Up,
    Down(String),
    Over(String),
}

impl Heard {
    /// What `said` means, whose events `down` knows: the reason of those that a stream which is down tells.
    fn of<E>(said: Result<Option<E>, impl Display>, down: impl Fn(E) -> Option<String>) -> Self {
        match said {
            Ok(Some(event)) => down(event).map_or(Self::Up, Self::Down),
            Ok(None) => Self::Over("the stream ended".to_owned()),
            Err(error) => Self::Over(error.to_string()),
        }
    }
}

/// Listens until a stream is connected; why it is not.
async fn connected(mut next: impl AsyncFnMut() -> Heard) -> Result<(), String> {
    let listening = async {
        let mut failures = 0;
        loop {
            match next().await {
                Heard::Up => return Ok(()),
                Heard::Over(reason) => return Err(reason),
                Heard::Down(reason) => {
                    failures += 1;
                    if failures == STREAM_ATTEMPTS {
                        return Err(reason);
                    }
                }
            }
        }
    };
    let silence = || Err(format!("no answer within {} s", STREAM_PATIENCE.as_secs()));
    tokio::time::timeout(STREAM_PATIENCE, listening).await.unwrap_or_else(|_| silence())
}

/// The account as a start would find it.
async fn account(
    config: &LiveConfig,
    venue: &VenueConfig,
    found: &Found,
    clock: &Arc<dyn Clock>,
    report: &mut Report,
) {
    let to_do = "look at the keys and at live.venue: paper and live accounts have different keys";
    let access = match venue.access(clock) {
        Ok(access) => access,
        Err(failure) => return report.fail("account", failure.message, to_do),
    };
    match other_trader(config, venue) {
        None => report.ok("account's lock", "no other trader of this machine has account and symbol"),
        Some(found) => {
            report.fail("account's lock", found, "one account and symbol have one trader: stop it first")
        }
    }
    let header = header(config, venue, found, clock);
    match venue_findings(&access, &header, found.recovered.as_ref(), clock.now()).await {
        Err(error) => report.fail("account", chain(&error), to_do),
        Ok(findings) => {
            report.ok("account", format!("{}: the keys are taken", venue.name));
            cash(config, found, &findings, report);
            report.ok("increments", instrument(&findings.stock.instrument));
            refusals(venue, &findings, report);
        }
    }
    updates(access.venue.as_ref(), report).await;
}

/// The head that a start would write; the journal's own where the session goes on.
fn header(config: &LiveConfig, venue: &VenueConfig, found: &Found, clock: &Arc<dyn Clock>) -> SegmentHeader {
    if let Some(recovered) = &found.recovered {
        return SegmentHeader { config: config.session, limits: config.limits, ..recovered.header.clone() };
    }
    let of_champion = found.champion.as_ref().map(|pointer| pointer.timeframe);
    let timeframe = config.timeframe.or(of_champion).unwrap_or(Timeframe::HOUR);
    let options = TraderOptions {
        line: config.line.clone(),
        session: config.session,
        limits: config.limits,
        history_bars: config.history_bars,
        ..TraderOptions::new(config.symbol.clone(), timeframe, config.journal.clone())
    };
    SegmentHeader::new(&options, Timeframe::MINUTE, venue.name, clock.now())
}

fn instrument(it: &Instrument) -> String {
    let notional = it.minimum_notional.map_or_else(String::new, |cash| format!(", from {} on", cash.get()));
    let (step, price_step) = (it.quantity_step, it.price_step.get());
    format!("{} at least in steps of {step}, prices in steps of {price_step}{notional}", it.minimum)
}

/// The ledger counts with cash of its own; an account with less would refuse its orders.
fn cash(config: &LiveConfig, found: &Found, findings: &VenueFindings, report: &mut Report) {
    let ours = match &found.recovered {
        Some(recovered) => recovered.desk.session().cash(),
        None => config.session.initial_cash,
    };
    let account = &findings.stock.account;
    let text =
        format!("the account may spend {:.2}, the ledger counts with {ours:.2}", account.spendable.get());
    let refusal = findings.refusals.iter().find(|refusal| matches!(refusal, StartRefusal::Cash { .. }));
    if let Some(refusal) = refusal {
        return report.fail("cash", text, format!("a start is refused: {refusal}"));
    }
    match account.spendable.get() >= ours {
        true => report.ok("cash", text),
        false => report.warn("cash", text, "deposit, or begin a session with a smaller costs.initial_cash"),
    }
}

/// What stands against a start, each under its name; what does not is fine.
fn refusals(venue: &VenueConfig, findings: &VenueFindings, report: &mut Report) {
    let name = |refusal: &StartRefusal| match refusal {
        StartRefusal::Account(_) | StartRefusal::OtherAccount { .. } => "account's state",
        StartRefusal::Cash { .. } => "cash",
        StartRefusal::Instrument => "symbol",
        StartRefusal::ForeignOrder { .. } => "open orders",
        StartRefusal::Position { .. } => "position",
    };
    let position = findings.stock.position.quantity;
    for (what, fine) in [
        ("account's state", "it may trade".to_owned()),
        ("symbol", "it is traded".to_owned()),
        ("open orders", format!("{} of the symbol, all of this trader", findings.stock.open.len())),
        ("position", format!("{position}, the ledger {} ({:?})", findings.ledger, venue.external)),
    ] {
        let mut against = findings.refusals.iter().filter(|refusal| name(refusal) == what).peekable();
        if against.peek().is_none() {
            report.ok(what, fine);
        }
        for refusal in against {
            report.fail(what, refusal.to_string(), "a start is refused until that is cleared up");
        }
    }
}

/// The stream of order updates, until it takes the keys.
async fn updates(venue: &dyn Venue, report: &mut Report) {
    const NAME: &str = "order updates";
    let to_do = "orders are asked for instead, more slowly; look at the network and at live.trading_url";
    let mut updates = venue.updates();
    let down = |event| if let VenueUpdate::Down { reason } = event { Some(reason) } else { None };
    let up = connected(async || Heard::of(updates.next().await, down));
    match up.await {
        Ok(()) => report.ok(NAME, "connected, the keys are taken"),
        Err(reason) => report.fail(NAME, reason, to_do),
    }
}
