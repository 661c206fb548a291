//! What restricts a session for as long as it lasts, and what somebody tells it to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;

use crate::{Desk, EventRecord, Restriction, TradingMode};

/// What a session does about something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// The position may shrink and not grow.
    ReduceOnly,
    /// The position stays as it is, without any order.
    Hold,
    /// The position is closed.
    Flatten,
}

/// A text that is no behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected hold, reduce_only or flatten")]
pub struct BehaviourError;

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        match text {
            "hold" => Ok(Self::Hold),
            "reduce_only" => Ok(Self::ReduceOnly),
            "flatten" => Ok(Self::Flatten),
            _ => Err(BehaviourError),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hold => "hold",
            Self::ReduceOnly => "reduce_only",
            Self::Flatten => "flatten",
        })
    }
}

impl Behaviour {
    /// What the session may do meanwhile.
    pub fn mode(self) -> TradingMode {
        match self {
            Self::ReduceOnly => TradingMode::ReduceOnly,
            Self::Hold | Self::Flatten => TradingMode::Halted,
        }
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionSource {
    /// Somebody paused the session, or lets it reduce or close its position only.
    Operator,
    /// No data come.
    Data,
    /// The model is not confirmed any more, or there is none.
    Model,
    /// A position of the model before is being closed.
    Swap,
}

/// The conditions that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    operator: Option<Behaviour>,
    data: Option<Behaviour>,
    model: Option<Behaviour>,
    swap: Option<Behaviour>,
}

impl Conditions {
    /// What is done about `source`; none where nothing is wrong.
    pub fn get(&self, source: ConditionSource) -> Option<Behaviour> {
        match source {
            ConditionSource::Operator => self.operator,
            ConditionSource::Data => self.data,
            ConditionSource::Model => self.model,
            ConditionSource::Swap => self.swap,
        }
    }

    /// Begins or ends the condition of `source`.
    pub fn set(&mut self, source: ConditionSource, behaviour: Option<Behaviour>) {
        *match source {
            ConditionSource::Operator => &mut self.operator,
            ConditionSource::Data => &mut self.data,
            ConditionSource::Model => &mut self.model,
            ConditionSource::Swap => &mut self.swap,
        } = behaviour;
    }

    /// What is done about all of them: the strictest.
    pub fn strictest(&self) -> Option<Behaviour> {
        [self.operator, self.data, self.model, self.swap].into_iter().flatten().max()
    }
}

/// What somebody tells a session. It is journalled with its reason before it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// No orders until `resume`; the position stays.
    Pause {
        /// Why.
        reason: String,
    },
    /// Positions may shrink and not grow until `resume`.
    ReduceOnly {
        /// Why.
        reason: String,
    },
    /// The position is closed, and no other order leaves until `resume`.
    Flatten {
        /// Why.
        reason: String,
    },
    /// Ends `pause`, `reduce_only` and `flatten`, and no limit that was reached.
    Resume {
        /// Why.
        reason: String,
    },
    /// No orders until `acknowledge`, whoever starts the session again.
    Halt {
        /// Why.
        reason: String,
    },
    /// Ends a halt and any limit that was reached. Drawdown and loss count from here.
    Acknowledge {
        /// Why that may be.
        reason: String,
    },
}

/// Does to `desk` what `event` does to a session: the one definition for the trader, its recovery and its check.
pub(crate) fn apply(desk: &mut Desk, event: &EventRecord, at: Timestamp) {
    let equity = desk.session().equity();
    let risk = desk.risk_mut();
    let operator = |behaviour| (ConditionSource::Operator, behaviour);
    let (source, behaviour) = match event {
        EventRecord::Condition { source, behaviour, .. } => (*source, *behaviour),
        EventRecord::Restricted { restriction } => return risk.restrict(restriction.clone()),
        EventRecord::Swapped { flatten: true, .. } => (ConditionSource::Swap, Some(Behaviour::Flatten)),
        EventRecord::Command { command } => match command {
            Command::Pause { .. } => operator(Some(Behaviour::Hold)),
            Command::ReduceOnly { .. } => operator(Some(Behaviour::ReduceOnly)),
            Command::Flatten { .. } => operator(Some(Behaviour::Flatten)),
            Command::Resume { .. } => operator(None),
            Command::Halt { reason } => {
                return risk.restrict(Restriction::new(TradingMode::Halted, reason, at, false));
            }
            Command::Acknowledge { .. } => return risk.acknowledge(equity),
        },
        _ => return,
    };
    risk.set_condition(source, behaviour);
}

#[cfg(test)]
mod tests {
    use walkforward_engine::SessionConfig;

    use super::*;
    use crate::SessionLimits;

    fn told(desk: &mut Desk, command: Command) -> TradingMode {
        apply(desk, &EventRecord::Command { command }, Timestamp::EPOCH);
        desk.risk().mode()
    }

    #[test]
    fn a_halt_is_ended_by_an_acknowledgement_and_by_nothing_else() {
        let mut desk = Desk::new(SessionConfig::default(), SessionLimits::default(), 1).unwrap();
        let reason = || "a test".to_owned();
        assert_eq!(told(&mut desk, Command::Pause { reason: reason() }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::ReduceOnly { reason: reason() }), TradingMode::ReduceOnly);
        assert_eq!(told(&mut desk, Command::Halt { reason: reason() }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::Resume { reason: reason() }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::Acknowledge { reason: reason() }), TradingMode::Active);
    }

    #[test]
    fn the_strictest_condition_holds() {
        let mut conditions = Conditions::default();
        assert_eq!(conditions.strictest(), None);
        conditions.set(ConditionSource::Data, Some(Behaviour::ReduceOnly));
        conditions.set(ConditionSource::Model, Some(Behaviour::Flatten));
        conditions.set(ConditionSource::Operator, Some(Behaviour::Hold));
        assert_eq!(conditions.strictest(), Some(Behaviour::Flatten));
        conditions.set(ConditionSource::Model, None);
        assert_eq!(conditions.strictest(), Some(Behaviour::Hold));
    }

    #[test]
    fn a_behaviour_reads_back_as_written() {
        for behaviour in [Behaviour::Hold, Behaviour::ReduceOnly, Behaviour::Flatten] {
            assert_eq!(behaviour.to_string().parse(), Ok(behaviour));
        }
        assert_eq!("stop".parse::<Behaviour>(), Err(BehaviourError));
    }
}
