//! Who is told what happens: the settings, and the sinks and signs of life that they and the environment ask for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use walkforward_notify::{
    CommandSink, Format, Heartbeat, HttpOptions, NoticeKind, NotifyError, NotifyOptions, Patience,
    QuietHours, Rules, Sink, TelegramSink, UnknownKind, WebhookSink, zone,
};

use crate::config::count;
use crate::failure::Failure;
use crate::program::words_of;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The webhooks and where the environment has their addresses.
const WEBHOOKS: [(Format, &str); 4] = [
    (Format::Slack, "WALKFORWARD_NOTIFY_SLACK_URL"),
    (Format::Discord, "WALKFORWARD_NOTIFY_DISCORD_URL"),
    (Format::Ntfy, "WALKFORWARD_NOTIFY_NTFY_URL"),
    (Format::Json, "WALKFORWARD_NOTIFY_WEBHOOK_URL"),
];
const NTFY_TOKEN: &str = "WALKFORWARD_NOTIFY_NTFY_TOKEN";
const TELEGRAM_TOKEN: &str = "WALKFORWARD_NOTIFY_TELEGRAM_TOKEN";
const HEARTBEAT: &str = "WALKFORWARD_HEARTBEAT_URL";
const TRADER_HEARTBEAT: &str = "WALKFORWARD_TRADER_HEARTBEAT_URL";
/// Longest time without the same cause: a week.
const MAX_REPEAT_MINUTES: usize = 10_080;
const MAX_PER_HOUR: usize = 1_000;
const MAX_COMMAND_SECONDS: usize = 50;
const MAX_DISK_MIB: usize = 1 << 30;
const MAX_EXPIRY_DAYS: usize = 3_650;
const MINUTE_SECONDS: u64 = 60;
const DAY_SECONDS: u64 = 86_400;
const MIB: u64 = 1 << 20;

/// Where notices can go, for those who have set nothing yet.
pub const WAYS: &str = "set one of WALKFORWARD_NOTIFY_SLACK_URL, WALKFORWARD_NOTIFY_DISCORD_URL, \
    WALKFORWARD_NOTIFY_NTFY_URL, WALKFORWARD_NOTIFY_WEBHOOK_URL or WALKFORWARD_NOTIFY_TELEGRAM_TOKEN in the environment, \
    or notify.command in the settings file";

/// Which process tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// `orchestrate`.
    Server,
    /// `live-trader`.
    Trader,
}

/// What the settings say about notices.
#[derive(Clone)]
pub struct NotifyConfig {
    /// What is sent, and when.
    pub rules: Rules,
    /// Where to.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Where links lead; without a slash at its end.
    pub page_url: Option<String>,
    heartbeat: Option<SecretString>,
    http: HttpOptions,
}

/// What the server alone looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerChecks {
    /// When the summary of a day is told, as `hour:minute`, and the zone; none for never.
    pub summary: Option<(u32, u32, String)>,
    /// Less room than this is too little, bytes.
    pub disk_low_bytes: u64,
    /// How old a champion's confirmation may be.
    pub expiry: Duration,
}

impl NotifyConfig {
    /// Checks `settings`. Nothing is sent and nobody is asked.
    ///
    /// # Errors
    /// A setting or an address can't be used; the error shows no secret.
    pub fn from_settings(settings: &Settings, teller: Teller) -> Result<Self, Failure> {
        let http = HttpOptions { proxy: settings.secrets().proxy(), ..HttpOptions::default() };
        let secret = |name| settings.secrets().notify(name).cloned();
        let heartbeat = match teller {
            Teller::Trader => secret(TRADER_HEARTBEAT).or_else(|| secret(HEARTBEAT)),
            Teller::Server => secret(HEARTBEAT),
        };
        let sinks = sinks(settings, &http)?;
        Ok(Self { rules: rules(settings)?, sinks, page_url: page_url(settings)?, heartbeat, http })
    }

    /// Whether anybody is told anything.
    pub fn is_on(&self) -> bool {
        !self.sinks.is_empty() || self.heartbeat.is_some()
    }

    /// The options of a service that keeps its outbox in `file`.
    pub fn options(&self, file: PathBuf) -> NotifyOptions {
        let (rules, sinks) = (self.rules.clone(), self.sinks.clone());
        NotifyOptions { rules, sinks, file, patience: Patience::default() }
    }

    /// The signs of life that are asked for. Runs on a tokio runtime.
    ///
    /// # Errors
    /// The address can't be used.
    pub fn heartbeat(&self) -> Result<Option<Heartbeat>, Failure> {
        let started = self.heartbeat.as_ref().map(|url| Heartbeat::start(url, &self.http));
        started.transpose().map_err(|error| refusal(&error))
    }

    /// The address of the page's part `path`, where the settings say where the page is.
    pub fn link(&self, path: &str) -> Option<String> {
        self.page_url.as_ref().map(|url| format!("{url}{path}"))
    }
}

impl ServerChecks {
    /// Checks `settings`.
    ///
    /// # Errors
    /// A setting can't be used.
    pub fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let days = count(settings, "notify.expiry_days", 1..=MAX_EXPIRY_DAYS)? as u64;
        let mib = count(settings, "notify.disk_low_mib", 0..=MAX_DISK_MIB)? as u64;
        Ok(Self {
            summary: summary(settings)?,
            disk_low_bytes: mib * MIB,
            expiry: Duration::from_secs(days * DAY_SECONDS),
        })
    }
}

fn refusal(error: &NotifyError) -> Failure {
    Failure::input(error.to_string())
}

fn rules(settings: &Settings) -> Result<Rules, Failure> {
    let minutes = count(settings, "notify.repeat_minutes", 0..=MAX_REPEAT_MINUTES)? as u64;
    let most = count(settings, "notify.max_per_hour", 1..=MAX_PER_HOUR)?;
    let zone_name: String = settings.require("notify.zone")?;
    zone(&zone_name).map_err(|error| settings.refuse("notify.zone", &error.to_string()))?;
    let hours = settings.get::<String>("notify.quiet_hours")?;
    let quiet = hours.map(|hours| QuietHours::parse(&hours, &zone_name)).transpose();
    Ok(Rules {
        kinds: kinds(settings)?,
        repeat: Duration::from_secs(minutes * MINUTE_SECONDS),
        max_per_hour: u32::try_from(most).unwrap_or(u32::MAX),
        quiet: quiet.map_err(|error| settings.refuse("notify.quiet_hours", &error.to_string()))?,
    })
}

fn kinds(settings: &Settings) -> Result<BTreeSet<NoticeKind>, Failure> {
    let text: String = settings.require("notify.kinds")?;
    if text.trim() == "all" {
        return Ok(NoticeKind::ALL.into_iter().collect());
    }
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let kinds: Result<BTreeSet<_>, _> = words.map(str::parse).collect();
    kinds.map_err(|error: UnknownKind| settings.refuse("notify.kinds", &error.to_string()))
}

fn sinks(settings: &Settings, http: &HttpOptions) -> Result<Vec<Arc<dyn Sink>>, Failure> {
    let secrets = settings.secrets();
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    for (format, name) in WEBHOOKS {
        let Some(url) = secrets.notify(name) else { continue };
        let token = (format == Format::Ntfy).then(|| secrets.notify(NTFY_TOKEN).cloned()).flatten();
        let sink = WebhookSink::new(format, url, token, http);
        sinks.push(Arc::new(sink.map_err(|error| Failure::input(format!("{name}: {error}")))?));
    }
    sinks.extend(telegram(settings, http)?);
    let words = words_of(settings, "notify.command")?;
    if !words.is_empty() {
        let seconds = count(settings, "notify.command_timeout_seconds", 1..=MAX_COMMAND_SECONDS)? as u64;
        let sink = CommandSink::new(words, Duration::from_secs(seconds), Secrets::names());
        sinks.push(Arc::new(sink.map_err(|error| settings.refuse("notify.command", &error.to_string()))?));
    }
    Ok(sinks)
}

fn telegram(settings: &Settings, http: &HttpOptions) -> Result<Option<Arc<dyn Sink>>, Failure> {
    let chat: Option<String> = settings.get("notify.telegram_chat")?;
    match (settings.secrets().notify(TELEGRAM_TOKEN), chat) {
        (None, None) => Ok(None),
        (Some(token), Some(chat)) => {
            let sink = TelegramSink::new(TelegramSink::SERVICE, token, chat.trim(), http);
            Ok(Some(Arc::new(sink.map_err(|error| refusal(&error))?)))
        }
        (Some(_), None) => Err(settings.refuse(
            "notify.telegram_chat",
            &format!("{TELEGRAM_TOKEN} is set: say which chat its bot writes to"),
        )),
        (None, Some(_)) => Err(settings.refuse(
            "notify.telegram_chat",
            &format!("there is no bot: set its token as {TELEGRAM_TOKEN} in the environment"),
        )),
    }
}

fn page_url(settings: &Settings) -> Result<Option<String>, Failure> {
    let Some(url) = settings.get::<String>("notify.page_url")? else { return Ok(None) };
    let is_address = ["http://", "https://"].iter().any(|start| url.starts_with(start));
    if !is_address || url.chars().any(|it| it.is_whitespace() || it.is_control() || it == '@') {
        let expected = "expected an address such as https://box.example.org, without a password";
        return Err(settings.refuse("notify.page_url", expected));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

fn summary(settings: &Settings) -> Result<Option<(u32, u32, String)>, Failure> {
    let Some(text) = settings.get::<String>("notify.daily_summary")? else { return Ok(None) };
    let time = chrono::NaiveTime::parse_from_str(text.trim(), "%H:%M");
    let time = time.map_err(|_| settings.refuse("notify.daily_summary", "expected a time such as 00:05"))?;
    let zone = settings.require("notify.zone")?;
    Ok(Some((chrono::Timelike::hour(&time), chrono::Timelike::minute(&time), zone)))
}
