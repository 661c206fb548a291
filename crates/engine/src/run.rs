//! The bar loop of a backtest.

mod lookahead;

use std::hint::black_box;
use std::ops::Range;

use walkforward_core::{Action, BarSeries, Fill, Policy, Target, Timestamp};

use crate::state::{Prices, SessionRules, SessionState};
use crate::{EngineError, NormalisedRows, SessionConfig, TradingSession};
use lookahead::Lookahead;

/// A whole run, bar by bar. All series have one entry for each bar of the run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionRecord {
    /// Close of each bar, `[n_bars]`.
    pub bar_close: Vec<Timestamp>,
    /// Equity at each close, `[n_bars]`.
    pub equity: Vec<f64>,
    /// Net return of equity over each bar, `[n_bars]`.
    pub net_return: Vec<f64>,
    /// Position at each close as a fraction of equity, before that bar's decision, `[n_bars]`.
    pub position: Vec<f64>,
    /// Action taken at each close; none while features warm up or when no policy ran, `[n_bars]`.
    pub actions: Vec<Option<Action>>,
    /// Fills in order.
    pub fills: Vec<Fill>,
    /// Orders that the risk checks refused.
    pub rejected_orders: usize,
    /// Orders that came to nothing: no such bar, or too small an amount.
    pub lapsed_orders: usize,
}

impl SessionRecord {
    /// Adds what the session did on the bars after these.
    pub fn append(&mut self, later: Self) {
        self.bar_close.extend(later.bar_close);
        self.equity.extend(later.equity);
        self.net_return.extend(later.net_return);
        self.position.extend(later.position);
        self.actions.extend(later.actions);
        self.fills.extend(later.fills);
        self.rejected_orders += later.rejected_orders;
        self.lapsed_orders += later.lapsed_orders;
    }
}

/// Runs `policy` over the bars with indices in `range`, starting flat.
///
/// At each bar the order of the previous bar fills at the open, the position is marked at the close, then the policy
/// decides. So the first bar's return is 0, and the decision on the last bar fills nothing. `features` are those of
/// `bars` by index, normalised with the policy's normaliser; a bar without a full window of them has no decision.
/// `present` says which bars the source has, `[bars.len()]`: on the others, orders lapse.
///
/// Decisions are those of [`Policy::act`], one bar at a time: where the policy answers many rows for little, the run
/// asks for a few bars ahead, as they will be unless a decision makes an order, and throws away what one overtakes.
///
/// # Errors
/// A range beyond the series, features of another width, an action scheme that the market refuses, a policy that
/// does not answer or whose action is unknown, or settings out of range.
pub fn run_policy(
    policy: &dyn Policy,
    bars: &BarSeries,
    present: &[bool],
    features: &NormalisedRows,
    range: Range<usize>,
    config: &SessionConfig,
) -> Result<SessionRecord, EngineError> {
    continue_policy(&mut TradingSession::new(*config)?, policy, bars, present, features, range)
}

/// [`run_policy`] from where `session` stands to where it then stands: the order that waited in it fills on the first
/// bar, and the decision on the last one waits in it. A run that is cut into several is the same, bit for bit.
///
/// # Errors
/// As [`run_policy`]; then `session` is as before.
pub fn continue_policy(
    session: &mut TradingSession,
    policy: &dyn Policy,
    bars: &BarSeries,
    present: &[bool],
    features: &NormalisedRows,
    range: Range<usize>,
) -> Result<SessionRecord, EngineError> {
    let expected = policy.spec().features.width();
    if features.width() != expected {
        let actual = features.width();
        return Err(EngineError::Length { what: "a feature row", expected, actual });
    }
    session.config().admit(policy.spec().actions)?;
    let mut run = Run::new(bars, present, &range, session)?;
    run.record.actions.reserve_exact(range.len());
    let mut lookahead = Lookahead::new(policy, features);
    let mut next = range.start;
    while next < range.end {
        next += lookahead.advance(&mut run, next..range.end)?;
    }
    session.state = run.state;
    Ok(run.record)
}

/// Runs the target positions that `target` gives for each bar index, under the same rules as [`run_policy`]:
/// `|_| 0.0` does nothing, `|_| 1.0` buys and holds.
///
/// # Errors
/// A range beyond the series, or settings out of range.
pub fn run_target(
    target: impl FnMut(usize) -> f64,
    bars: &BarSeries,
    present: &[bool],
    range: Range<usize>,
    config: &SessionConfig,
) -> Result<SessionRecord, EngineError> {
    continue_target(&mut TradingSession::new(*config)?, target, bars, present, range)
}

/// [`run_target`] from where `session` stands to where it then stands, as [`continue_policy`]: `|_| 0.0` closes the
/// position that the session holds and does nothing more.
///
/// # Errors
/// As [`run_target`]; then `session` is as before.
pub fn continue_target(
    session: &mut TradingSession,
    mut target: impl FnMut(usize) -> f64,
    bars: &BarSeries,
    present: &[bool],
    range: Range<usize>,
) -> Result<SessionRecord, EngineError> {
    let mut run = Run::new(bars, present, &range, session)?;
    run.record.actions = vec![None; range.len()];
    for bar in range {
        let played = run.play(bar);
        run.keep(played);
        run.follow(Target::Fraction(target(bar)), bar);
    }
    session.state = run.state;
    Ok(run.record)
}

/// A session on its way through the bars.
struct Run<'a> {
    bars: &'a BarSeries,
    present: &'a [bool],
    rules: SessionRules,
    state: SessionState,
    record: SessionRecord,
}

/// What one bar came to.
#[derive(Debug, Clone, Copy)]
struct Played {
    equity: f64,
    net_return: f64,
    position: f64,
}

impl<'a> Run<'a> {
    fn new(
        bars: &'a BarSeries,
        present: &'a [bool],
        range: &Range<usize>,
        session: &TradingSession,
    ) -> Result<Self, EngineError> {
        if present.len() != bars.len() {
            let (expected, actual) = (bars.len(), present.len());
            return Err(EngineError::Length { what: "the list of present bars", expected, actual });
        }
        if range.end > bars.len() || range.start > range.end {
            return Err(EngineError::Range { range: range.clone(), available: bars.len() });
        }
        let bar_close = |time: &Timestamp| time.plus_millis(bars.timeframe().millis());
        let record = SessionRecord {
            bar_close: bars.open_times()[range.clone()].iter().map(bar_close).collect(),
            equity: Vec::with_capacity(range.len()),
            net_return: Vec::with_capacity(range.len()),
            position: Vec::with_capacity(range.len()),
            ..SessionRecord::default()
        };
        Ok(Self { bars, present, rules: session.rules, state: session.state, record })
    }

    /// Takes the session through `bar`: the pending order fills at its open, the position is valued at its close. Fills
    /// go into the record, the rest when the bar is [kept](Self::keep).
    #[inline(always)]
    fn play(&mut self, bar: usize) -> Played {
        // Read on every bar: where only orders asked for it, each would wait for the memory.
        let open = black_box(self.bars.opens()[bar]);
        let prices = Prices { open_time: self.bars.open_times()[bar], open, close: self.bars.closes()[bar] };
        if self.state.pending().is_some() {
            self.fill(prices, bar);
        }
        let growth = self.state.mark_growth(&self.rules, prices, &mut self.record.fills);
        let (equity, position) = (self.state.equity(), self.state.position_fraction());
        Played { equity, net_return: growth - 1.0, position }
    }

    #[inline(never)]
    fn fill(&mut self, prices: Prices, bar: usize) {
        match self.state.fill_pending(&self.rules, prices, self.present[bar]) {
            Some(fill) => self.record.fills.push(fill),
            None => self.record.lapsed_orders += 1,
        }
    }

    /// Writes a bar into the record.
    #[inline]
    fn keep(&mut self, played: Played) {
        let record = &mut self.record;
        record.equity.push(played.equity);
        record.net_return.push(played.net_return);
        record.position.push(played.position);
    }

    /// Does what was decided at the close of `bar`; whether an order waits for the next one.
    #[inline]
    fn follow(&mut self, target: Target, bar: usize) -> bool {
        let decided_at = self.bars.open_times()[bar].plus_millis(self.bars.timeframe().millis());
        match self.state.follow(&self.rules, target, decided_at) {
            Ok(order) => order.is_some(),
            Err(_) => {
                self.record.rejected_orders += 1;
                false
            }
        }
    }
}
