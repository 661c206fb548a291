//! What a session came to.

use serde::{Deserialize, Serialize};
use walkforward_core::{Quantity, Timestamp};
use walkforward_engine::{SessionConfig, TradingSession};

use crate::{BarRecord, Desk, Taken};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The feed has no more bars.
    FeedEnded,
    /// Somebody asked it to stop.
    Stopped,
    /// It failed.
    Failed,
}

/// Figures of a session from one start to one stop of its process. Ratios are fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Why it ended.
    pub stop: StopReason,
    /// Start of its first bar.
    pub first_bar: Option<Timestamp>,
    /// Start of its last bar.
    pub last_bar: Option<Timestamp>,
    /// Bars, filled-in ones included.
    pub bars: u64,
    /// Bars that the feed did not have.
    pub missing_bars: u64,
    /// Bars that were taken too late to decide: no order followed.
    pub missed_bars: u64,
    /// Bars of the feed that had come already.
    pub duplicate_bars: u64,
    /// Bars of the feed that came again with other numbers before their interval had closed.
    pub revised_bars: u64,
    /// Bars of the feed that came after their interval had closed.
    pub late_bars: u64,
    /// Bars of the feed that were left out because they lay beside the clock of their timeframe.
    pub off_grid_bars: u64,
    /// Bars of the feed that were left out because they had not ended yet.
    pub early_bars: u64,
    /// Bars on which a model decided.
    pub decisions: u64,
    /// Bars without a model.
    pub no_model_bars: u64,
    /// Orders that went to the broker or the venue.
    pub orders: u64,
    /// Orders that the risk checks refused.
    pub rejected_orders: u64,
    /// Fills.
    pub fills: u64,
    /// Changes from one model to another; the first model is none.
    pub swaps: u64,
    /// Models that were refused.
    pub refused_models: u64,
    /// Versions that traded, first and last; none without a model.
    pub model_versions: Option<(u64, u64)>,
    /// Cash plus position at the last close.
    pub equity: f64,
    /// Cash at the end.
    pub cash: f64,
    /// Position at the end.
    pub position: Quantity,
    /// All fees in quote currency.
    pub fees_quote: f64,
    /// `equity / initial cash - 1`.
    pub total_return: f64,
    /// Largest fall of equity from its peak, a positive fraction.
    pub max_drawdown: f64,
}

impl SessionSummary {
    pub(crate) fn new(initial_cash: f64) -> Self {
        Self {
            stop: StopReason::FeedEnded,
            first_bar: None,
            last_bar: None,
            bars: 0,
            missing_bars: 0,
            missed_bars: 0,
            duplicate_bars: 0,
            revised_bars: 0,
            late_bars: 0,
            off_grid_bars: 0,
            early_bars: 0,
            decisions: 0,
            no_model_bars: 0,
            orders: 0,
            rejected_orders: 0,
            fills: 0,
            swaps: 0,
            refused_models: 0,
            model_versions: None,
            equity: initial_cash,
            cash: initial_cash,
            position: Quantity::ZERO,
            fees_quote: 0.0,
            total_return: 0.0,
            max_drawdown: 0.0,
        }
    }

    /// No figures yet, of a session that stands where `session` does.
    pub(crate) fn of(session: &TradingSession) -> Self {
        let mut summary = Self::new(session.ledger().start());
        summary.stand(session);
        summary
    }

    /// The figures of a session that somebody stopped before it could begin, anew or where `left` stands.
    pub fn stopped_at_start(config: &SessionConfig, left: Option<&Desk>) -> Self {
        let figures = left.map_or_else(|| Self::new(config.initial_cash), |desk| Self::of(desk.session()));
        Self { stop: StopReason::Stopped, ..figures }
    }

    pub(crate) fn count_taken(&mut self, taken: Taken) {
        *match taken {
            Taken::New => return,
            Taken::Duplicate => &mut self.duplicate_bars,
            Taken::Revised => &mut self.revised_bars,
            Taken::Late => &mut self.late_bars,
            Taken::OffGrid => &mut self.off_grid_bars,
            Taken::Future => &mut self.early_bars,
        } += 1;
    }

    /// Counts a bar after which `session` stands.
    pub(crate) fn count(&mut self, record: &BarRecord, session: &TradingSession) {
        self.first_bar.get_or_insert(record.open_time);
        self.last_bar = Some(record.open_time);
        self.bars += 1;
        self.missing_bars += u64::from(!record.present);
        self.missed_bars += u64::from(record.missed);
        self.no_model_bars += u64::from(record.model.is_none());
        self.decisions += u64::from(record.action.is_some());
        self.fills += record.all_fills().count() as u64;
        self.stand(session);
    }

    /// Notes where `session` stands.
    pub(crate) fn stand(&mut self, session: &TradingSession) {
        self.equity = session.equity();
        self.cash = session.cash();
        self.position = session.position();
        self.fees_quote = session.ledger().fees();
        self.total_return = session.equity() / session.ledger().start() - 1.0;
    }

    /// Notes that `version` trades; true when it replaces another.
    pub(crate) fn note_version(&mut self, version: u64) -> bool {
        let (first, last) = self.model_versions.unwrap_or((version, version));
        self.model_versions = Some((first, version));
        let is_swap = last != version;
        self.swaps += u64::from(is_swap);
        is_swap
    }
}
