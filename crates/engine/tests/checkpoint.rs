//! A session that is put away and taken up again goes on as if nothing had happened, or is refused.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::ops::Range;

use common::{Moody, actions, at, walk};
use proptest::prelude::*;
use walkforward_core::{ActionMap, Bar, BarSeries, Cash, MarketRules, Quantity, RiskLimits, RiskRejection};
use walkforward_engine::{
    EngineError, NormalisedRows, SessionCheckpoint, SessionConfig, SessionRecord, TradingSession,
    continue_policy, continue_target, feature_matrix, run_policy,
};

const BARS: usize = 160;
const FIRST: usize = 52;

fn shorting() -> SessionConfig {
    SessionConfig { market: MarketRules::SHORTING, ..Default::default() }
}

fn through_json(session: &TradingSession) -> TradingSession {
    let json = serde_json::to_string(&session.checkpoint()).unwrap();
    TradingSession::resume(*session.config(), &serde_json::from_str(&json).unwrap()).unwrap()
}

/// A policy with its market; every eleventh bar or so is one that the source does not have.
struct Setting {
    policy: Moody,
    bars: BarSeries,
    present: Vec<bool>,
    rows: NormalisedRows,
    config: SessionConfig,
}

impl Setting {
    fn new(seed: u64, policy: Moody, config: SessionConfig) -> Self {
        let bars = walk(seed, BARS);
        let present = (0..BARS).map(|bar| !(bar as u64 ^ seed).is_multiple_of(11)).collect();
        let raw = feature_matrix(&policy.spec.features, &bars).unwrap();
        let rows = raw.normalised(&policy.spec.normaliser).unwrap();
        Self { policy, bars, present, rows, config }
    }

    fn play(&self, session: &mut TradingSession, range: Range<usize>) -> SessionRecord {
        continue_policy(session, &self.policy, &self.bars, &self.present, &self.rows, range).unwrap()
    }

    /// The run in pieces that end at `cuts`, the session put away between each, and how it ended.
    fn in_pieces(&self, cuts: &[usize]) -> (SessionRecord, TradingSession) {
        let mut session = TradingSession::new(self.config).unwrap();
        let (mut record, mut from) = (SessionRecord::default(), FIRST);
        for &cut in cuts.iter().chain(&[BARS]) {
            record.append(self.play(&mut session, from..cut));
            session = through_json(&session);
            from = cut;
        }
        (record, session)
    }

    fn whole(&self) -> SessionRecord {
        let range = FIRST..BARS;
        run_policy(&self.policy, &self.bars, &self.present, &self.rows, range, &self.config).unwrap()
    }
}

/// Text in which any two doubles differ that differ in a bit.
fn exactly(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[test]
fn a_run_may_be_put_away_at_any_bar() {
    let setting = Setting::new(4, Moody::new(ActionMap::ShortFlatLong, 8, 3), shorting());
    let whole = setting.whole();
    assert!(whole.lapsed_orders > 1 && whole.fills.len() > 20);
    assert!(whole.position.iter().any(|&fraction| fraction < -0.5));
    let (_, ended) = setting.in_pieces(&[]);
    let (mut waited, mut lapsed) = (0, 0);
    for cut in FIRST..=BARS {
        let (record, session) = setting.in_pieces(&[cut]);
        assert_eq!((exactly(&record), exactly(&session)), (exactly(&whole), exactly(&ended)), "cut at {cut}");
        let mut before = TradingSession::new(setting.config).unwrap();
        setting.play(&mut before, FIRST..cut);
        waited += usize::from(before.pending().is_some());
        lapsed += usize::from(before.pending().is_some() && cut < BARS && !setting.present[cut]);
    }
    assert!(waited > 20 && lapsed > 1, "orders were put away, also ones that then lapsed: {waited} {lapsed}");
}

#[test]
fn a_short_position_that_is_liquidated_may_be_put_away_before_and_after() {
    let prices = [(100.0, 100.0), (100.0, 110.0), (120.0, 250.0), (260.0, 100.0), (100.0, 90.0)];
    let run = |cut: usize| {
        let mut session = TradingSession::new(shorting()).unwrap();
        let outcomes = prices.iter().enumerate().map(|(index, &(open, close))| {
            if index == cut {
                session = through_json(&session);
            }
            let (high, low) = (f64::max(open, close), f64::min(open, close));
            let outcome = session.on_bar(&Bar::new(at(index), open, high, low, close, 1.0).unwrap(), true);
            session.decide(-1.0, at(index + 1)).unwrap();
            outcome
        });
        outcomes.collect::<Vec<_>>()
    };
    let whole = run(prices.len());
    assert!(whole[2].liquidation.is_some() && whole[4].equity == 0.0);
    for cut in 0..prices.len() {
        assert_eq!(exactly(&run(cut)), exactly(&whole), "cut before bar {cut}");
    }
}

#[test]
fn no_position_closes_the_one_that_a_session_brings_along() {
    let setting = Setting::new(4, Moody::new(ActionMap::ShortFlatLong, 8, 3), shorting());
    let mut session = TradingSession::new(setting.config).unwrap();
    let held = setting.play(&mut session, FIRST..100).position.len() - 1;
    assert_eq!(held, 47);
    assert_ne!(session.position_fraction(), 0.0);
    session.clear_pending();
    let present = vec![true; BARS];
    let record = continue_target(&mut session, |_| 0.0, &setting.bars, &present, 100..110).unwrap();
    assert_ne!(record.position[0], 0.0);
    assert_eq!((&record.position[1..], record.fills.len()), (&[0.0; 9][..], 1));
    assert!(record.fills[0].time == setting.bars.open_times()[101] && record.net_return[0] != 0.0);
    assert_eq!(session.position(), Quantity::ZERO);
}

#[test]
fn a_run_that_fails_leaves_the_session_as_it_was() {
    let mut setting = Setting::new(4, Moody::new(ActionMap::LongFlat, 1, 3), SessionConfig::default());
    let mut session = TradingSession::new(setting.config).unwrap();
    setting.play(&mut session, FIRST..70);
    setting.policy.fails_below = Some(usize::MAX);
    let before = session;
    let Setting { policy, bars, present, rows, .. } = &setting;
    let error = continue_policy(&mut session, policy, bars, present, rows, 70..BARS).unwrap_err();
    assert!(matches!(error, EngineError::Policy { .. }), "{error}");
    let error = continue_policy(&mut session, policy, bars, present, rows, 70..BARS + 1).unwrap_err();
    assert!(matches!(error, EngineError::Range { .. }), "{error}");
    assert_eq!(exactly(&session), exactly(&before));
}

/// A session that is short, with an order to close that waits.
fn short_session() -> TradingSession {
    let mut session = TradingSession::new(shorting()).unwrap();
    session.on_bar(&Bar::flat(at(0), 100.0).unwrap(), true);
    session.decide(-0.5, at(1)).unwrap();
    session.on_bar(&Bar::flat(at(1), 100.0).unwrap(), true);
    session.decide(0.0, at(2)).unwrap();
    session
}

fn refusal(change: impl Fn(&mut SessionCheckpoint)) -> String {
    let mut checkpoint = short_session().checkpoint();
    change(&mut checkpoint);
    TradingSession::resume(shorting(), &checkpoint).unwrap_err().to_string()
}

#[test]
fn what_no_session_can_have_come_to_is_refused_by_name() {
    let check = |change: fn(&mut SessionCheckpoint), expected: &str| {
        let error = refusal(change);
        assert!(error.contains(expected), "{error}");
    };
    check(
        |point| point.market = MarketRules::LONG_ONLY,
        "market was put away as without shorting: expected with",
    );
    check(|point| point.start = 0.0, "start was put away as 0: expected above 0");
    check(|point| point.cash = f64::NAN, "cash was put away as NaN: expected a finite number");
    check(|point| point.cash += 1.0, "equity was put away as");
    check(|point| point.position = Quantity::ZERO, "average_entry was put away as");
    check(|point| point.average_entry = f64::INFINITY, "average_entry was put away as inf");
    check(|point| point.mark = 0.0, "mark was put away as 0: expected a price");
    check(|point| point.mark *= 1.5, "equity was put away as");
    check(|point| point.realised = f64::NEG_INFINITY, "realised was put away as -inf");
    check(|point| point.fees = f64::NAN, "fees was put away as NaN");
    check(|point| point.equity = -1.0, "equity was put away as -1: expected 0 or more");
    check(
        |point| point.bars_in_position = u32::MAX,
        "bars_in_position was put away as 4294967295: expected at most",
    );
    check(|point| point.equity *= 1.1, "expected cash and position at the mark, which are");
}

#[test]
fn a_short_position_is_refused_where_the_market_has_none() {
    let mut checkpoint = short_session().checkpoint();
    let long_only = SessionConfig::default();
    let error = TradingSession::resume(long_only, &checkpoint).unwrap_err().to_string();
    assert!(error.contains("market was put away as with shorting: expected without"), "{error}");
    checkpoint.market = MarketRules::LONG_ONLY;
    let error = TradingSession::resume(long_only, &checkpoint).unwrap_err().to_string();
    assert!(error.contains("position was put away as -") && error.contains("does not sell short"), "{error}");
}

#[test]
fn an_order_that_waits_passes_the_risk_checks_once_more() {
    let mut session = TradingSession::new(SessionConfig::default()).unwrap();
    session.on_bar(&Bar::flat(at(0), 100.0).unwrap(), true);
    session.decide(0.5, at(1)).unwrap();
    let checkpoint = session.checkpoint();
    assert!(checkpoint.pending.is_some());
    let risk = RiskLimits { max_order_notional: Some(Cash::new(4_999.0).unwrap()) };
    let tighter = SessionConfig { risk, ..Default::default() };
    let error = TradingSession::resume(tighter, &checkpoint).unwrap_err();
    assert!(matches!(error, EngineError::PendingOrder(RiskRejection::Notional { .. })), "{error}");
    let error = refusal(|point| {
        point.pending = checkpoint.pending.map(|mut order| {
            order.size = walkforward_core::OrderSize::Quantity(Quantity::from_nanos(i64::MAX));
            order
        })
    });
    assert!(
        error.contains("waited when the session was put away is refused: the order buys back"),
        "{error}"
    );
}

#[test]
fn the_fields_of_a_checkpoint_are_its_version() {
    let whole = serde_json::to_value(short_session().checkpoint()).unwrap();
    let fields: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 10);
    for field in fields {
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(&field);
        let error = serde_json::from_value::<SessionCheckpoint>(without).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
    }
    let mut more = whole.clone();
    more["interest"] = 0.into();
    assert!(serde_json::from_value::<SessionCheckpoint>(more).is_err());
    assert_eq!(serde_json::from_value::<SessionCheckpoint>(whole).unwrap(), short_session().checkpoint());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_run_in_pieces_is_one_run(
        (seed, actions, ahead, patience) in (any::<u64>(), actions(), 1..40_usize, 1..20_u32),
        limit in prop::option::of(2_000.0..20_000.0_f64),
        max_bars_in_position in prop::option::of(1..12_u32),
        mut cuts in prop::collection::vec(FIRST..BARS, 0..12),
    ) {
        cuts.sort_unstable();
        let risk = RiskLimits { max_order_notional: limit.map(|limit| Cash::new(limit).unwrap()) };
        let config = SessionConfig { risk, max_bars_in_position, ..shorting() };
        let setting = Setting::new(seed, Moody::new(actions, ahead, patience), config);
        let (record, _) = setting.in_pieces(&cuts);
        prop_assert_eq!(exactly(&record), exactly(&setting.whole()));
    }

    #[test]
    fn no_session_is_refused_or_changed_on_a_wild_market(
        moves in prop::collection::vec((0.2..5.0f64, 0.2..5.0f64, -1.0..1.0f64, any::<bool>()), 60),
        max_bars_in_position in prop::option::of(1..12_u32),
    ) {
        let config = SessionConfig { max_bars_in_position, ..shorting() };
        let mut session = TradingSession::new(config).unwrap();
        let mut close = 100.0;
        for (index, (gap, growth, target, present)) in moves.into_iter().enumerate() {
            let open = f64::clamp(close * gap, 1e-3, 1e6);
            close = f64::clamp(open * growth, 1e-3, 1e6);
            let (high, low) = (open.max(close), open.min(close));
            let bar = Bar::new(at(index), open, high, low, close, 1.0).unwrap();
            session.on_bar(&bar, present);
            prop_assert_eq!(exactly(&through_json(&session)), exactly(&session));
            let _ = session.decide(target, at(index + 1));
            prop_assert_eq!(exactly(&through_json(&session)), exactly(&session));
        }
    }
}
