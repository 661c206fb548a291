//! What restricts a session for as long as it lasts, and what somebody tells it to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use walkforward_core::{Reason, Timestamp};

use crate::{Desk, EventRecord, Restriction, RiskDesk, TradingMode};

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
    /// The model broke a rule of the watch, and decides still.
    Watch,
}

/// Something that restricts a session for as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is done about it.
    pub behaviour: Behaviour,
    /// Why, for a person.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl Condition {
    /// A condition that began at `since`. A reason that is too long is cut.
    pub fn new(behaviour: Behaviour, reason: &str, since: Timestamp) -> Self {
        Self { behaviour, reason: Reason::cut(reason).into(), since }
    }
}

/// The conditions that hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    operator: Option<Condition>,
    data: Option<Condition>,
    model: Option<Condition>,
    swap: Option<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watch: Option<Condition>,
}

impl Conditions {
    /// The condition of `source`; none where nothing is wrong.
    pub fn get(&self, source: ConditionSource) -> Option<&Condition> {
        match source {
            ConditionSource::Operator => self.operator.as_ref(),
            ConditionSource::Data => self.data.as_ref(),
            ConditionSource::Model => self.model.as_ref(),
            ConditionSource::Swap => self.swap.as_ref(),
            ConditionSource::Watch => self.watch.as_ref(),
        }
    }

    /// What is done about `source`; none where nothing is wrong.
    pub fn behaviour(&self, source: ConditionSource) -> Option<Behaviour> {
        self.get(source).map(|condition| condition.behaviour)
    }

    /// Begins or ends the condition of `source`.
    pub fn set(&mut self, source: ConditionSource, condition: Option<Condition>) {
        *match source {
            ConditionSource::Operator => &mut self.operator,
            ConditionSource::Data => &mut self.data,
            ConditionSource::Model => &mut self.model,
            ConditionSource::Swap => &mut self.swap,
            ConditionSource::Watch => &mut self.watch,
        } = condition;
    }

    /// The one about which most is done.
    pub fn strictest(&self) -> Option<&Condition> {
        let all = [&self.operator, &self.data, &self.model, &self.swap, &self.watch];
        all.into_iter().flatten().max_by_key(|condition| condition.behaviour)
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
        /// Whether the position is closed first.
        #[serde(default)]
        flatten: bool,
    },
    /// Ends a halt, what somebody asked for, and any limit that was reached. Drawdown and loss count from here.
    Acknowledge {
        /// Why that may be.
        reason: String,
    },
}

/// Does to `desk` what `event` does to a session: the one definition for the trader, its recovery and its check.
pub(crate) fn apply(desk: &mut Desk, event: &EventRecord, at: Timestamp) {
    let equity = desk.session().equity();
    apply_to_risk(desk.risk_mut(), equity, event, at);
}

/// As [`apply`], to the limits alone of a session whose equity is this.
pub(crate) fn apply_to_risk(risk: &mut RiskDesk, equity: f64, event: &EventRecord, at: Timestamp) {
    let (source, condition) = match event {
        EventRecord::Condition { source, behaviour, reason } => {
            (*source, behaviour.map(|behaviour| Condition::new(behaviour, reason, at)))
        }
        EventRecord::Restricted { restriction } => return risk.restrict(restriction.clone()),
        EventRecord::Swapped { flatten: true, .. } => {
            let reason = "the position of the model before is closed";
            (ConditionSource::Swap, Some(Condition::new(Behaviour::Flatten, reason, at)))
        }
        EventRecord::Command { command, .. } => match command {
            Command::Halt { reason, flatten } => {
                return risk.restrict(Restriction::new(TradingMode::Halted, reason, at, *flatten));
            }
            Command::Acknowledge { .. } => {
                risk.acknowledge(equity);
                (ConditionSource::Operator, None)
            }
            command => (ConditionSource::Operator, command.condition(at)),
        },
        _ => return,
    };
    risk.set_condition(source, condition);
}

impl Command {
    /// What it asks for while it lasts; none where it ends that.
    fn condition(&self, at: Timestamp) -> Option<Condition> {
        let (behaviour, reason) = match self {
            Self::Pause { reason } => (Behaviour::Hold, reason),
            Self::ReduceOnly { reason } => (Behaviour::ReduceOnly, reason),
            Self::Flatten { reason } => (Behaviour::Flatten, reason),
            Self::Resume { .. } | Self::Halt { .. } | Self::Acknowledge { .. } => return None,
        };
        Some(Condition::new(behaviour, reason, at))
    }

    /// Why somebody said so.
    pub fn reason(&self) -> &str {
        match self {
            Self::Pause { reason }
            | Self::ReduceOnly { reason }
            | Self::Flatten { reason }
            | Self::Resume { reason }
            | Self::Halt { reason, .. }
            | Self::Acknowledge { reason } => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::Asker;
    use walkforward_engine::SessionConfig;

    use super::*;
    use crate::SessionLimits;

    fn told(desk: &mut Desk, command: Command) -> TradingMode {
        apply(desk, &EventRecord::Command { command, by: Asker::Program }, Timestamp::EPOCH);
        desk.risk().mode()
    }

    #[test]
    fn a_halt_is_ended_by_an_acknowledgement_and_by_nothing_else() {
        let mut desk = Desk::new(SessionConfig::default(), SessionLimits::default(), 1).unwrap();
        let reason = || "a test".to_owned();
        assert_eq!(told(&mut desk, Command::Pause { reason: reason() }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::ReduceOnly { reason: reason() }), TradingMode::ReduceOnly);
        assert_eq!(told(&mut desk, Command::Halt { reason: reason(), flatten: false }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::Resume { reason: reason() }), TradingMode::Halted);
        assert_eq!(told(&mut desk, Command::Acknowledge { reason: reason() }), TradingMode::Active);
    }

    #[test]
    fn the_strictest_condition_holds() {
        let mut conditions = Conditions::default();
        assert_eq!(conditions.strictest(), None);
        let since = |behaviour| Some(Condition::new(behaviour, "a test", Timestamp::EPOCH));
        conditions.set(ConditionSource::Data, since(Behaviour::ReduceOnly));
        conditions.set(ConditionSource::Model, since(Behaviour::Flatten));
        conditions.set(ConditionSource::Operator, since(Behaviour::Hold));
        assert_eq!(conditions.strictest(), since(Behaviour::Flatten).as_ref());
        conditions.set(ConditionSource::Model, None);
        assert_eq!(conditions.strictest(), since(Behaviour::Hold).as_ref());
    }

    #[test]
    fn an_acknowledgement_ends_what_somebody_asked_for_too() {
        let mut desk = Desk::new(SessionConfig::default(), SessionLimits::default(), 1).unwrap();
        let reason = || "a test".to_owned();
        told(&mut desk, Command::Pause { reason: reason() });
        told(&mut desk, Command::Halt { reason: reason(), flatten: false });
        assert!(!desk.risk().flattens());
        told(&mut desk, Command::Halt { reason: reason(), flatten: true });
        assert!(desk.risk().flattens());
        assert_eq!(told(&mut desk, Command::Acknowledge { reason: reason() }), TradingMode::Active);
        assert!(!desk.risk().flattens());
    }

    #[test]
    fn a_behaviour_reads_back_as_written() {
        for behaviour in [Behaviour::Hold, Behaviour::ReduceOnly, Behaviour::Flatten] {
            assert_eq!(behaviour.to_string().parse(), Ok(behaviour));
        }
        assert_eq!("stop".parse::<Behaviour>(), Err(BehaviourError));
    }
}
