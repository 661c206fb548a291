//! A line trades one market: that of its champion, and of the schedules that train it.

use serde::{Deserialize, Serialize};
use walkforward_core::{ErrorKind, LineName, Stage, StageError, Symbol, Timeframe};
use walkforward_store::{Champion, ScheduleRecord, Store, StoreError};

use crate::RunError;

/// Key of a schedule's configuration with its [`Market`].
pub const MARKET: &str = "market";

/// What is traded, and how long its bars are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
}

impl Market {
    /// The market of a schedule; none where its configuration names none.
    pub fn of_schedule(record: &ScheduleRecord) -> Option<Self> {
        Self::deserialize(record.config.get(MARKET)?).ok()
    }
}

/// Who decides what a line trades.
pub(crate) struct LineMarkets {
    line: LineName,
    champion: Option<Market>,
    /// With the schedule's name for people.
    schedules: Vec<(String, Market)>,
}

impl LineMarkets {
    /// Of `line`, whose champion is `champion`.
    pub(crate) fn of(
        store: &Store,
        line: &LineName,
        champion: Option<&Champion>,
    ) -> Result<Self, StoreError> {
        let champion = champion.map(|champion| Market {
            symbol: champion.pointer.symbol.clone(),
            timeframe: champion.pointer.timeframe,
        });
        let trains_it = |schedule: &&ScheduleRecord| schedule.line == *line;
        let schedules = store.schedules()?;
        let named = schedules.iter().filter(trains_it).filter_map(|schedule| {
            Some((format!("schedule '{}'", schedule.id), Market::of_schedule(schedule)?))
        });
        Ok(Self { line: line.clone(), champion, schedules: named.collect() })
    }

    /// Refuses another market than theirs before anything is trained: it needs a line of its own. Without a
    /// `timeframe`, which is then the bars' own, the symbol alone is looked at.
    pub(crate) fn admit(&self, symbol: &Symbol, timeframe: Option<Timeframe>) -> Result<(), RunError> {
        let is_other = |market: &Market| {
            market.symbol != *symbol || timeframe.is_some_and(|timeframe| timeframe != market.timeframe)
        };
        let model = |market: &Market| format!("{symbol} {}", timeframe.unwrap_or(market.timeframe));
        if let Some(market) = self.champion.as_ref().filter(|market| is_other(market)) {
            return Err(RunError::from(StoreError::OtherMarket {
                line: self.line.clone(),
                pointer: format!("{} {}", market.symbol, market.timeframe),
                model: model(market),
            }));
        }
        let Some((name, market)) = self.schedules.iter().find(|(_, market)| is_other(market)) else {
            return Ok(());
        };
        let Market { symbol: theirs, timeframe: length } = market;
        let problem = format!(
            "line '{}' belongs to {name}, which trades {theirs} {length}: a {} model needs a line of its own (--line \
             NAME)",
            self.line,
            model(market)
        );
        Err(StageError::new(Stage::Etl, ErrorKind::BadInput, problem).into())
    }
}
