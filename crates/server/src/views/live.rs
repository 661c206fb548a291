//! Sessions of traders: as their journals were carried over, and as those that run answer.

use serde::Serialize;
use utoipa::ToSchema;
use walkforward_core::{LoadedModel, SessionId, SessionRestriction, SessionStatus, Timestamp};
use walkforward_store::{LiveModel, LiveSession};

/// A session of a trader. What only its journal tells is missing until that was carried over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Its name.
    session_id: String,
    /// Its place among all sessions, from 1; none until its journal was carried over.
    number: Option<u64>,
    /// Whose models it trades.
    line: String,
    /// What it trades.
    symbol: String,
    /// Length of its bars.
    timeframe: String,
    /// Where its orders go: `paper`, or the venue's name.
    venue: String,
    /// Whether its trader runs on this machine.
    running: bool,
    /// What the running trader says; none where it does not run, or did not answer in time.
    status: Option<StatusView>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended, by the time of its bars: of made-up bars or of a file, one of the past. None while it runs, or when
    /// nobody saw its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Why it ended.
    end_reason: Option<String>,
    /// What it may do: `active`, `reduce_only` or `halted`.
    mode: String,
    /// Its bars.
    bars: u64,
    /// How many of them were too late to be decided.
    missed: u64,
    /// Its fills.
    fills: u64,
    /// How often another model came.
    swaps: u64,
    /// Its events.
    events: u64,
    /// Start of its last bar.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_bar: Option<Timestamp>,
    /// Quote currency at its start.
    initial_cash: Option<f64>,
    /// Cash and position at the last close, quote currency.
    equity: f64,
    /// Quote currency at hand then.
    cash: f64,
    /// Amount of the asset held then; below zero when short.
    position: f64,
    /// Fees so far, quote currency.
    fees: Option<f64>,
    /// Highest equity at a close.
    peak_equity: Option<f64>,
    /// Largest fall from it, a positive fraction.
    max_drawdown: Option<f64>,
    /// The model that decides.
    model: Option<SessionModelView>,
}

/// A model in a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionModelView {
    /// Its name.
    model_id: String,
    /// SHA-256 of its weights, lower-case hex.
    sha256: String,
    /// Its number in the session, from 1.
    model_version: u64,
}

impl From<LiveModel> for SessionModelView {
    fn from(model: LiveModel) -> Self {
        let LiveModel { model_id, sha256, model_version } = model;
        Self { model_id: model_id.to_string(), sha256, model_version }
    }
}

/// A running session behind its last bar.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StatusView {
    /// What it may do: `active`, `reduce_only` or `halted`.
    mode: String,
    /// Why not more.
    restriction: Option<RestrictionView>,
    /// Bars that it has closed.
    bars: u64,
    /// How many of them were too late to be decided.
    missed: u64,
    /// Start of the last one.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_bar: Option<Timestamp>,
    /// Cash and position at the last close, quote currency.
    equity: f64,
    /// Quote currency at hand.
    cash: f64,
    /// Amount of the asset held; below zero when short.
    position: f64,
    /// What the position was worth at the last close, quote currency.
    position_value: f64,
    /// The model that decides; none while there is none.
    model: Option<LoadedModelView>,
    /// Orders whose end is not known.
    open_orders: u32,
    /// Whether bars come.
    is_feed_up: bool,
    /// When the newest one came.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_data_at: Option<Timestamp>,
    /// Number of the session's last event; 0 before the first.
    last_event: u64,
}

impl From<&SessionStatus> for StatusView {
    fn from(status: &SessionStatus) -> Self {
        Self {
            mode: status.mode.to_string(),
            restriction: status.restriction.clone().map(RestrictionView::from),
            bars: status.bars,
            missed: status.missed,
            last_bar: status.last_bar,
            equity: status.equity.get(),
            cash: status.cash.get(),
            position: status.position.units(),
            position_value: status.position_value.get(),
            model: status.model.clone().map(LoadedModelView::from),
            open_orders: status.open_orders,
            is_feed_up: status.is_feed_up,
            last_data_at: status.last_data_at,
            last_event: status.last_event,
        }
    }
}

/// Why a session may do less than everything.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RestrictionView {
    /// Why.
    reason: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it ends by itself; none until somebody ends it.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Whether it takes an acknowledgement to end it.
    needs_acknowledgement: bool,
}

impl From<SessionRestriction> for RestrictionView {
    fn from(restriction: SessionRestriction) -> Self {
        let SessionRestriction { reason, since, until, needs_acknowledgement } = restriction;
        Self { reason: reason.to_string(), since, until, needs_acknowledgement }
    }
}

/// The model that decides in a running session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LoadedModelView {
    /// Its name.
    model_id: String,
    /// SHA-256 of its weights, lower-case hex.
    sha256: String,
    /// Its number in the session, from 1.
    model_version: u64,
    /// What the line's pointer says of it: `provisional`, `screened` or `qualified`.
    grade: Option<String>,
    /// Close of the last bar that it has learned from.
    #[schema(value_type = Option<String>, format = DateTime)]
    trained_until: Option<Timestamp>,
    /// When a cycle last measured it and kept or promoted it.
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<Timestamp>,
}

impl From<LoadedModel> for LoadedModelView {
    fn from(model: LoadedModel) -> Self {
        Self {
            model_id: model.model_id.to_string(),
            sha256: model.sha256,
            model_version: model.model_version,
            grade: model.grade.map(|grade| grade.to_string()),
            trained_until: model.trained_until,
            confirmed_at: model.confirmed_at,
        }
    }
}

impl SessionView {
    /// A session whose journal was carried over.
    pub(crate) fn new(row: LiveSession, running: bool, status: Option<&SessionStatus>) -> Self {
        let LiveSession { began, .. } = row;
        Self {
            session_id: began.id.to_string(),
            number: Some(row.number),
            line: began.line.to_string(),
            symbol: began.symbol.to_string(),
            timeframe: began.timeframe.to_string(),
            venue: began.venue,
            running,
            status: status.map(StatusView::from),
            started_at: began.started_at,
            ended_at: row.ended_at.filter(|_| !running),
            end_reason: row.end_reason.filter(|_| !running),
            mode: row.mode.to_string(),
            bars: row.bars,
            missed: row.missed,
            fills: row.fills,
            swaps: row.swaps,
            events: row.events,
            last_bar: row.last_bar,
            initial_cash: Some(began.initial_cash.get()),
            equity: row.equity.get(),
            cash: row.cash.get(),
            position: row.position.units(),
            fees: Some(row.fees.get()),
            peak_equity: Some(row.peak_equity.get()),
            max_drawdown: Some(row.max_drawdown),
            model: row.model.map(SessionModelView::from),
        }
    }

    /// A session that runs and whose journal was not carried over yet.
    pub(crate) fn only_running(id: &SessionId, status: &SessionStatus) -> Self {
        let model = status.model.clone().map(|model| SessionModelView {
            model_id: model.model_id.to_string(),
            sha256: model.sha256,
            model_version: model.model_version,
        });
        Self {
            session_id: id.to_string(),
            number: None,
            line: status.line.to_string(),
            symbol: status.symbol.to_string(),
            timeframe: status.timeframe.to_string(),
            venue: status.venue.clone(),
            running: true,
            status: Some(StatusView::from(status)),
            started_at: status.started_at,
            ended_at: None,
            end_reason: None,
            mode: status.mode.to_string(),
            bars: status.bars,
            missed: status.missed,
            fills: 0,
            swaps: 0,
            events: 0,
            last_bar: status.last_bar,
            initial_cash: None,
            equity: status.equity.get(),
            cash: status.cash.get(),
            position: status.position.units(),
            fees: None,
            peak_equity: None,
            max_drawdown: None,
            model,
        }
    }
}
