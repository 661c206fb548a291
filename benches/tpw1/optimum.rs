//! What the tasks allow: the best mean reward of a step on a market.

use crate::market::{EPISODE, Kind, Market, POSITIONS, cost, reward};

/// Points of the return grid, points of the noise grid, sweeps of the value iteration.
const RETURNS: usize = 301;
const NOISES: usize = 121;
const SWEEPS: usize = 400;
/// Deviation of the noise of a return.
const SIGMA: f64 = 0.005;

/// The best action for the last return, or for the next one where it is known, `[RETURNS][position]`, and the grid that it is on.
pub(crate) struct BandPolicy {
    least: f64,
    spacing: f64,
    actions: Vec<[usize; 3]>,
}

impl BandPolicy {
    /// By average-reward value iteration on (return, position); the return is the last one, or with `knows_next` the
    /// next one.
    pub(crate) fn new(phi: f64, knows_next: bool) -> Self {
        let deviation = SIGMA / (1.0 - phi * phi).sqrt();
        let (least, spacing) = (-5.0 * deviation, 10.0 * deviation / (RETURNS - 1) as f64);
        let density = noise_density();
        let noise = |z: usize| -6.0 + 12.0 * z as f64 / (NOISES - 1) as f64;
        let next = |x: usize, z: usize| phi * (least + x as f64 * spacing) + SIGMA * noise(z);
        let gain = |x: usize, p: f64| -> f64 {
            if knows_next {
                return reward(0.0, (p * (least + x as f64 * spacing)).ln_1p());
            }
            (0..NOISES).map(|z| density[z] * reward(0.0, (p * next(x, z)).ln_1p())).sum()
        };
        let gains: Vec<[f64; 3]> = (0..RETURNS).map(|x| POSITIONS.map(|p| gain(x, p))).collect();
        let places: Vec<(usize, f64)> = (0..RETURNS * NOISES)
            .map(|i| {
                let at = ((next(i / NOISES, i % NOISES) - least) / spacing).clamp(0.0, (RETURNS - 1) as f64);
                let below = (at as usize).min(RETURNS - 2);
                (below, at - below as f64)
            })
            .collect();
        let mut values = vec![[0.0; 3]; RETURNS];
        let mut actions = vec![[0; 3]; RETURNS];
        for _ in 0..SWEEPS {
            let mut after = values.clone();
            for x in 0..RETURNS {
                let mut expected = [0.0; 3];
                for (z, &(below, share)) in places[x * NOISES..(x + 1) * NOISES].iter().enumerate() {
                    for p in 0..3 {
                        let value = (1.0 - share) * values[below][p] + share * values[below + 1][p];
                        expected[p] += density[z] * value;
                    }
                }
                for from in 0..3_usize {
                    let worth =
                        |to: usize| gains[x][to] + reward(cost(from.abs_diff(to)), 0.0) + expected[to];
                    let best = (1..3).fold(0, |best, to| if worth(to) > worth(best) { to } else { best });
                    (actions[x][from], after[x][from]) = (best, worth(best));
                }
            }
            let base = after[RETURNS / 2][1];
            after.iter_mut().flatten().for_each(|value| *value -= base);
            values = after;
        }
        Self { least, spacing, actions }
    }

    /// The action after a bar of return `x` in `position`.
    pub(crate) fn act(&self, x: f64, position: f64) -> u32 {
        let at = ((x - self.least) / self.spacing).round_ties_even().clamp(0.0, (RETURNS - 1) as f64);
        self.actions[at as usize][(position + 1.0) as usize] as u32
    }
}

/// Density of a sum of twelve uniform numbers less 6, on the noise grid, summing to 1.
fn noise_density() -> Vec<f64> {
    let uniform = vec![1.0; 4096 / 12 + 1];
    let mut density = uniform.clone();
    for _ in 0..11 {
        let mut wider = vec![0.0; density.len() + uniform.len() - 1];
        for (i, x) in density.iter().enumerate() {
            wider[i..i + uniform.len()].iter_mut().for_each(|sum| *sum += x);
        }
        density = wider;
    }
    let at = |z: usize| {
        let place = z as f64 / (NOISES - 1) as f64 * (density.len() - 1) as f64;
        let below = (place as usize).min(density.len() - 2);
        density[below] + (place - below as f64) * (density[below + 1] - density[below])
    };
    let values: Vec<f64> = (0..NOISES).map(at).collect();
    let total: f64 = values.iter().sum();
    values.iter().map(|value| value / total).collect()
}

/// Best mean reward over the market's consecutive episodes with knowledge of every return.
pub(crate) fn foresight(market: &Market) -> f64 {
    let (first, last) = market.starts;
    let count = (last - first) / EPISODE + 1;
    let best = |start: usize| {
        let mut values = [0.0; 3];
        for t in (start..start + EPISODE).rev() {
            let worth = |from: usize, to: usize| {
                reward(cost(from.abs_diff(to)), market.log_growth[t][to]) + values[to]
            };
            values = std::array::from_fn(|from| (0..3).map(|to| worth(from, to)).fold(f64::MIN, f64::max));
        }
        values[1]
    };
    let total: f64 = (0..count).map(|index| best(first + index * EPISODE)).sum();
    total / (count * EPISODE) as f64
}

/// What the best policy earns on `market`, a step; it can be reached from the observation.
pub(crate) fn optimum(kind: Kind, market: &Market) -> f64 {
    match kind {
        Kind::Sine => foresight(market),
        Kind::Autoregressive(0) => 0.0,
        Kind::Autoregressive(_) => {
            let last_return = |t: usize| if t == 0 { 0.0 } else { market.change[t - 1] };
            earned(market, &BandPolicy::new(kind.phi(), false), last_return)
        }
        Kind::Leak => earned(market, &BandPolicy::new(0.0, true), |t| market.change[t]),
    }
}

/// Mean reward of a step of `policy`, which acts on the return that `seen` gives for a bar.
fn earned(market: &Market, policy: &BandPolicy, seen: impl Fn(usize) -> f64) -> f64 {
    let score = crate::sanity::evaluate(market, |trading, actions| {
        for (env, action) in actions.iter_mut().enumerate() {
            let (t, position) = trading.state(env);
            *action = policy.act(seen(t), position);
        }
    });
    score.reward
}
