//! Decisions of many bars at once, to the bit those of one bar at a time.
//!
//! A decision depends on the session through the position and its profit alone, and without an order both follow from
//! the prices. So the next bars can be played before their decisions are known: the policy answers all of them
//! together, and the first decision that makes an order ends what was right. The session goes back to that bar, and
//! the next round begins behind it.

use std::ops::Range;

use walkforward_core::{Action, Observation, Policy, PolicySpec};

use super::{Played, Run};
use crate::state::SessionState;
use crate::{EngineError, NormalisedRows, write_observation};

/// Most bars of a round, whatever a policy asks for.
const MAX_ROUND: usize = 256;

/// Plays bars in rounds.
pub(super) struct Lookahead<'a> {
    policy: &'a dyn Policy,
    spec: &'a PolicySpec,
    features: &'a NormalisedRows,
    /// Bars of the next round. It doubles when no decision made an order and halves when one did, so that little is
    /// thrown away by a policy that trades often.
    round: usize,
    max_round: usize,
    played: Vec<Ahead>,
    /// `[rows, obs_dim]`.
    observations: Vec<f32>,
    /// `[rows]`.
    actions: Vec<Action>,
}

/// A bar that was played ahead of its decision.
struct Ahead {
    bar: Played,
    /// The session at its close.
    state: SessionState,
    /// Fills up to there.
    fills: usize,
    /// Its row in the observations; none while features warm up.
    row: Option<usize>,
}

impl<'a> Lookahead<'a> {
    pub(super) fn new(policy: &'a dyn Policy, features: &'a NormalisedRows) -> Self {
        let max_round = policy.batch_rows().clamp(1, MAX_ROUND);
        Self {
            policy,
            spec: policy.spec(),
            features,
            round: 1,
            max_round,
            played: Vec::with_capacity(max_round),
            observations: Vec::new(),
            actions: Vec::with_capacity(max_round),
        }
    }

    /// Plays and decides the first bars of `bars`, at least one; how many.
    pub(super) fn advance(&mut self, run: &mut Run<'_>, bars: Range<usize>) -> Result<usize, EngineError> {
        let ahead = bars.start..bars.end.min(bars.start + self.round);
        self.play(run, ahead.clone())?;
        // A row ahead may have no answer that is never asked for: then each is asked for on its own.
        let answered = self.policy.act_batch(&self.observations, &mut self.actions).is_ok();
        for (at, bar) in ahead.clone().enumerate() {
            run.keep(self.played[at].bar);
            let Some(row) = self.played[at].row else {
                run.record.actions.push(None);
                continue;
            };
            let action = if answered { self.actions[row] } else { self.ask(row, bar)? };
            run.record.actions.push(Some(action));
            if self.follow(run, at, bar, action)? {
                run.record.fills.truncate(self.played[at].fills);
                self.round = (self.round / 2).max(2).min(self.max_round);
                return Ok(at + 1);
            }
        }
        if let Some(last) = self.played.last() {
            run.state = last.state;
        }
        self.round = (self.round * 2).min(self.max_round);
        Ok(ahead.len())
    }

    /// Takes the session through `bars` as if nothing were decided, and notes what the policy sees on each.
    fn play(&mut self, run: &mut Run<'_>, bars: Range<usize>) -> Result<(), EngineError> {
        self.played.clear();
        let width = self.spec.obs_dim();
        self.observations.resize(bars.len() * width, 0.0);
        let mut rows = 0;
        for bar in bars {
            let played = run.play(bar);
            let window = self.features.window(bar, self.spec.lookback);
            if let Some(window) = window {
                let observation = &mut self.observations[rows * width..][..width];
                write_observation(window, run.state.portfolio(), observation)?;
            }
            let row = window.is_some().then_some(rows);
            rows += usize::from(row.is_some());
            self.played.push(Ahead { bar: played, state: run.state, fills: run.record.fills.len(), row });
        }
        self.observations.truncate(rows * width);
        self.actions.resize(rows, Action(0));
        Ok(())
    }

    fn ask(&self, row: usize, bar: usize) -> Result<Action, EngineError> {
        let width = self.spec.obs_dim();
        let observation = Observation(&self.observations[row * width..][..width]);
        self.policy.act(observation).map_err(|source| EngineError::Policy { bar, source })
    }

    /// Does what `action` asks for at the close of the bar that was played as number `at`; whether it made an order,
    /// which the session then holds.
    fn follow(&self, run: &mut Run<'_>, at: usize, bar: usize, action: Action) -> Result<bool, EngineError> {
        let state = &self.played[at].state;
        let available = self.spec.actions.len();
        let unknown = EngineError::UnknownAction { action: action.0, available };
        let target = self.spec.actions.decide(action, state.position_fraction()).ok_or(unknown)?;
        run.state = *state;
        Ok(run.follow(target, bar))
    }
}
