//! Why a bar was decided as it was: the segment that holds it is run again up to its close, through the desk that decided.
//!
//! What the model saw is in the journal, so that its answer is asked for again with the very same numbers. Beside it
//! stands what the model before it would have done: with the same bars, position and limits.

mod before;
mod choice;
mod fate;
mod features;
mod limits;
mod replay;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use walkforward_core::{Action, Fill, Grade, ModelId, Observation, Order, Policy, Target, Timestamp};

use crate::journal::{BarRecord, Followed, ModelStamp};
use crate::{Conditions, Decision, Desk, HeldBack, LiveError, NoDecision, Restriction};

pub use before::{PreviousAnswer, Relation};
pub use choice::{BarChoice, BarChoiceError};
pub use fate::OrderFate;
pub use features::{FARTHEST_FEATURES, FeatureDistance};
pub use limits::LimitCheck;

use replay::AtBar;

/// Everything about the decision on one bar. Ratios are fractions, money is quote currency.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The bar and what was journalled about it; what the model saw is left out.
    pub record: BarRecord,
    /// How often it was decided anew, because the position moved before its order could leave.
    pub decided_again: u32,
    /// What the model answers; none where no model held the slot.
    pub model: Option<ModelAnswer>,
    /// The features that are furthest from their training distribution; empty while they warm up and where the model's
    /// weights are gone.
    pub features: Vec<FeatureDistance>,
    /// The limits, and where the session stood under each of them.
    pub limits: Vec<LimitCheck>,
    /// A limit that was reached, or a halt.
    pub restriction: Option<Restriction>,
    /// What else restricted the session.
    pub conditions: Conditions,
    /// On paper, what the order came to on the next bar; at a venue each order has its own.
    pub fills: Vec<Fill>,
    /// The orders at a venue that followed.
    pub orders: Vec<OrderFate>,
    /// What the model before would have done; none where there was none.
    pub previous: Option<PreviousAnswer>,
    /// What comes out otherwise than it was journalled; `live-trader verify` says more.
    pub difference: Option<String>,
}

/// Whether a model's weights are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "weights", rename_all = "snake_case")]
pub enum Weights {
    /// They are those that the journal names.
    Loaded,
    /// They were removed.
    Gone,
    /// They are there and can't be used.
    Unusable {
        /// Why.
        reason: String,
    },
}

/// An action and how likely the model finds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionProbability {
    /// Which.
    pub action: Action,
    /// What it is called.
    pub word: String,
    /// How likely; none of models that give no probabilities.
    pub probability: Option<f64>,
}

/// What a model answers at a bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelAnswer {
    /// Which.
    pub model_id: ModelId,
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Whether it could be asked.
    #[serde(flatten)]
    pub weights: Weights,
    /// What it did.
    pub action: Option<Action>,
    /// What that is called.
    pub word: Option<String>,
    /// All its actions.
    pub probabilities: Vec<ActionProbability>,
    /// What the action asks for with the position of the bar.
    pub wanted: Option<Followed>,
    /// What the limits leave of it.
    pub admitted: Option<Followed>,
    /// Which limit held it back.
    pub held_back: Option<HeldBack>,
    /// The order that follows.
    pub order: Option<Order>,
    /// Why there is no answer or no order.
    pub problem: Option<String>,
}

/// Explains the decision on a bar of the journal in `folder`, with the models in `models_dir`.
///
/// # Errors
/// There is no such bar, the journal is damaged, or it says something else than its session comes to.
pub fn explain(folder: &Path, models_dir: &Path, choice: BarChoice) -> Result<Explanation, LiveError> {
    let place = choice::find(folder, choice)?;
    let at_bar = replay::replay(&place)?;
    let AtBar { header, record, decided_again, desk, .. } = &at_bar;
    let answerer = Answerer { desk, header, at: record.open_time.plus_millis(header.timeframe.millis()) };
    let Decided { answer: model, policy } = answerer.decided(record, models_dir)?;
    let features = match (&policy, &record.observation) {
        (Some(policy), Some(observation)) => features::farthest(policy.spec(), observation, desk, header)?,
        _ => Vec::new(),
    };
    let wanted = model.as_ref().and_then(|model| model.wanted);
    let limits = limits::checks(desk, record, wanted, answerer.at);
    let previous = before::previous(&place, &at_bar, models_dir, &answerer, wanted)?;
    let difference = model.as_ref().and_then(|model| difference(record, model));
    let record = BarRecord { observation: None, ..record.clone() };
    let (restriction, conditions) = (desk.risk().restriction().cloned(), desk.risk().conditions().clone());
    let decided_again = *decided_again;
    let AtBar { fills, orders, .. } = at_bar;
    Ok(Explanation {
        record,
        decided_again,
        model,
        features,
        limits,
        restriction,
        conditions,
        fills,
        orders,
        previous,
        difference,
    })
}

/// What the model answers now and did not then.
fn difference(record: &BarRecord, model: &ModelAnswer) -> Option<String> {
    if model.weights != Weights::Loaded || record.observation.is_none() {
        return None;
    }
    let pairs = [
        ("action", format!("{:?}", record.action), format!("{:?}", model.action)),
        ("followed target", format!("{:?}", record.followed), format!("{:?}", model.admitted)),
        ("limit", format!("{:?}", record.held_back), format!("{:?}", model.held_back)),
        ("order", format!("{:?}", record.order), format!("{:?}", model.order)),
    ];
    let differs = pairs.into_iter().find(|(_, then, now)| then != now);
    differs.map(|(what, then, now)| format!("its {what} was {then}, and the model comes to {now}"))
}

/// What the model that decided answers, where one held the slot, and itself, where its weights are there.
#[derive(Default)]
struct Decided {
    answer: Option<ModelAnswer>,
    policy: Option<Arc<dyn Policy>>,
}

/// Asks models at a bar's close.
struct Answerer<'a> {
    /// The desk after the close, before the decision.
    desk: &'a Desk,
    header: &'a crate::SegmentHeader,
    at: Timestamp,
}

impl Answerer<'_> {
    /// What the model that decided answers to what it saw then.
    fn decided(&self, record: &BarRecord, models_dir: &Path) -> Result<Decided, LiveError> {
        let Some(stamp) = &record.model else { return Ok(Decided::default()) };
        let (policy, weights) = load(models_dir, &stamp.model_id, &stamp.sha256);
        let mut answer = self.recorded(record, stamp, weights);
        let (Some(policy), Some(observation)) = (&policy, &record.observation) else {
            return Ok(Decided { answer: Some(answer), policy });
        };
        let mut desk = fork(self.desk, self.header)?;
        let decided = desk.decide_again(policy.as_ref(), stamp.grade, self.at, observation);
        answer.fill_in(policy.as_ref(), decided, observation);
        Ok(Decided { answer: Some(answer), policy: Some(Arc::clone(policy)) })
    }

    /// What the journal says of the model's answer.
    fn recorded(&self, record: &BarRecord, stamp: &ModelStamp, weights: Weights) -> ModelAnswer {
        ModelAnswer {
            action: record.action,
            admitted: record.followed,
            held_back: record.held_back,
            order: record.order,
            problem: record.problem.clone(),
            ..ModelAnswer::of(&stamp.model_id, &stamp.sha256, weights)
        }
    }

    /// What another model would have done with the same bars, position, limits and `grade`.
    fn other(
        &self,
        mut answer: ModelAnswer,
        policy: &dyn Policy,
        grade: Option<Grade>,
    ) -> Result<ModelAnswer, LiveError> {
        let mut desk = fork(self.desk, self.header)?;
        let decided = desk.prepare(policy).map_err(NoDecision::from);
        let decided = decided.and_then(|()| desk.decide(policy, grade, self.at));
        let observation = desk.observation().to_vec();
        answer.fill_in(policy, decided, &observation);
        Ok(answer)
    }
}

impl ModelAnswer {
    /// An answer that is not known yet.
    fn of(model_id: &ModelId, sha256: &str, weights: Weights) -> Self {
        Self {
            model_id: model_id.clone(),
            sha256: sha256.to_owned(),
            weights,
            action: None,
            word: None,
            probabilities: Vec::new(),
            wanted: None,
            admitted: None,
            held_back: None,
            order: None,
            problem: None,
        }
    }

    fn fill_in(&mut self, policy: &dyn Policy, decided: Result<Decision, NoDecision>, observation: &[f32]) {
        let decision = match decided {
            Ok(decision) => decision,
            Err(problem) => {
                self.problem = Some(problem.to_string());
                return;
            }
        };
        let actions = policy.spec().actions;
        let probabilities = policy.probabilities(Observation(observation)).ok().flatten();
        self.action = Some(decision.action);
        self.word = actions.word(decision.action);
        self.probabilities = (0..actions.len())
            .filter_map(|index| Some((index, Action(u8::try_from(index).ok()?))))
            .map(|(index, action)| ActionProbability {
                action,
                word: actions.word(action).unwrap_or_default(),
                probability: probabilities.as_ref().and_then(|all| all.get(index).copied()),
            })
            .collect();
        self.wanted = Some(decision.wanted.into());
        self.admitted = Some(decision.admitted.target.into());
        self.held_back = decision.admitted.held_back;
        self.order = decision.order.map(|approved| *approved.order());
        self.problem = decision.refused.map(|rejection| rejection.to_string());
    }
}

/// The desk as it stands, to be asked without changing it. An order in flight is left out: the bar that is asked about
/// has ended it.
fn fork(desk: &Desk, header: &crate::SegmentHeader) -> Result<Desk, LiveError> {
    let mut checkpoint = desk.checkpoint();
    checkpoint.session.pending = None;
    let mut fork = Desk::resume(header.config, header.limits, header.kept_bars, &checkpoint)?;
    for bar in desk.history() {
        fork.warm_up(bar)?;
    }
    Ok(fork)
}

/// The policy of a model, where its weights are those of this hash.
fn load(models_dir: &Path, model_id: &ModelId, sha256: &str) -> (Option<Arc<dyn Policy>>, Weights) {
    let dir = models_dir.join(model_id.as_str());
    if !dir.join(walkforward_policy::WEIGHTS_FILE).exists() {
        return (None, Weights::Gone);
    }
    match walkforward_policy::load(&dir, sha256) {
        Ok(policy) => (Some(policy), Weights::Loaded),
        Err(error) => (None, Weights::Unusable { reason: error.to_string() }),
    }
}

/// The fraction of equity that a target names; none where it holds.
fn fraction(followed: Followed) -> Option<f64> {
    match Target::from(followed) {
        Target::Fraction(fraction) => Some(fraction),
        Target::Hold => None,
    }
}
