//! Where a live trader's orders go: on paper, or to an account at a venue.

use std::sync::Arc;

use walkforward_alpaca::{AlpacaVenue, Keys, LiveConfirmation, TradingConfig};
use walkforward_core::{Clock, Symbol, Venue};
use walkforward_live::{DisasterStop, DriverMode, ExternalPosition, GradeCaps, OrderTimes, VenueAccess};

use crate::failure::{Failure, chain};
use crate::settings::Settings;

/// An account at a venue.
#[derive(Debug, Clone)]
pub struct VenueConfig {
    /// Its name in journals and locks: `alpaca-paper` or `alpaca-live`.
    pub name: &'static str,
    /// The account, and how to reach it.
    pub trading: TradingConfig,
    /// Whether orders are handed in, or only decided.
    pub mode: DriverMode,
    /// What becomes of a position that the ledger does not explain.
    pub external: ExternalPosition,
    /// A stop behind every position.
    pub disaster_stop: Option<DisasterStop>,
}

impl VenueConfig {
    /// The account that `settings` name; none on paper.
    pub(crate) fn from_settings(
        settings: &Settings,
        symbol: &Symbol,
        keys: Option<&Keys>,
    ) -> Result<Option<Self>, Failure> {
        let kind: String = settings.require("live.venue")?;
        let name = match kind.as_str() {
            "paper" => return refuse_without_venue(settings).map(|()| None),
            "alpaca-paper" => "alpaca-paper",
            "alpaca-live" => "alpaca-live",
            _ => return Err(settings.refuse("live.venue", "expected paper, alpaca-paper or alpaca-live")),
        };
        let keys = keys.cloned().ok_or_else(|| {
            settings.refuse(
                "live.venue",
                "an account needs its keys: set APCA_API_KEY_ID and APCA_API_SECRET_KEY",
            )
        })?;
        let mut trading = match name {
            "alpaca-live" => TradingConfig::live(symbol.clone(), keys, confirmation(settings)?),
            _ => TradingConfig::paper(symbol.clone(), keys),
        };
        if let Some(url) = settings.get::<String>("live.trading_url")? {
            let url = url.trim_end_matches('/').trim_end_matches("/v2").to_owned();
            // `https` becomes `wss`, `http` becomes `ws`.
            trading.stream_url = format!("{}/stream", url.replacen("http", "ws", 1));
            trading.rest_url = url;
        }
        trading.proxy = settings.secrets().proxy();
        // Processes of one account should not try again in step.
        trading.jitter_seed = u64::from(std::process::id());
        let observes: bool = settings.require("live.observe")?;
        let mode = if observes { DriverMode::Observe } else { DriverMode::Trade };
        let external = external(settings)?;
        Ok(Some(Self { name, trading, mode, external, disaster_stop: disaster_stop(settings)? }))
    }

    /// The venue.
    ///
    /// # Errors
    /// A setting that it refuses: a stock, an address that could be real money's.
    pub fn open(&self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Venue>, Failure> {
        let venue = AlpacaVenue::new(self.trading.clone(), Arc::clone(clock));
        Ok(Arc::new(venue.map_err(|error| Failure::input(chain(&error)))?))
    }

    /// What a trader is handed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn access(&self, clock: &Arc<dyn Clock>) -> Result<VenueAccess, Failure> {
        Ok(VenueAccess {
            name: self.name.to_owned(),
            venue: self.open(clock)?,
            mode: self.mode,
            external: self.external,
            disaster_stop: self.disaster_stop,
            times: OrderTimes::default(),
        })
    }
}

/// What a model of each grade may hold: all of it on paper, by its evidence where money is real, unless settings say.
pub(crate) fn grade_caps(settings: &Settings) -> Result<GradeCaps, Failure> {
    let Some(text) = settings.get::<String>("live.grade_caps")? else {
        let is_live = settings.require::<String>("live.venue")? == "alpaca-live";
        return Ok(if is_live { GradeCaps::LIVE } else { GradeCaps::PAPER });
    };
    let shares: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse::<f64>()).collect();
    match shares.as_deref() {
        Ok([none, provisional, screened, qualified])
            if [none, provisional, screened, qualified].iter().all(|share| (0.0..=1.0).contains(*share)) =>
        {
            let (none, provisional, screened, qualified) = (*none, *provisional, *screened, *qualified);
            Ok(GradeCaps { none, provisional, screened, qualified })
        }
        _ => Err(settings.refuse(
            "live.grade_caps",
            "expected four shares from 0 to 1: without a grade, provisional, screened, qualified, as in 0,0,0.1,1",
        )),
    }
}

/// The typed words without which no order costs money.
fn confirmation(settings: &Settings) -> Result<LiveConfirmation, Failure> {
    let words: String = settings.get("live.real_money")?.unwrap_or_default();
    LiveConfirmation::typed(&words).map_err(|_| {
        let expected = format!(
            "orders of alpaca-live cost real money: write real_money = \"{}\" under [live] to mean it",
            LiveConfirmation::WORDS
        );
        settings.refuse("live.real_money", &expected)
    })
}

fn external(settings: &Settings) -> Result<ExternalPosition, Failure> {
    match settings.require::<String>("live.external_position")?.as_str() {
        "refuse" => Ok(ExternalPosition::Refuse),
        "adopt" => Ok(ExternalPosition::Adopt),
        _ => Err(settings.refuse("live.external_position", "expected refuse or adopt")),
    }
}

fn disaster_stop(settings: &Settings) -> Result<Option<DisasterStop>, Failure> {
    let percent = |key| settings.number(key, 0.01..=99.0);
    let limit_pct = percent("live.disaster_limit_pct")?.unwrap_or(5.0);
    Ok(percent("live.disaster_stop_pct")?.map(|stop_pct| DisasterStop { stop_pct, limit_pct }))
}

/// Refuses what says something about an account where there is none.
fn refuse_without_venue(settings: &Settings) -> Result<(), Failure> {
    let keys = ["live.disaster_stop_pct", "live.observe", "live.real_money", "live.price_collar"];
    match keys.into_iter().find(|key| settings.is_changed(key)) {
        None => Ok(()),
        Some(key) => Err(settings.refuse(key, "there is no account on paper: choose one with --venue")),
    }
}
