//! The champion of a session's line: which model, of which market, and whether an account trades it.

use std::path::PathBuf;

use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward_core::{ModelId, ModelRef, Timeframe};
use walkforward_live::{ChampionError, ChampionLook, ChampionSource, Confirmed, LineChampion, Recovered};
use walkforward_policy::load;
use walkforward_store::{Pointer, PointerReader};

/// The line's champion at the start of a session.
pub(crate) enum AtStart {
    /// It may trade.
    Usable(Box<(Pointer, ModelRef)>),
    /// There is none.
    None,
    /// It can't be used, and what the journal has left open needs somebody who looks after it all the same.
    Unusable,
}

impl AtStart {
    /// The champion that may trade.
    pub(crate) fn usable(&self) -> Option<&(Pointer, ModelRef)> {
        match self {
            Self::Usable(champion) => Some(champion),
            Self::None | Self::Unusable => None,
        }
    }
}

/// The champion, if there is one. One that can't be used stops a session before it starts, unless it goes on from `before`
/// with a position or an order: it then has no model until one can be used, and does what is declared for that.
pub(crate) fn champion(
    config: &LiveConfig,
    pointer: &PointerReader,
    before: Option<&Recovered>,
) -> Result<AtStart, Failure> {
    match usable(config, pointer) {
        Ok(Some(champion)) => Ok(AtStart::Usable(Box::new(champion))),
        Ok(None) => Ok(AtStart::None),
        Err(failure) if before.is_some_and(has_something_open) => {
            tracing::warn!(%failure, "the session goes on without a model");
            Ok(AtStart::Unusable)
        }
        Err(failure) => Err(failure),
    }
}

fn has_something_open(before: &Recovered) -> bool {
    let has_orders = before.orders.as_ref().is_some_and(|orders| !orders.unfinished().is_empty());
    has_orders || !before.desk.session().position().is_zero()
}

fn usable(config: &LiveConfig, pointer: &PointerReader) -> Result<Option<(Pointer, ModelRef)>, Failure> {
    let champion = pointer.read().map_err(|error| Failure::from(&error))?;
    if let Some((_, model)) = &champion {
        load(&model.dir, &model.sha256).map_err(|error| Failure::input(chain(&error)))?;
        admit(config, &model.id).map_err(Failure::input)?;
    }
    Ok(champion)
}

/// Refuses bars of another market than the champion's.
pub(crate) fn check_market(
    champion: &Pointer,
    config: &LiveConfig,
    timeframe: Timeframe,
) -> Result<(), Failure> {
    let Pointer { line, symbol, .. } = champion;
    if *symbol == config.symbol && champion.timeframe == timeframe {
        return Ok(());
    }
    Err(Failure::input(format!(
        "line '{line}' holds {symbol} {} models, the bars are {} {timeframe}: choose bars of its market, or another \
         --line",
        champion.timeframe, config.symbol
    )))
}

/// Refuses what an account does not trade.
fn admit(config: &LiveConfig, model: &ModelId) -> Result<(), String> {
    if !config.trades_on_made_up_bars(model) {
        return Ok(());
    }
    Err(format!(
        "{model} was trained on made-up bars: an account does not trade it; train one on the market's, as with \
         orchestrate --once --source alpaca"
    ))
}

/// The line's champion as its files say. One that an account does not trade is refused whenever it comes, and the model
/// before it trades on.
pub(crate) struct Champion {
    line: LineChampion,
    config: LiveConfig,
}

impl Champion {
    /// The champion of the configured line.
    pub(crate) fn of(config: &LiveConfig) -> Self {
        Self { line: LineChampion::new(&config.models_dir, config.line.clone()), config: config.clone() }
    }
}

impl ChampionSource for Champion {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        let look = self.line.look(again)?;
        if let ChampionLook::Champion(model, _) = &look {
            admit(&self.config, &model.id).map_err(|message| ChampionError { message })?;
        }
        Ok(look)
    }

    fn confirmed(&mut self) -> Option<Confirmed> {
        self.line.confirmed()
    }

    fn file(&self) -> Option<PathBuf> {
        self.line.file()
    }

    fn folder_of(&self, model: &ModelId) -> Option<PathBuf> {
        self.line.folder_of(model)
    }
}
