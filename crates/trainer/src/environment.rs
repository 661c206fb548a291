//! Trading sessions that run side by side over random stretches of the market.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use walkforward_core::{Action, ActionMap};
use walkforward_engine::{EngineError, SessionConfig, TradingSession, write_observation};

use crate::market::Market;
use crate::{PpoConfig, TrainerError};

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its bars were over; the session could have gone on.
    Truncated,
    /// Everything was lost.
    Terminated,
}

/// What one step of one session came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// `reward_scale * ln(equity / equity before)`, net of costs.
    pub(crate) reward: f32,
    pub(crate) end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    session: TradingSession,
    at: usize,
    steps_left: usize,
    log_return: f64,
}

/// `num_envs` sessions over one market.
pub(crate) struct Environments<'a> {
    market: &'a Market,
    fresh: TradingSession,
    actions: ActionMap,
    episodes: Vec<Episode>,
    last_start: usize,
    episode_bars: usize,
    lookback: usize,
    reward_scale: f64,
    rng: ChaCha8Rng,
    /// Log returns of the episodes that ended since they were last taken.
    finished: Vec<f64>,
}

impl<'a> Environments<'a> {
    pub(crate) fn new(
        market: &'a Market,
        session: SessionConfig,
        actions: ActionMap,
        config: &PpoConfig,
        rng: ChaCha8Rng,
    ) -> Result<Self, TrainerError> {
        let mut environments = Self {
            market,
            fresh: TradingSession::new(session)?,
            actions,
            episodes: Vec::with_capacity(config.num_envs),
            last_start: market.last_start(config.episode_bars)?,
            episode_bars: config.episode_bars,
            lookback: config.lookback,
            reward_scale: config.reward_scale,
            rng,
            finished: Vec::new(),
        };
        for _ in 0..config.num_envs {
            let mut episode = environments.start();
            // First episodes of random length keep the sessions from ending all at the same step.
            episode.steps_left = environments.rng.random_range(1..=config.episode_bars);
            environments.episodes.push(episode);
        }
        Ok(environments)
    }

    fn start(&mut self) -> Episode {
        let at = self.rng.random_range(self.market.first()..=self.last_start);
        let (bar, present) = self.market.bar(at);
        let mut session = self.fresh;
        session.on_bar(bar, present);
        Episode { session, at, steps_left: self.episode_bars, log_return: 0.0 }
    }

    /// Writes what session `env` looks at, `[obs_dim]`.
    pub(crate) fn observe(&self, env: usize, observation: &mut [f32]) -> Result<(), EngineError> {
        let episode = &self.episodes[env];
        let rows = self.market.window(episode.at, self.lookback);
        write_observation(rows, episode.session.portfolio(), observation)
    }

    /// Decides in session `env` and takes it to the close of the next bar. An episode that ended stays where it is
    /// until [`restart`](Self::restart).
    pub(crate) fn step(&mut self, env: usize, action: usize) -> Step {
        let episode = &mut self.episodes[env];
        let action = u8::try_from(action).ok().map(Action);
        if let Some(target) = action.and_then(|action| self.actions.target(action)) {
            // An order that the risk checks refuse is no order, as in a backtest.
            let _ = episode.session.decide(target, self.market.close_time(episode.at));
        }
        episode.at += 1;
        episode.steps_left -= 1;
        let (bar, present) = self.market.bar(episode.at);
        let outcome = episode.session.on_bar(bar, present);
        episode.log_return += outcome.log_return;
        let end = end_of_episode(outcome.equity, episode.steps_left);
        Step { reward: (self.reward_scale * outcome.log_return) as f32, end }
    }

    /// Begins a new episode in session `env`.
    pub(crate) fn restart(&mut self, env: usize) {
        self.finished.push(self.episodes[env].log_return);
        self.episodes[env] = self.start();
    }

    /// Mean log return of the episodes that ended since the last call; `None` when none did.
    pub(crate) fn take_episode_return(&mut self) -> Option<f64> {
        let count = self.finished.len();
        let sum: f64 = self.finished.drain(..).sum();
        (count > 0).then(|| sum / count as f64)
    }
}

fn end_of_episode(equity: f64, steps_left: usize) -> Option<End> {
    match (equity > 0.0, steps_left) {
        (false, _) => Some(End::Terminated),
        (true, 0) => Some(End::Truncated),
        (true, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;
    use walkforward_engine::run_target;

    use super::*;
    use crate::test_markets::{dataset, zigzag};

    fn config() -> PpoConfig {
        PpoConfig { num_envs: 1, lookback: 2, episode_bars: 30, ..PpoConfig::default() }
    }

    #[test]
    fn rewards_are_those_of_a_backtest_over_the_same_bars() {
        let data = dataset(zigzag(120, 10, 0.01), 40);
        let market = Market::new(&data, 2, None).unwrap();
        let rng = ChaCha8Rng::seed_from_u64(4);
        let session = SessionConfig::default();
        let mut environments =
            Environments::new(&market, session, ActionMap::LongFlat, &config(), rng).unwrap();
        environments.restart(0);
        let start = environments.episodes[0].at;
        let action = |bar: usize| bar / 7 % 2;
        let mut rewards = Vec::new();
        let end = loop {
            let step = environments.step(0, action(environments.episodes[0].at));
            rewards.push(f64::from(step.reward));
            if let Some(end) = step.end {
                break end;
            }
        };
        assert_eq!((end, rewards.len()), (End::Truncated, 30));
        let present = vec![true; data.bars.len()];
        let target = |bar| action(bar) as f64;
        let record = run_target(target, &data.bars, &present, start..start + 31, &session).unwrap();
        assert!(!record.fills.is_empty());
        for (reward, net_return) in rewards.iter().zip(&record.net_return[1..]) {
            assert!((reward - 100.0 * net_return.ln_1p()).abs() < 1e-4, "{reward} {net_return}");
        }
        environments.take_episode_return();
        environments.restart(0);
        let total = (record.equity[30] / session.initial_cash).ln();
        assert!((environments.take_episode_return().unwrap() - total).abs() < 1e-9);
    }

    #[test]
    fn a_total_loss_terminates_and_the_last_bar_truncates() {
        assert_eq!(end_of_episode(1.0, 5), None);
        assert_eq!(end_of_episode(1.0, 0), Some(End::Truncated));
        assert_eq!(end_of_episode(0.0, 5), Some(End::Terminated));
        assert_eq!(end_of_episode(0.0, 0), Some(End::Terminated));
    }
}
