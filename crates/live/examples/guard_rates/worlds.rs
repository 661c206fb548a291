//! Markets with an edge that is known, and what a guard makes of champions that trade with it, against it, or as well as
//! their anchor.

use std::error::Error;
use std::sync::Arc;

use walkforward_core::{
    Action, ActionMap, Activation, Bar, FeatureKind, FeatureSpec, ModelId, NetworkSpec, Normaliser,
    Observation, Policy, PolicyError, PolicySpec, Probe, RunId, Timeframe, Timestamp,
};
use walkforward_engine::SessionConfig;
use walkforward_live::{
    FiguresBasis, Guard, GuardBar, GuardRule, GuardSettings, ReplayFigures, Shadow, ShadowBar, ShadowModel,
    ShadowRole, Succession, Watched,
};

/// Hours in which a bad champion has to be taken back: 180 days.
pub(crate) const DECLARED_BARS: usize = 4_320;
/// Hours that the champion was replayed on before it took over: 84 days.
const REPLAYED_BARS: usize = 2_016;
const WARM_UP_BARS: usize = 200;
const BARS_PER_YEAR: f64 = 8_760.0;

/// The market moves by this an hour, up or down for five days on average.
const DRIFT: f64 = 0.0008;
/// Chance of the other direction, each hour.
const TURN: f64 = 1.0 / 120.0;
/// Deviation of an hour besides.
const DEVIATION: f64 = 0.006;

/// What trades, and what it is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Against the edge, beside an anchor that trades with it.
    Bad,
    /// With the edge, beside an anchor that trades against it.
    Good,
    /// With the edge, beside an anchor that always holds: better by little, after its costs.
    BesideHolding,
    /// With the edge, beside an anchor that does as well.
    Equal,
}

/// What became of the champion of one world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// After how many bars it was taken back, and by which rule; none when it still trades at the end.
    pub(crate) taken_back: Option<(usize, GuardRule)>,
    /// Whether it ever fell further than so many times the replay's drawdown, not stretched to the length of the watch.
    pub(crate) fell_beyond_replay: bool,
    /// Its return over the bars that it traded.
    pub(crate) champion_return: f64,
}

/// How many of some worlds came to what.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rates {
    /// Worlds.
    pub(crate) worlds: usize,
    /// Those in which the champion was taken back, by rule.
    pub(crate) by_rule: Vec<(GuardRule, usize)>,
    /// Those of them in which that came within half of the bars.
    pub(crate) in_half_the_bars: usize,
    /// Median number of bars until then.
    pub(crate) median_bars: Option<usize>,
    /// Those in which the champion fell beyond the replay, not stretched.
    pub(crate) fell_beyond_replay: usize,
}

impl Rates {
    /// Share of the worlds in which the champion was taken back.
    pub(crate) fn taken_back(&self) -> f64 {
        self.by_rule.iter().map(|(_, count)| count).sum::<usize>() as f64 / self.worlds.max(1) as f64
    }
}

/// What a guard makes of `scenario` in worlds 0 to `worlds`.
pub(crate) fn rates(scenario: Scenario, worlds: usize) -> Result<Rates, Box<dyn Error>> {
    let outcomes = (0..worlds).map(|world| run(scenario, world as u64)).collect::<Result<Vec<_>, _>>()?;
    let mut bars: Vec<usize> = outcomes.iter().filter_map(|it| Some(it.taken_back?.0)).collect();
    bars.sort_unstable();
    let rules = [GuardRule::Evidence, GuardRule::Drawdown, GuardRule::Turnover, GuardRule::Errors];
    let of = |rule| outcomes.iter().filter(|it| it.taken_back.is_some_and(|(_, by)| by == rule)).count();
    Ok(Rates {
        worlds,
        by_rule: rules.map(|rule| (rule, of(rule))).to_vec(),
        in_half_the_bars: bars.iter().filter(|bars| **bars <= DECLARED_BARS / 2).count(),
        median_bars: bars.get(bars.len() / 2).copied(),
        fell_beyond_replay: outcomes.iter().filter(|it| it.fell_beyond_replay).count(),
    })
}

/// One world: a replay, a takeover, and the watch for [`DECLARED_BARS`].
pub(crate) fn run(scenario: Scenario, world: u64) -> Result<Outcome, Box<dyn Error>> {
    let (champion, anchor) = match scenario {
        Scenario::Bad => (Style::Against(48), Style::With(48)),
        Scenario::Good => (Style::With(48), Style::Against(48)),
        Scenario::BesideHolding => (Style::With(48), Style::Holds),
        Scenario::Equal => (Style::With(48), Style::With(40)),
    };
    let (champion, anchor) = (model(2, champion)?, model(1, anchor)?);
    let mut market = Market::new(world);
    let mut shadow = Shadow::new(SessionConfig::default(), Timeframe::HOUR, WARM_UP_BARS)?;
    for _ in 0..WARM_UP_BARS {
        shadow.warm_up(&market.next_bar()?);
    }
    shadow.add_challenger(champion.clone())?;
    let replay = replay(&mut shadow, &mut market)?;
    let watched =
        Watched { champion: champion.model_id.clone(), anchor: Some(anchor.model_id.clone()), replay };
    shadow.set_champion(champion, Succession::Takeover)?;
    shadow.set_anchor(Some(anchor))?;
    watch(&mut shadow, &mut market, Guard::new(GuardSettings::standard(BARS_PER_YEAR), watched)?)
}

/// The bars before the takeover.
fn replay(shadow: &mut Shadow, market: &mut Market) -> Result<ReplayFigures, Box<dyn Error>> {
    let (mut closes, mut returns, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPLAYED_BARS {
        let bar = &shadow.on_bar(&market.next_bar()?, true)[0];
        closes.push(bar.close);
        returns.push(bar.net_return);
        positions.push(bar.position);
    }
    Ok(ReplayFigures::of_series(FiguresBasis::Stream, &closes, &returns, &positions)?)
}

fn watch(shadow: &mut Shadow, market: &mut Market, mut guard: Guard) -> Result<Outcome, Box<dyn Error>> {
    let allowed = guard.settings().drawdown_factor * guard.watched().replay.max_drawdown.unwrap_or(1.0);
    let mut outcome = Outcome { taken_back: None, fell_beyond_replay: false, champion_return: 0.0 };
    for number in 1..=DECLARED_BARS {
        shadow.on_bar(&market.next_bar()?, true);
        let (champion, anchor) = (last(shadow, ShadowRole::Champion)?, last(shadow, ShadowRole::Anchor)?);
        let bar = GuardBar {
            close: champion.close,
            champion_return: champion.net_return,
            champion_position: champion.position,
            anchor_return: Some(anchor.net_return),
            answer: champion.answer,
        };
        let verdict = guard.push(&bar)?;
        let progress = guard.checkpoint();
        outcome.fell_beyond_replay |= progress.equity.deepest_fall > allowed;
        outcome.champion_return = progress.equity.now - 1.0;
        if let Some(verdict) = verdict {
            outcome.taken_back = Some((number, verdict.rule));
            break;
        }
    }
    Ok(outcome)
}

fn last(shadow: &Shadow, role: ShadowRole) -> Result<&ShadowBar, Box<dyn Error>> {
    shadow.last_of(role).ok_or_else(|| format!("no model is {role:?}").into())
}

/// How a model trades.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// Long while the market has risen over so many hours.
    With(u32),
    /// Long while it has fallen.
    Against(u32),
    /// Always long.
    Holds,
}

struct Trend {
    style: Style,
    spec: PolicySpec,
}

impl Policy for Trend {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let is_long = match self.style {
            Style::With(_) => observation.0[0] > 0.0,
            Style::Against(_) => observation.0[0] < 0.0,
            Style::Holds => true,
        };
        Ok(Action(u8::from(is_long)))
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

fn model(number: i64, style: Style) -> Result<ShadowModel, Box<dyn Error>> {
    let periods = match style {
        Style::With(hours) | Style::Against(hours) => vec![hours],
        Style::Holds => vec![1],
    };
    let features = FeatureSpec::new(vec![FeatureKind::Returns { periods }])?;
    let spec = PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse()?,
        timeframe: Timeframe::HOUR,
        network: NetworkSpec::Mlp {
            inputs: 1 + PolicySpec::PORTFOLIO_INPUTS,
            hidden: vec![],
            outputs: 2,
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0], std: vec![1.0], clip: 5.0 },
        lookback: 1,
        actions: ActionMap::LongFlat,
        used_until: Timestamp::EPOCH,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    };
    let model_id = ModelId::of_run(&RunId::at(Timestamp::EPOCH.plus_millis(number)));
    Ok(ShadowModel { model_id, sha256: "00".repeat(32), policy: Arc::new(Trend { style, spec }) })
}

/// Hours whose drift turns now and then.
struct Market {
    state: u64,
    close: f64,
    hour: i64,
    is_rising: bool,
}

impl Market {
    fn new(world: u64) -> Self {
        let state = (world + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut market = Self { state, close: 100.0, hour: 0, is_rising: true };
        // The first numbers of neighbouring seeds look alike.
        for _ in 0..8 {
            market.uniform();
        }
        market.is_rising = market.uniform() < 0.5;
        market
    }

    /// From 0 to 1: the upper bits of a linear congruential generator.
    fn uniform(&mut self) -> f64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as f64 / (1u64 << 31) as f64
    }

    /// The sum of twelve uniform numbers is near enough to a normal one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn next_bar(&mut self) -> Result<Bar, Box<dyn Error>> {
        self.is_rising ^= self.uniform() < TURN;
        let drift = if self.is_rising { DRIFT } else { -DRIFT };
        let open = self.close;
        self.close = open * (drift + DEVIATION * self.normal()).exp();
        let time = Timestamp::EPOCH.plus_millis(self.hour * Timeframe::HOUR.millis());
        self.hour += 1;
        Ok(Bar::new(time, open, open.max(self.close), open.min(self.close), self.close, 1.0)?)
    }
}
