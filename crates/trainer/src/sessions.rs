//! The product's environment: trading sessions that run side by side over random stretches of the market.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::{Action, ActionMap, PolicySpec, Target};
use walkforward_engine::{BarOutcome, SessionBatch, SessionConfig, SessionStep, write_observation};

use crate::environment::{End, Environment, Finished, Step};
use crate::market::Market;
use crate::{PpoConfig, Reward, RewardBar, TrainerError};

/// Where one session is.
#[derive(Debug, Clone)]
struct Episode {
    at: usize,
    steps_left: usize,
    log_return: f64,
    rng: ChaCha8Rng,
    finished: Finished,
    reward: Reward,
}

/// Sessions over one market. The reward is `reward_scale` times what the reward scheme says; the return of an episode
/// is its log return.
pub(crate) struct Sessions<'a> {
    market: &'a Market,
    batch: SessionBatch,
    actions: ActionMap,
    episodes: Vec<Episode>,
    /// What is about to happen to each session, and what it came to: room that is kept.
    steps: Vec<SessionStep<'a>>,
    outcomes: Vec<BarOutcome>,
    last_start: usize,
    episode_bars: usize,
    lookback: usize,
    obs_dim: usize,
    reward_scale: f64,
}

impl<'a> Sessions<'a> {
    /// Those with numbers in `envs` out of all sessions of a training. Each draws from a stream of its own, so what it
    /// does depends on `seed` and its number alone.
    pub(crate) fn new(
        market: &'a Market,
        session: SessionConfig,
        config: &PpoConfig,
        seed: u64,
        envs: Range<usize>,
    ) -> Result<Self, TrainerError> {
        session.admit(config.actions)?;
        let reward = Reward::new(config.reward)?;
        let mut sessions = Self {
            market,
            batch: SessionBatch::new(session, envs.len())?,
            actions: config.actions,
            episodes: Vec::with_capacity(envs.len()),
            steps: Vec::with_capacity(envs.len()),
            outcomes: vec![BarOutcome::EMPTY; envs.len()],
            last_start: market.last_start(config.episode_bars)?,
            episode_bars: config.episode_bars,
            lookback: config.lookback,
            obs_dim: config.lookback * market.width() + PolicySpec::PORTFOLIO_INPUTS,
            reward_scale: config.reward_scale,
        };
        for (slot, env) in envs.enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(env as u64);
            let finished = Finished::default();
            sessions.episodes.push(Episode { at: 0, steps_left: 0, log_return: 0.0, rng, finished, reward });
            sessions.begin(slot);
            // First episodes of random length keep the sessions from ending all at the same step.
            let episode = &mut sessions.episodes[slot];
            episode.steps_left = episode.rng.random_range(1..=config.episode_bars);
        }
        Ok(sessions)
    }

    fn begin(&mut self, env: usize) {
        let episode = &mut self.episodes[env];
        episode.at = episode.rng.random_range(self.market.first()..=self.last_start);
        episode.steps_left = self.episode_bars;
        episode.log_return = 0.0;
        episode.reward.reset();
        self.batch.restart(env, self.market.bar(episode.at).0);
    }

    fn target(&self, env: usize, action: u32) -> Target {
        let portfolio = self.batch.portfolio(env).unwrap_or_default();
        let action = u8::try_from(action).ok().map(Action);
        action
            .and_then(|action| self.actions.decide(action, portfolio.position_fraction))
            .unwrap_or(Target::Hold)
    }
}

impl Environment for Sessions<'_> {
    fn num_envs(&self) -> usize {
        self.episodes.len()
    }

    fn obs_dim(&self) -> usize {
        self.obs_dim
    }

    fn num_actions(&self) -> usize {
        self.actions.len()
    }

    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError> {
        let rows = self.market.window(self.episodes[env].at, self.lookback);
        let portfolio = self.batch.portfolio(env).unwrap_or_default();
        Ok(write_observation(rows, portfolio, observation)?)
    }

    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError> {
        self.steps.clear();
        for (env, &action) in actions.iter().enumerate() {
            let target = self.target(env, action);
            let Some(episode) = self.episodes.get_mut(env) else { break };
            let decided_at = self.market.close_time(episode.at);
            episode.at += 1;
            episode.steps_left = episode.steps_left.saturating_sub(1);
            let (bar, present) = self.market.bar(episode.at);
            self.steps.push(SessionStep { target, decided_at, bar, present });
        }
        self.batch.step(&self.steps, &mut self.outcomes)?;
        for (env, (episode, outcome)) in self.episodes.iter_mut().zip(&self.outcomes).enumerate() {
            episode.log_return += outcome.log_return;
            let position = self.batch.portfolio(env).unwrap_or_default().position_fraction;
            let close = |at: usize| self.market.bar(at).0.close();
            let bar = RewardBar::new(outcome, position, close(episode.at - 1), close(episode.at));
            let reward = (self.reward_scale * episode.reward.step(&bar)) as f32;
            if let Some(step) = steps.get_mut(env) {
                *step = Step { reward, end: end_of_episode(outcome.equity, episode.steps_left) };
            }
        }
        Ok(())
    }

    fn restart(&mut self, env: usize) {
        let episode = &mut self.episodes[env];
        episode.finished.total_return += episode.log_return;
        episode.finished.episodes += 1;
        self.begin(env);
    }

    fn take_finished(&mut self, env: usize) -> Finished {
        std::mem::take(&mut self.episodes[env].finished)
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
    use walkforward_engine::run_target;

    use super::*;
    use crate::test_markets::{dataset, zigzag};

    fn config() -> PpoConfig {
        PpoConfig { num_envs: 3, lookback: 2, episode_bars: 30, ..PpoConfig::default() }
    }

    fn sessions(market: &Market, envs: Range<usize>) -> Sessions<'_> {
        Sessions::new(market, SessionConfig::default(), &config(), 4, envs).unwrap()
    }

    #[test]
    fn rewards_are_those_of_a_backtest_over_the_same_bars() {
        let data = dataset(zigzag(120, 10, 0.01), 40);
        let market = Market::new(&data, 2, None, 0).unwrap();
        let mut sessions = sessions(&market, 0..1);
        sessions.restart(0);
        let start = sessions.episodes[0].at;
        let action = |bar: usize| (bar / 7 % 2) as u32;
        let mut rewards = Vec::new();
        let end = loop {
            let mut step = [Step::EMPTY];
            sessions.step(&[action(sessions.episodes[0].at)], &mut step).unwrap();
            rewards.push(f64::from(step[0].reward));
            if let Some(end) = step[0].end {
                break end;
            }
        };
        assert_eq!((end, rewards.len()), (End::Truncated, 30));
        let present = vec![true; data.bars.len()];
        let session = SessionConfig::default();
        let target = |bar| f64::from(action(bar));
        let record = run_target(target, &data.bars, &present, start..start + 31, &session).unwrap();
        assert!(!record.fills.is_empty());
        for (reward, net_return) in rewards.iter().zip(&record.net_return[1..]) {
            assert!((reward - 100.0 * net_return.ln_1p()).abs() < 1e-4, "{reward} {net_return}");
        }
        sessions.take_finished(0);
        sessions.restart(0);
        let total = (record.equity[30] / session.initial_cash).ln();
        let finished = sessions.take_finished(0);
        assert!(finished.episodes == 1 && (finished.total_return - total).abs() < 1e-9);
        assert_eq!(sessions.take_finished(0), Finished::default());
    }

    #[test]
    fn a_session_does_the_same_whoever_is_beside_it() {
        let data = dataset(zigzag(120, 10, 0.01), 40);
        let market = Market::new(&data, 2, None, 0).unwrap();
        let (mut all, mut last) = (sessions(&market, 0..3), sessions(&market, 2..3));
        let (mut beside, mut alone) = ([Step::EMPTY; 3], [Step::EMPTY]);
        let dim = all.obs_dim();
        for turn in 0..100_u32 {
            let (mut seen, mut seen_alone) = (vec![0.0; 3 * dim], vec![0.0; dim]);
            all.observe(&mut seen).unwrap();
            last.observe(&mut seen_alone).unwrap();
            assert_eq!(seen[2 * dim..], seen_alone);
            let action = turn / 3 % 2;
            all.step(&[1, 0, action], &mut beside).unwrap();
            last.step(&[action], &mut alone).unwrap();
            assert_eq!(beside[2], alone[0]);
            for (env, step) in beside.iter().enumerate() {
                if step.end.is_some() {
                    all.restart(env);
                }
            }
            if alone[0].end.is_some() {
                last.restart(0);
            }
        }
    }

    #[test]
    fn a_total_loss_terminates_and_the_last_bar_truncates() {
        assert_eq!(end_of_episode(1.0, 5), None);
        assert_eq!(end_of_episode(1.0, 0), Some(End::Truncated));
        assert_eq!(end_of_episode(0.0, 5), Some(End::Terminated));
        assert_eq!(end_of_episode(0.0, 0), Some(End::Terminated));
    }

    #[test]
    fn a_scheme_that_the_market_does_not_allow_is_refused() {
        let data = dataset(zigzag(120, 10, 0.01), 40);
        let market = Market::new(&data, 2, None, 0).unwrap();
        let config = PpoConfig { actions: ActionMap::ShortFlatLong, ..config() };
        let refused = Sessions::new(&market, SessionConfig::default(), &config, 4, 0..1);
        assert!(matches!(refused, Err(TrainerError::Engine(_))));
    }
}
