//! What a session may risk, and what happens when it is lost.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use walkforward_core::{Cash, Grade, Target, Timestamp, TradingMode};

use crate::{Behaviour, Condition, ConditionSource, Conditions, LiveError};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Most orders an hour that a limit may allow.
const MAX_ORDERS_PER_HOUR: u32 = 3_600;
/// Longest reason that is kept.
const MAX_REASON_CHARS: usize = 500;

/// Bounds of one session, besides those of each order ([`walkforward_core::RiskLimits`]). Fractions are of equity. They
/// count the session's own ledger: deposits, withdrawals and trades by hand move nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionLimits {
    /// Largest position on either side; 1 is all of the equity.
    pub max_position: f64,
    /// Largest position in quote currency.
    pub max_position_notional: Option<Cash>,
    /// A fall from the peak of equity by this much closes the position and halts the session.
    pub max_drawdown: Option<f64>,
    /// A loss since the day's begin (UTC) of this much lets positions shrink only, until the next day.
    pub max_daily_loss: Option<f64>,
    /// Orders within an hour.
    pub max_orders_per_hour: Option<u32>,
    /// An order is not sent while the newest price differs from the one it was decided on by more than this fraction.
    pub price_collar: Option<f64>,
    /// What a model's grade allows of all these.
    pub grades: GradeCaps,
}

/// The share of the allotted position that a model of each grade may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeCaps {
    /// A model that no stream graded.
    pub none: f64,
    /// [`Grade::Provisional`].
    pub provisional: f64,
    /// [`Grade::Screened`].
    pub screened: f64,
    /// [`Grade::Qualified`].
    pub qualified: f64,
}

impl GradeCaps {
    /// Paper money: everybody may.
    pub const PAPER: Self = Self { none: 1.0, provisional: 1.0, screened: 1.0, qualified: 1.0 };
    /// Real money follows the evidence.
    pub const LIVE: Self = Self { none: 0.0, provisional: 0.0, screened: 0.1, qualified: 1.0 };

    /// The share of a model of `grade`.
    pub fn of(&self, grade: Option<Grade>) -> f64 {
        match grade {
            None => self.none,
            Some(Grade::Provisional) => self.provisional,
            Some(Grade::Screened) => self.screened,
            Some(Grade::Qualified) => self.qualified,
        }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_position: 1.0,
            max_position_notional: None,
            max_drawdown: None,
            max_daily_loss: None,
            max_orders_per_hour: None,
            price_collar: None,
            grades: GradeCaps::PAPER,
        }
    }
}

impl SessionLimits {
    /// Refuses limits out of range.
    ///
    /// # Errors
    /// [`LiveError::Option`] names the first that is wrong.
    pub fn validate(&self) -> Result<(), LiveError> {
        let GradeCaps { none, provisional, screened, qualified } = self.grades;
        let shares = [
            ("max_position", Some(self.max_position)),
            ("max_drawdown", self.max_drawdown),
            ("max_daily_loss", self.max_daily_loss),
            ("price_collar", self.price_collar),
        ];
        let caps = [
            ("grades.none", none),
            ("grades.provisional", provisional),
            ("grades.screened", screened),
            ("grades.qualified", qualified),
        ];
        let wrong = |name, value: String, expected: &str| {
            Err(LiveError::Option { name, value, expected: expected.to_owned() })
        };
        for (name, value) in shares {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && *value <= 1.0)) {
                return wrong(name, value.to_string(), "a fraction above 0, at most 1");
            }
        }
        if let Some((name, value)) = caps.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return wrong(name, value.to_string(), "a fraction from 0 to 1");
        }
        match self.max_orders_per_hour {
            Some(orders) if !(1..=MAX_ORDERS_PER_HOUR).contains(&orders) => {
                wrong("max_orders_per_hour", orders.to_string(), "1 to 3600")
            }
            _ => Ok(()),
        }
    }
}

/// Why a session may do less than everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// What it may do.
    pub mode: TradingMode,
    /// Why, for a person.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether the position is closed.
    pub flatten: bool,
    /// When it ends by itself; none until somebody ends it.
    pub until: Option<Timestamp>,
}

impl Restriction {
    /// A restriction that stays until somebody ends it.
    pub fn new(mode: TradingMode, reason: &str, since: Timestamp, flatten: bool) -> Self {
        let reason = reason.chars().take(MAX_REASON_CHARS).collect();
        Self { mode, reason, since, flatten, until: None }
    }
}

/// A session's limits and what it has come to under them. It is a part of what recovery takes up again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskDesk {
    limits: SessionLimits,
    restriction: Option<Restriction>,
    conditions: Conditions,
    peak_equity: f64,
    /// The day that daily loss is counted in, and the equity at its begin.
    day: Option<(Timestamp, f64)>,
    /// Times of the orders within the last hour, at most one more than the limit.
    orders: VecDeque<Timestamp>,
}

/// A target after the limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Admitted {
    /// What may be done.
    pub target: Target,
    /// What held it back; none where nothing did.
    pub held_back: Option<HeldBack>,
}

/// Which limit held a decision back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBack {
    /// The session is restricted.
    Mode,
    /// The largest position.
    Position,
    /// The model's grade.
    Grade,
    /// Orders within an hour.
    OrderRate,
}

impl RiskDesk {
    /// A desk before the first bar.
    pub fn new(limits: SessionLimits, equity: f64) -> Self {
        let capacity = limits.max_orders_per_hour.map_or(0, |orders| orders as usize + 1);
        let orders = VecDeque::with_capacity(capacity);
        let conditions = Conditions::default();
        Self { limits, restriction: None, conditions, peak_equity: equity, day: None, orders }
    }

    /// The same desk under other limits. What it has come to stays.
    #[must_use]
    pub fn with_limits(mut self, limits: SessionLimits) -> Self {
        let most = limits.max_orders_per_hour.map_or(0, |orders| orders as usize + 1);
        self.orders.drain(..self.orders.len().saturating_sub(most));
        self.orders.reserve_exact(most - self.orders.len());
        Self { limits, ..self }
    }

    /// The limits.
    pub fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// What a limit, or a halt, lets it do, and why not more.
    pub fn restriction(&self) -> Option<&Restriction> {
        self.restriction.as_ref()
    }

    /// What else restricts it, for as long as it lasts.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Begins or ends the condition of `source`.
    pub fn set_condition(&mut self, source: ConditionSource, condition: Option<Condition>) {
        self.conditions.set(source, condition);
    }

    /// What it may do.
    pub fn mode(&self) -> TradingMode {
        let condition = self.conditions.strictest().map_or(TradingMode::Active, |it| it.behaviour.mode());
        self.restricted_to().max(condition)
    }

    /// Whether the position is to be closed, whatever a model says.
    pub fn flattens(&self) -> bool {
        self.restriction.as_ref().is_some_and(|restriction| restriction.flatten)
            || self.conditions.strictest().is_some_and(|it| it.behaviour == Behaviour::Flatten)
    }

    fn restricted_to(&self) -> TradingMode {
        self.restriction.as_ref().map_or(TradingMode::Active, |restriction| restriction.mode)
    }

    /// Fall from the peak of equity, a positive fraction.
    pub fn drawdown(&self, equity: f64) -> f64 {
        if self.peak_equity > 0.0 { 1.0 - equity / self.peak_equity } else { 0.0 }
    }

    /// Loss since the day's begin (UTC) with an equity of `equity`, a positive fraction; below 0 for a gain.
    pub fn daily_loss(&self, equity: f64) -> f64 {
        let begin = self.day.map_or(0.0, |(_, begin)| begin);
        if begin > 0.0 { 1.0 - equity / begin } else { 0.0 }
    }

    /// Orders within the hour before `at`; counted only where a limit does.
    pub fn orders_within_hour(&self, at: Timestamp) -> usize {
        self.orders.iter().filter(|order| at.millis_since(**order) < HOUR_MS).count()
    }

    /// Restricts the session, unless it is restricted more already.
    pub fn restrict(&mut self, restriction: Restriction) {
        let is_stricter = |current: &Restriction| {
            (current.mode, current.until.is_none(), current.flatten)
                >= (restriction.mode, restriction.until.is_none(), restriction.flatten)
        };
        if !self.restriction.as_ref().is_some_and(is_stricter) {
            self.restriction = Some(restriction);
        }
    }

    /// Ends a restriction: somebody has acknowledged it. Drawdown and loss count from `equity` on, or the next bar
    /// would bring it back.
    pub fn acknowledge(&mut self, equity: f64) {
        self.restriction = None;
        self.peak_equity = equity;
        self.day = self.day.map(|(day, _)| (day, equity));
    }

    /// Takes the equity at a bar's close; the restriction that it brings, if it does. Allocates only then.
    pub fn mark(&mut self, close: Timestamp, equity: f64) -> Option<&Restriction> {
        let ended = |restriction: &Restriction| restriction.until.is_some_and(|until| until <= close);
        if self.restriction.as_ref().is_some_and(ended) {
            self.restriction = None;
        }
        self.peak_equity = self.peak_equity.max(equity);
        let day = Timestamp::EPOCH.plus_millis(close.as_millis().div_euclid(DAY_MS) * DAY_MS);
        let begin = match self.day {
            Some((current, begin)) if current == day => begin,
            _ => equity,
        };
        self.day = Some((day, begin));
        self.forget_orders(close);
        let before = self.restricted_to();
        self.mark_drawdown(close, equity);
        self.mark_daily_loss(close, day, equity);
        (self.restricted_to() > before).then_some(self.restriction.as_ref()).flatten()
    }

    fn mark_drawdown(&mut self, close: Timestamp, equity: f64) {
        let Some(limit) = self.limits.max_drawdown else { return };
        let drawdown = self.drawdown(equity);
        if drawdown >= limit && !self.is_closed_down() {
            let reason = format!(
                "equity {equity:.2} is {:.2} % below its peak, {:.2} % is the limit",
                100.0 * drawdown,
                100.0 * limit
            );
            self.restrict(Restriction::new(TradingMode::Halted, &reason, close, true));
        }
    }

    /// Whether a limit has closed the position for good.
    fn is_closed_down(&self) -> bool {
        let is_last = |it: &Restriction| it.mode == TradingMode::Halted && it.flatten;
        self.restriction.as_ref().is_some_and(is_last)
    }

    fn mark_daily_loss(&mut self, close: Timestamp, day: Timestamp, equity: f64) {
        let Some(limit) = self.limits.max_daily_loss else { return };
        let loss = self.daily_loss(equity);
        if loss >= limit && self.restricted_to() < TradingMode::ReduceOnly {
            let reason = format!(
                "equity lost {:.2} % since the day's begin, {:.2} % is the limit",
                100.0 * loss,
                100.0 * limit
            );
            let restriction = Restriction::new(TradingMode::ReduceOnly, &reason, close, false);
            self.restrict(Restriction { until: Some(day.plus_millis(DAY_MS)), ..restriction });
        }
    }

    /// What of `target` may be done with the position at `held` (fractions of `equity`) by a model of `grade`.
    pub fn admit(
        &mut self,
        target: Target,
        held: f64,
        equity: f64,
        grade: Option<Grade>,
        at: Timestamp,
    ) -> Admitted {
        let free = Admitted { target, held_back: None };
        let admitted = match (self.mode(), target) {
            _ if self.flattens() => {
                return Admitted { target: Target::Fraction(0.0), held_back: Some(HeldBack::Mode) };
            }
            (TradingMode::Halted, _) => {
                return Admitted { target: Target::Hold, held_back: Some(HeldBack::Mode) };
            }
            (_, Target::Hold) => free,
            (TradingMode::ReduceOnly, Target::Fraction(fraction)) => reduced(fraction, held),
            (TradingMode::Active, Target::Fraction(fraction)) => self.capped(fraction, equity, grade),
        };
        match admitted.target {
            // Closing is never held back.
            Target::Fraction(fraction) if fraction != 0.0 && self.is_too_fast(at) => {
                Admitted { target: Target::Hold, held_back: Some(HeldBack::OrderRate) }
            }
            _ => admitted,
        }
    }

    fn capped(&self, fraction: f64, equity: f64, grade: Option<Grade>) -> Admitted {
        let share = self.limits.grades.of(grade);
        let notional = self.limits.max_position_notional.filter(|_| equity > 0.0);
        let bound = notional.map_or(1.0, |notional| notional.get() / equity).min(self.limits.max_position);
        let allowed = fraction.clamp(-bound * share, bound * share);
        let held_back = match allowed == fraction {
            true => None,
            false if share < 1.0 => Some(HeldBack::Grade),
            false => Some(HeldBack::Position),
        };
        Admitted { target: Target::Fraction(allowed), held_back }
    }

    fn is_too_fast(&mut self, at: Timestamp) -> bool {
        let Some(limit) = self.limits.max_orders_per_hour else { return false };
        self.forget_orders(at);
        self.orders.len() >= limit as usize
    }

    fn forget_orders(&mut self, at: Timestamp) {
        while self.orders.front().is_some_and(|order| at.millis_since(*order) >= HOUR_MS) {
            self.orders.pop_front();
        }
    }

    /// Notes that an order left.
    pub fn note_order(&mut self, at: Timestamp) {
        if let Some(limit) = self.limits.max_orders_per_hour {
            if self.orders.len() > limit as usize {
                self.orders.pop_front();
            }
            self.orders.push_back(at);
        }
    }
}

/// `fraction` where it makes the position smaller, else what comes nearest to it.
fn reduced(fraction: f64, held: f64) -> Admitted {
    let held_back = Some(HeldBack::Mode);
    if held == 0.0 {
        return Admitted { target: Target::Hold, held_back: held_back.filter(|_| fraction != 0.0) };
    }
    if fraction.signum() != held.signum() || fraction == 0.0 {
        return Admitted { target: Target::Fraction(0.0), held_back: held_back.filter(|_| fraction != 0.0) };
    }
    match fraction.abs() < held.abs() {
        true => Admitted { target: Target::Fraction(fraction), held_back: None },
        false => Admitted { target: Target::Hold, held_back },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
    }

    fn desk(limits: SessionLimits) -> RiskDesk {
        RiskDesk::new(limits, 100.0)
    }

    fn admitted(desk: &mut RiskDesk, target: f64, held: f64) -> Target {
        desk.admit(Target::Fraction(target), held, 100.0, None, at(1)).target
    }

    #[test]
    fn a_drawdown_closes_the_position_and_stays_until_somebody_says_so() {
        let mut desk = desk(SessionLimits { max_drawdown: Some(0.2), ..SessionLimits::default() });
        assert_eq!(desk.mark(at(1), 120.0), None);
        assert_eq!(desk.mark(at(2), 97.0), None);
        let restriction = desk.mark(at(3), 95.0).cloned().unwrap();
        assert_eq!(
            (restriction.mode, restriction.flatten, restriction.until),
            (TradingMode::Halted, true, None)
        );
        assert!(restriction.reason.contains("20.83 % below its peak"), "{}", restriction.reason);
        assert_eq!(desk.mark(at(4), 130.0), None, "a restriction comes once");
        assert_eq!(admitted(&mut desk, 1.0, 0.5), Target::Fraction(0.0));
        desk.acknowledge(95.0);
        assert_eq!(desk.mark(at(5), 95.0), None, "the peak counts from the acknowledgement on");
        assert_eq!(admitted(&mut desk, 1.0, 0.0), Target::Fraction(1.0));
    }

    #[test]
    fn a_daily_loss_ends_with_the_day() {
        let mut desk = desk(SessionLimits { max_daily_loss: Some(0.1), ..SessionLimits::default() });
        desk.mark(at(1), 100.0);
        assert_eq!(desk.mark(at(5), 89.0).unwrap().mode, TradingMode::ReduceOnly);
        assert_eq!(admitted(&mut desk, 1.0, 0.5), Target::Hold);
        assert_eq!(admitted(&mut desk, 0.2, 0.5), Target::Fraction(0.2));
        desk.mark(at(23), 85.0);
        assert_eq!(desk.mode(), TradingMode::ReduceOnly);
        desk.mark(at(24), 85.0);
        assert_eq!(desk.mode(), TradingMode::Active);
        assert_eq!(desk.mark(at(25), 77.0), None, "9.4 % of the new day");
    }

    #[test]
    fn a_restriction_gives_way_to_a_stricter_one_alone() {
        let mut desk = desk(SessionLimits::default());
        desk.restrict(Restriction::new(TradingMode::Halted, "a person", at(1), false));
        desk.restrict(Restriction::new(TradingMode::ReduceOnly, "another", at(2), false));
        assert_eq!(desk.restriction().unwrap().reason, "a person");
        desk.restrict(Restriction::new(TradingMode::Halted, "close it", at(3), true));
        assert!(desk.restriction().unwrap().flatten);
    }

    #[test]
    fn the_grade_bounds_the_position() {
        let mut desk = desk(SessionLimits { grades: GradeCaps::LIVE, ..SessionLimits::default() });
        let mut of = |grade| desk.admit(Target::Fraction(1.0), 0.0, 100.0, grade, at(1));
        assert_eq!(of(None).target, Target::Fraction(0.0));
        assert_eq!(of(Some(Grade::Provisional)).held_back, Some(HeldBack::Grade));
        assert_eq!(of(Some(Grade::Screened)).target, Target::Fraction(0.1));
        assert_eq!(of(Some(Grade::Qualified)), Admitted { target: Target::Fraction(1.0), held_back: None });
    }

    #[test]
    fn orders_are_counted_by_the_hour_and_closing_is_free() {
        let mut desk = desk(SessionLimits { max_orders_per_hour: Some(2), ..SessionLimits::default() });
        desk.note_order(at(0));
        desk.note_order(at(0).plus_millis(1));
        let half = at(0).plus_millis(HOUR_MS / 2);
        let held_back = desk.admit(Target::Fraction(1.0), 0.0, 100.0, None, half);
        assert_eq!((held_back.target, held_back.held_back), (Target::Hold, Some(HeldBack::OrderRate)));
        assert_eq!(desk.admit(Target::Fraction(0.0), 1.0, 100.0, None, half).target, Target::Fraction(0.0));
        assert_eq!(admitted(&mut desk, 1.0, 0.0), Target::Fraction(1.0));
    }

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        for (limits, name) in [
            (SessionLimits { max_drawdown: Some(0.0), ..SessionLimits::default() }, "max_drawdown"),
            (SessionLimits { max_position: 1.5, ..SessionLimits::default() }, "max_position"),
            (SessionLimits { price_collar: Some(f64::NAN), ..SessionLimits::default() }, "price_collar"),
            (
                SessionLimits { max_orders_per_hour: Some(0), ..SessionLimits::default() },
                "max_orders_per_hour",
            ),
            (
                SessionLimits {
                    grades: GradeCaps { screened: 2.0, ..GradeCaps::LIVE },
                    ..SessionLimits::default()
                },
                "grades.screened",
            ),
        ] {
            let error = limits.validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_restricted_session_never_takes_more(
            held in -1.0..1.0f64, target in -1.0..1.0f64, halted in any::<bool>(), flatten in any::<bool>(),
        ) {
            let mut desk = desk(SessionLimits::default());
            let mode = if halted { TradingMode::Halted } else { TradingMode::ReduceOnly };
            desk.restrict(Restriction::new(mode, "a test", at(0), flatten));
            match admitted(&mut desk, target, held) {
                Target::Hold => prop_assert!(!flatten),
                Target::Fraction(fraction) => {
                    prop_assert!(fraction.abs() <= held.abs() && fraction * held >= 0.0);
                    prop_assert!(flatten || !halted);
                }
            }
        }

        #[test]
        fn what_was_put_away_goes_on_the_same(
            marks in proptest::collection::vec((1i64..30, 50.0..150.0f64), 1..60), cut in 0usize..60,
        ) {
            let limits = SessionLimits {
                max_drawdown: Some(0.3), max_daily_loss: Some(0.1), max_orders_per_hour: Some(3),
                ..SessionLimits::default()
            };
            let (mut whole, mut parts, mut hour) = (desk(limits), desk(limits), 0);
            for (index, (step, equity)) in marks.iter().enumerate() {
                hour += step;
                if index == cut {
                    parts = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
                }
                for desk in [&mut whole, &mut parts] {
                    desk.mark(at(hour), *equity);
                    desk.note_order(at(hour));
                }
                prop_assert_eq!(&whole, &parts);
            }
        }
    }
}
