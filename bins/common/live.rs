//! What the settings of the live trader mean: typed, checked, and refused before anything is written.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use walkforward_alpaca::Keys;
use walkforward_core::{Cash, LineName, ModelId, Symbol, Timeframe, Timestamp};
use walkforward_engine::SessionConfig;
use walkforward_live::{
    Behaviour, ClosingRules, JournalBounds, MAX_CHALLENGERS, SessionLimits, Speed, SwapRule, TraderOptions,
    WatchRules,
};
use walkforward_store::Recipe;

use crate::config::{count, folder, session, share};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::source::SourceConfig;
use crate::venue::{VenueConfig, grade_caps};

/// Fastest paced replay.
const MAX_SPEED: f64 = 1e9;
/// Longest time that can be set for the closing of a bar, seconds.
const MAX_CLOSING_SECONDS: usize = 3_600;
/// Most intervals of silence before data are stale: a week of minutes.
const MAX_STALE_BARS: usize = 10_080;
/// Longest time without a confirmation that can be set, days.
const MAX_EXPIRES_DAYS: usize = 3_650;
/// Longest quarantine that can be set, days.
const MAX_QUARANTINE_DAYS: usize = 3_650;
const DAY_SECONDS: u64 = 86_400;
const HOUR_SECONDS: u64 = 3_600;
const MIB: u64 = 1 << 20;

/// Everything that `live-trader` needs to know.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Folder of the database, and of what traders of one machine share.
    pub data_dir: PathBuf,
    /// Folder of the models and the pointer.
    pub models_dir: PathBuf,
    /// The line that is traded.
    pub line: LineName,
    /// Where bars come from.
    pub source: SourceConfig,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars; none takes the champion's, else the source's own.
    pub timeframe: Option<Timeframe>,
    /// Where randomness comes from.
    pub seed: u64,
    /// Cash, fees, slippage.
    pub session: SessionConfig,
    /// What the session may hold and lose.
    pub limits: SessionLimits,
    /// How fast bars come.
    pub speed: Speed,
    /// The folder in which decisions go.
    pub journal: PathBuf,
    /// How long its files are, and how many stay.
    pub bounds: JournalBounds,
    /// Whether the session of the journal goes on.
    pub resume: bool,
    /// First bar to trade.
    pub from: Option<Timestamp>,
    /// Stop after so many bars.
    pub bars: Option<usize>,
    /// Bars that are kept for models that come later.
    pub history_bars: usize,
    /// When bars close.
    pub closing: ClosingRules,
    /// What is watched.
    pub watch: WatchRules,
    /// What happens to an open position when the model changes.
    pub swap: SwapRule,
    /// Where the stream of live bars is.
    pub stream_url: String,
    /// The keys of the account, which the stream asks for.
    pub keys: Option<Keys>,
    /// The account that orders go to; none on paper.
    pub venue: Option<VenueConfig>,
    /// Whether the session is carried into the database.
    pub project: bool,
    /// The watch over the champion; none for no watch.
    pub guard: Option<GuardConfig>,
    /// Where the session's metrics are read; none for nowhere.
    pub metrics: Option<SocketAddr>,
}

/// How the champion is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardConfig {
    /// For how long no model of an arm is promoted whose champion was taken back.
    pub quarantine: Duration,
    /// Arms that challenge on paper.
    pub challengers: usize,
}

impl LiveConfig {
    /// Checks `settings`.
    pub fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let source = SourceConfig::from_settings(settings, "replay")?;
        let bars = match settings.is_set("live.bars") {
            true => Some(count(settings, "live.bars", 1..=usize::MAX)?),
            false => None,
        };
        let symbol: Symbol = settings.require("data.symbol")?;
        check_symbol(settings, &symbol)?;
        let keys = settings.secrets().alpaca_keys()?;
        let venue = VenueConfig::from_settings(settings, &symbol, keys.as_ref())?;
        let resume = settings.get("live.continue")?.unwrap_or(source.is_service());
        if venue.is_some() {
            check_for_venue(settings, &source, resume)?;
        }
        Ok(Self {
            data_dir: folder(settings, "paths.data_dir")?,
            models_dir: folder(settings, "paths.models_dir")?,
            line: settings.require("line.name")?,
            symbol,
            timeframe: settings.get("data.timeframe")?,
            seed: settings.require("training.seed")?,
            session: session(settings)?,
            limits: limits(settings)?,
            speed: speed(settings)?,
            journal: folder(settings, "live.journal")?,
            bounds: bounds(settings)?,
            resume,
            from: settings.get("live.from")?,
            bars,
            history_bars: count(settings, "live.history_bars", 1..=TraderOptions::MAX_HISTORY_BARS)?,
            closing: closing(settings)?,
            watch: watch(settings)?,
            swap: settings.require("live.swap")?,
            stream_url: settings.require("live.stream_url")?,
            keys,
            venue,
            project: settings.require("live.project")?,
            guard: guard(settings, &source)?,
            metrics: metrics(settings)?,
            source,
        })
    }
}

/// Refuses a stock: its bars stop with the session, its orders have rules of their own, and neither is dealt with here.
fn check_symbol(settings: &Settings, symbol: &Symbol) -> Result<(), Failure> {
    if symbol.is_pair() {
        return Ok(());
    }
    let why = format!(
        "{symbol} is a stock, which is for data and research only: a trader's market never closes; expected a currency \
         pair such as BTC/USD"
    );
    Err(settings.refuse("data.symbol", &why))
}

/// Where metrics are read. A port alone is one of this machine; what others may read is named in full.
fn metrics(settings: &Settings) -> Result<Option<SocketAddr>, Failure> {
    let Some(text) = settings.get::<String>("live.metrics")? else { return Ok(None) };
    let port = text.parse::<u16>().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let address = port.or_else(|| text.parse().ok()).filter(|address| address.port() != 0);
    let why = "expected an address with a port such as 127.0.0.1:9184, or a port, 1 to 65535";
    address.map(Some).ok_or_else(|| settings.refuse("live.metrics", why))
}

impl LiveConfig {
    /// Whether an account would trade a model that has seen made-up bars alone; none is known of a model without a record
    /// of how it was made.
    pub fn trades_on_made_up_bars(&self, model: &ModelId) -> bool {
        let record = walkforward_store::read_model(&self.models_dir, model).ok().map(|(record, _)| record);
        let recipe = record.and_then(|record| record.recipe);
        let is_made_up = |recipe: Recipe| {
            let source = recipe.settings.get("data.source").map(String::as_str);
            source == Some("synthetic") && !recipe.settings.contains_key("data.path")
        };
        self.venue.is_some() && recipe.is_some_and(is_made_up)
    }
}

/// What an account asks of a session: bars of now, and a journal that goes on.
fn check_for_venue(settings: &Settings, source: &SourceConfig, resume: bool) -> Result<(), Failure> {
    if !source.is_service() {
        let why = "an account trades on live bars: choose --source alpaca as well";
        return Err(settings.refuse("live.venue", why));
    }
    if !resume {
        let why =
            "a session with an account goes on with its journal, or it would forget its orders: leave it out";
        return Err(settings.refuse("live.continue", why));
    }
    if settings.require("market.shorting")? {
        return Err(settings.refuse("market.shorting", "the account's market has no short positions"));
    }
    Ok(())
}

/// A replay watches over nobody unless somebody asks for it: what it takes back, trades no more.
fn guard(settings: &Settings, source: &SourceConfig) -> Result<Option<GuardConfig>, Failure> {
    let days = count(settings, "live.quarantine_days", 0..=MAX_QUARANTINE_DAYS)? as u64;
    let challengers = count(settings, "live.challengers", 0..=MAX_CHALLENGERS)?;
    let is_on = settings.get("live.guard")?.unwrap_or(source.is_service());
    let quarantine = Duration::from_secs(days * DAY_SECONDS);
    Ok(is_on.then_some(GuardConfig { quarantine, challengers }))
}

fn speed(settings: &Settings) -> Result<Speed, Failure> {
    let text: String = settings.require("live.speed")?;
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times > 0.0 && times <= MAX_SPEED => Ok(Speed::Times(times)),
        _ => Err(settings
            .refuse("live.speed", &format!("expected max, or a number above 0 and at most {MAX_SPEED}"))),
    }
}

fn limits(settings: &Settings) -> Result<SessionLimits, Failure> {
    let orders = match settings.is_set("live.max_orders_per_hour") {
        true => Some(count(settings, "live.max_orders_per_hour", 1..=3_600)?),
        false => None,
    };
    let notional = settings.number("live.max_position_notional", 0.0..=SessionConfig::MAX_INITIAL_CASH)?;
    let limits = SessionLimits {
        max_position: share(settings, "live.max_position")?.unwrap_or(1.0),
        max_position_notional: notional
            .map(Cash::new)
            .transpose()
            .map_err(|error| settings.refuse("live.max_position_notional", &error.to_string()))?,
        max_drawdown: share(settings, "live.max_drawdown")?,
        max_daily_loss: share(settings, "live.max_daily_loss")?,
        max_orders_per_hour: orders.and_then(|orders| u32::try_from(orders).ok()),
        price_collar: share(settings, "live.price_collar")?,
        grades: grade_caps(settings)?,
    };
    limits.validate().map_err(|error| Failure::input(error.to_string()))?;
    Ok(limits)
}

fn bounds(settings: &Settings) -> Result<JournalBounds, Failure> {
    let mib = count(settings, "live.segment_mib", 1..=1_024)?;
    let keep_segments = count(settings, "live.keep_segments", JournalBounds::KEEP_SEGMENTS)?;
    Ok(JournalBounds { segment_bytes: mib as u64 * MIB, keep_segments })
}

fn seconds(settings: &Settings, key: &'static str) -> Result<Duration, Failure> {
    Ok(Duration::from_secs(count(settings, key, 0..=MAX_CLOSING_SECONDS)? as u64))
}

fn closing(settings: &Settings) -> Result<ClosingRules, Failure> {
    let ms = |key| seconds(settings, key).map(|time| time.as_millis() as i64);
    let (grace_ms, patience_ms) = (ms("live.grace_seconds")?, ms("live.patience_seconds")?);
    Ok(ClosingRules { grace_ms, patience_ms, ..ClosingRules::default() })
}

fn watch(settings: &Settings) -> Result<WatchRules, Failure> {
    let behaviour = |key| settings.require::<Behaviour>(key);
    let days = count(settings, "live.expires_days", 1..=MAX_EXPIRES_DAYS)? as u64;
    let hours = count(settings, "live.warn_hours", 1..=24 * MAX_EXPIRES_DAYS)? as u64;
    let stale = count(settings, "live.stale_after_bars", 1..=MAX_STALE_BARS)?;
    Ok(WatchRules {
        max_decision_delay: seconds(settings, "live.max_decision_delay_seconds")?,
        stale_after_bars: u32::try_from(stale).unwrap_or(u32::MAX),
        on_stale: behaviour("live.on_stale")?,
        warns_after: Duration::from_secs(hours * HOUR_SECONDS),
        expires_after: Duration::from_secs(days * DAY_SECONDS),
        on_expired: behaviour("live.on_expired")?,
        on_no_model: behaviour("live.on_no_model")?,
    })
}
