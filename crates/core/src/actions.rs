//! What the actions of a policy mean, and which of them a market allows.

use serde::{Deserialize, Serialize};

/// The index of a decision in the policy's [`ActionMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Action(pub u8);

/// What an action asks for, given the present position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The position stays as it is, whatever fraction of equity it has become.
    Hold,
    /// A position of this fraction of equity, below 0 for a short one.
    Fraction(f64),
}

/// What each action means: an action scheme. It travels with the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionMap {
    /// Action 0: no position. Action 1: all equity in the asset.
    LongFlat,
    /// Action 0: short by all equity. Action 1: no position. Action 2: all equity in the asset. Needs a market that
    /// allows shorting.
    ShortFlatLong,
    /// Action 0: hold. Action 1: buy with all equity when there is no position. Action 2: sell all of a long one.
    BuySellHold,
    /// Action `i`: a position of the `i`-th fraction of equity.
    Sized(SizedTargets),
}

const LONG_FLAT: [f64; 2] = [0.0, 1.0];
const SHORT_FLAT_LONG: [f64; 3] = [-1.0, 0.0, 1.0];
const BUY_SELL_HOLD_WORDS: [&str; 3] = ["hold", "buy", "sell"];

impl ActionMap {
    /// Number of actions.
    pub fn len(self) -> usize {
        match self {
            Self::LongFlat => LONG_FLAT.len(),
            Self::ShortFlatLong => SHORT_FLAT_LONG.len(),
            Self::BuySellHold => BUY_SELL_HOLD_WORDS.len(),
            Self::Sized(targets) => targets.len(),
        }
    }

    /// Never: every map has actions.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The fraction of equity that `action` names, whatever the present position. `None` when it names none (to
    /// hold), and when the map has no such action. What it asks for is [`decide`](Self::decide)'s.
    pub fn target(self, action: Action) -> Option<f64> {
        let index = usize::from(action.0);
        match self {
            Self::LongFlat => LONG_FLAT.get(index).copied(),
            Self::ShortFlatLong => SHORT_FLAT_LONG.get(index).copied(),
            Self::BuySellHold => [None, Some(1.0), Some(0.0)].get(index).copied().flatten(),
            Self::Sized(targets) => targets.get(index),
        }
    }

    /// What `action` asks for when the position is `position` (any number of its sign); `None` when the map has no
    /// such action.
    pub fn decide(self, action: Action, position: f64) -> Option<Target> {
        match (self, action.0) {
            (Self::BuySellHold, 0) => Some(Target::Hold),
            (Self::BuySellHold, 1) if position != 0.0 => Some(Target::Hold),
            (Self::BuySellHold, 2) if position <= 0.0 => Some(Target::Hold),
            _ => self.target(action).map(Target::Fraction),
        }
    }

    /// What `action` is called (`flat`, `long 25 %`, `hold`); `None` when the map has no such action.
    pub fn word(self, action: Action) -> Option<String> {
        match self {
            Self::BuySellHold => {
                BUY_SELL_HOLD_WORDS.get(usize::from(action.0)).map(|word| (*word).to_owned())
            }
            _ => self.target(action).map(target_word),
        }
    }

    /// Whether some action asks for a short position.
    pub fn needs_shorting(self) -> bool {
        match self {
            Self::LongFlat | Self::BuySellHold => false,
            Self::ShortFlatLong => true,
            Self::Sized(targets) => targets.get(0).is_some_and(|least| least < 0.0),
        }
    }
}

fn target_word(fraction: f64) -> String {
    let side = if fraction < 0.0 { "short" } else { "long" };
    match fraction.abs() {
        0.0 => "flat".to_owned(),
        1.0 => side.to_owned(),
        // A target has at most two decimals of a percent.
        size => format!("{side} {} %", (size * BASIS_POINTS).round() / 100.0),
    }
}

/// Fractions of equity in ascending order, below 0 for short ones; 0 is one of them. Written as a list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct SizedTargets {
    /// Entries beyond `len` are 0.
    basis_points: [i16; Self::MAX],
    len: u8,
}

const BASIS_POINTS: f64 = 10_000.0;
/// How far from a whole basis point a fraction may be written.
const ROUNDING: f64 = 1e-6;

impl SizedTargets {
    /// Most targets of a scheme.
    pub const MAX: usize = 16;

    /// Targets from fractions of equity.
    ///
    /// # Errors
    /// Unless there are 2 to [`MAX`](Self::MAX) of them, from -1 to 1, in whole hundredths of a per cent,
    /// ascending, with 0.
    pub fn new(fractions: &[f64]) -> Result<Self, ActionMapError> {
        if !(2..=Self::MAX).contains(&fractions.len()) {
            return Err(ActionMapError::Count { count: fractions.len() });
        }
        let mut basis_points = [0_i16; Self::MAX];
        for (slot, &fraction) in basis_points.iter_mut().zip(fractions) {
            let scaled = fraction * BASIS_POINTS;
            let is_whole = (scaled - scaled.round()).abs() <= ROUNDING;
            if !(is_whole && fraction.abs() <= 1.0) {
                return Err(ActionMapError::Fraction { fraction });
            }
            *slot = scaled.round() as i16;
        }
        let used = &basis_points[..fractions.len()];
        if !used.is_sorted_by(|a, b| a < b) {
            return Err(ActionMapError::Order);
        }
        if !used.contains(&0) {
            return Err(ActionMapError::NoExit);
        }
        Ok(Self { basis_points, len: fractions.len() as u8 })
    }

    /// Number of targets, at least 2.
    #[expect(clippy::len_without_is_empty, reason = "there are always two")]
    pub fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Target `index` as a fraction of equity.
    pub fn get(self, index: usize) -> Option<f64> {
        self.basis_points[..self.len()].get(index).map(|&points| f64::from(points) / BASIS_POINTS)
    }
}

impl TryFrom<Vec<f64>> for SizedTargets {
    type Error = ActionMapError;

    fn try_from(fractions: Vec<f64>) -> Result<Self, ActionMapError> {
        Self::new(&fractions)
    }
}

impl From<SizedTargets> for Vec<f64> {
    fn from(targets: SizedTargets) -> Self {
        (0..targets.len()).filter_map(|index| targets.get(index)).collect()
    }
}

/// What a market lets a session do. A short position costs no interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketRules {
    /// Whether the asset can be sold short.
    pub shorting: bool,
}

impl MarketRules {
    /// Nothing is sold that is not held: a spot market.
    pub const LONG_ONLY: Self = Self { shorting: false };
    /// The asset can be sold short, up to the equity.
    pub const SHORTING: Self = Self { shorting: true };

    /// Refuses a scheme that this market does not allow.
    ///
    /// # Errors
    /// [`ActionMapError::Shorting`] when the scheme asks for short positions and the market has none.
    pub fn admit(self, actions: ActionMap) -> Result<(), ActionMapError> {
        if actions.needs_shorting() && !self.shorting {
            return Err(ActionMapError::Shorting);
        }
        Ok(())
    }

    /// Least target position as a fraction of equity; the largest is 1.
    pub fn least_target(self) -> f64 {
        if self.shorting { -1.0 } else { 0.0 }
    }
}

/// An action scheme that makes no sense, or not in this market.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ActionMapError {
    /// Too few or too many targets.
    #[error("the action scheme has {count} targets: expected 2 to {max}", max = SizedTargets::MAX)]
    Count {
        /// How many there are.
        count: usize,
    },
    /// A target that is no fraction of equity.
    #[error("a target of the action scheme is {fraction}: expected -1 to 1 in steps of 0.0001")]
    Fraction {
        /// What it is.
        fraction: f64,
    },
    /// Targets out of order.
    #[error("the targets of the action scheme are not ascending: expected each above the one before")]
    Order,
    /// No way out of the market.
    #[error("the action scheme has no target 0: expected one, so that a policy can leave the market")]
    NoExit,
    /// Short positions where there are none.
    #[error(
        "the action scheme takes short positions, and this market does not allow them: choose a scheme without \
         targets below 0, or set market.shorting where the venue has it"
    )]
    Shorting,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(fractions: &[f64]) -> ActionMap {
        ActionMap::Sized(SizedTargets::new(fractions).unwrap())
    }

    fn check_json(map: ActionMap, json: &str) {
        assert_eq!(serde_json::to_string(&map).unwrap(), json);
        assert_eq!(serde_json::from_str::<ActionMap>(json).unwrap(), map);
    }

    #[test]
    fn schemes_read_back_as_they_were_written() {
        check_json(ActionMap::LongFlat, r#""long_flat""#);
        check_json(ActionMap::ShortFlatLong, r#""short_flat_long""#);
        check_json(ActionMap::BuySellHold, r#""buy_sell_hold""#);
        check_json(sized(&[0.0, 0.25, 0.5, 0.75, 1.0]), r#"{"sized":[0.0,0.25,0.5,0.75,1.0]}"#);
        check_json(sized(&[-0.3333, 0.0, 0.1]), r#"{"sized":[-0.3333,0.0,0.1]}"#);
    }

    #[test]
    fn every_action_has_its_target_and_no_other_has_one() {
        let targets =
            |map: ActionMap| (0..=map.len() as u8).map(|a| map.target(Action(a))).collect::<Vec<_>>();
        assert_eq!(targets(ActionMap::LongFlat), [Some(0.0), Some(1.0), None]);
        assert_eq!(targets(ActionMap::ShortFlatLong), [Some(-1.0), Some(0.0), Some(1.0), None]);
        assert_eq!(targets(sized(&[0.0, 0.5])), [Some(0.0), Some(0.5), None]);
        assert_eq!(ActionMap::LongFlat.decide(Action(2), 0.0), None);
        assert_eq!(ActionMap::ShortFlatLong.decide(Action(0), 1.0), Some(Target::Fraction(-1.0)));
    }

    #[test]
    fn every_action_has_a_word() {
        let words =
            |map: ActionMap| (0..=map.len() as u8).filter_map(|a| map.word(Action(a))).collect::<Vec<_>>();
        assert_eq!(words(ActionMap::LongFlat), ["flat", "long"]);
        assert_eq!(words(ActionMap::ShortFlatLong), ["short", "flat", "long"]);
        assert_eq!(words(ActionMap::BuySellHold), ["hold", "buy", "sell"]);
        let sizes = words(sized(&[-0.3333, 0.0, 0.29, 1.0]));
        assert_eq!(sizes, ["short 33.33 %", "flat", "long 29 %", "long"]);
    }

    #[test]
    fn buy_sell_hold_depends_on_the_position() {
        let decide = |action, position| ActionMap::BuySellHold.decide(Action(action), position).unwrap();
        assert_eq!([decide(0, 0.0), decide(0, 1.0)], [Target::Hold; 2]);
        assert_eq!([decide(1, 0.0), decide(1, 0.4)], [Target::Fraction(1.0), Target::Hold]);
        assert_eq!([decide(2, 0.0), decide(2, 0.4)], [Target::Hold, Target::Fraction(0.0)]);
        assert_eq!(ActionMap::BuySellHold.decide(Action(3), 0.0), None);
    }

    #[test]
    fn targets_that_make_no_sense_are_refused() {
        let refused = |fractions: &[f64]| SizedTargets::new(fractions).unwrap_err();
        assert_eq!(refused(&[0.0]), ActionMapError::Count { count: 1 });
        assert_eq!(refused(&[0.0; 17]), ActionMapError::Count { count: 17 });
        assert_eq!(refused(&[0.0, 1.5]), ActionMapError::Fraction { fraction: 1.5 });
        assert_eq!(refused(&[0.0, 0.12345]), ActionMapError::Fraction { fraction: 0.12345 });
        assert!(matches!(refused(&[0.0, f64::NAN]), ActionMapError::Fraction { .. }));
        assert_eq!(refused(&[0.5, 0.0]), ActionMapError::Order);
        assert_eq!(refused(&[0.0, 0.0]), ActionMapError::Order);
        assert_eq!(refused(&[0.5, 1.0]), ActionMapError::NoExit);
        assert!(serde_json::from_str::<ActionMap>(r#"{"sized":[0.5,1.0]}"#).is_err());
    }

    #[test]
    fn a_market_without_shorting_refuses_schemes_that_need_it() {
        for map in [ActionMap::ShortFlatLong, sized(&[-0.5, 0.0])] {
            assert_eq!(MarketRules::LONG_ONLY.admit(map), Err(ActionMapError::Shorting));
            assert_eq!(MarketRules::SHORTING.admit(map), Ok(()));
        }
        for map in [ActionMap::LongFlat, ActionMap::BuySellHold, sized(&[0.0, 0.5])] {
            assert_eq!(MarketRules::LONG_ONLY.admit(map), Ok(()));
        }
    }
}
