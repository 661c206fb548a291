//! The bar loop of a backtest.

use std::ops::Range;

use walkforward_core::{Action, Bar, BarSeries, Fill, Observation, Policy, Target, Timestamp};

use crate::{EngineError, NormalisedRows, ObservationBuilder, SessionConfig, TradingSession};

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

/// Runs `policy` over the bars with indices in `range`, starting flat.
///
/// At each bar the order of the previous bar fills at the open, the position is marked at the close, then the policy
/// decides. So the first bar's return is 0, and the decision on the last bar fills nothing. `features` are those of
/// `bars` by index, normalised with the policy's normaliser; a bar without a full window of them has no decision.
/// `present` says which bars the source has, `[bars.len()]`: on the others, orders lapse.
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
    let spec = policy.spec();
    let width = spec.features.width();
    if features.width() != width {
        let actual = features.width();
        return Err(EngineError::Length { what: "a feature row", expected: width, actual });
    }
    config.admit(spec.actions)?;
    let mut builder = ObservationBuilder::new(spec.lookback, width);
    run(bars, present, range, config, |bar, session| {
        let Some(rows) = features.window(bar, spec.lookback) else { return Ok((None, None)) };
        let observation = builder.build(rows, session.portfolio())?;
        let action =
            policy.act(Observation(observation)).map_err(|source| EngineError::Policy { bar, source })?;
        let unknown = EngineError::UnknownAction { action: action.0, available: spec.actions.len() };
        let target = spec.actions.decide(action, session.position_fraction()).ok_or(unknown)?;
        Ok((Some(action), Some(target)))
    })
}

/// Runs the target positions that `target` gives for each bar index, under the same rules as [`run_policy`]:
/// `|_| 0.0` does nothing, `|_| 1.0` buys and holds.
///
/// # Errors
/// A range beyond the series, or settings out of range.
pub fn run_target(
    mut target: impl FnMut(usize) -> f64,
    bars: &BarSeries,
    present: &[bool],
    range: Range<usize>,
    config: &SessionConfig,
) -> Result<SessionRecord, EngineError> {
    run(bars, present, range, config, |bar, _| Ok((None, Some(Target::Fraction(target(bar))))))
}

type Decision = (Option<Action>, Option<Target>);

fn run(
    bars: &BarSeries,
    present: &[bool],
    range: Range<usize>,
    config: &SessionConfig,
    mut decide: impl FnMut(usize, &TradingSession) -> Result<Decision, EngineError>,
) -> Result<SessionRecord, EngineError> {
    if present.len() != bars.len() {
        let (expected, actual) = (bars.len(), present.len());
        return Err(EngineError::Length { what: "the list of present bars", expected, actual });
    }
    if range.end > bars.len() || range.start > range.end {
        return Err(EngineError::Range { range, available: bars.len() });
    }
    let mut session = TradingSession::new(*config)?;
    let mut record = SessionRecord::default();
    for index in range {
        let bar = bars.bar(index);
        let close_time = bar.close_time(bars.timeframe());
        record.step(&mut session, &bar, close_time, present[index]);
        let (action, target) = decide(index, &session)?;
        record.actions.push(action);
        if target.is_some_and(|target| session.follow(target, close_time).is_err()) {
            record.rejected_orders += 1;
        }
    }
    Ok(record)
}

impl SessionRecord {
    fn step(&mut self, session: &mut TradingSession, bar: &Bar, close_time: Timestamp, present: bool) {
        let outcome = session.on_bar(bar, present);
        self.bar_close.push(close_time);
        self.equity.push(outcome.equity);
        self.net_return.push(outcome.net_return);
        self.position.push(session.position_fraction());
        self.fills.extend(outcome.fill);
        self.fills.extend(outcome.liquidation);
        self.lapsed_orders += usize::from(outcome.lapsed);
    }
}
