//! Arms whose models answer as they are told, over a real store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use walkforward_core::{
    CancelToken, Continued, Dataset, DatasetRequest, ErrorKind, EvaluationReport, Evaluator, Evidence,
    FeatureSpec, Gate, Grade, Grading, Launcher, LineName, ManualClock, MechanicalCheck, Metrics, ModelId,
    ModelRef, NoProgress, Outcome, PromotionClass, Stage, StageContext, StageError, StreamEvidence,
    StreamRequest, StreamStretch, SuppliedBy, Timeframe, Timestamp, TrainingJob, TrainingOutcome, Verdict,
    Window,
};
use walkforward_orchestrator::{
    AnytimeLevel, ArmRequest, OnNoNewBars, Parent, Pipeline, RunError, RunReport, RunRequest, Stages,
    TestPlan,
};
use walkforward_store::{ScoredBar, Store, StreamKey, arm_id};

use crate::parts::{BARS, Bars, at};

const HOUR_MS: i64 = 3_600_000;

/// What a model does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is in.
    Long,
    /// It does not load.
    Broken,
    /// It is in, and has no answer at the bar that closes at this hour.
    SilentAt(i64),
    /// It can't be scored for such a reason.
    Fails(ErrorKind),
    /// It can't go on from where another stopped.
    OnlyAnew,
}

/// What the stages are told, and what the gate was.
struct Told {
    answers: BTreeMap<ModelId, Answer>,
    sharpe: Option<f64>,
    mechanical: MechanicalCheck,
    outcome: Outcome,
    class: PromotionClass,
    earned: Option<Grade>,
    kept: Option<Grade>,
    judged: Vec<StreamEvidence>,
}

/// A store with arms of one line.
pub(crate) struct Arms {
    dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Store>,
    told: Arc<Mutex<Told>>,
}

/// The level that says what it was made of.
pub(crate) fn level(alpha: f64, tested: u32, crossed: u32) -> f64 {
    alpha * f64::from(crossed + 1) / f64::from((tested + 1) * (tested + 2))
}

/// An arm that makes a snapshot every twenty hours.
pub(crate) fn arm(name: &str) -> ArmRequest {
    ArmRequest {
        spec: json!({ "arm": name }),
        cadence: Some(Duration::from_secs(20 * 3_600)),
        publish_delay: Duration::ZERO,
        is_replayed: false,
        test: TestPlan {
            days: 365.0,
            line_alpha: 0.05,
            max_arms: 4,
            rules: "loss_bound=0.2".to_owned(),
            anytime: AnytimeLevel(level),
        },
    }
}

impl Arms {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(at(1_000)));
        let folder = |name: &str| dir.path().join(name);
        let store =
            Store::open(&folder("data"), &folder("models"), Arc::<ManualClock>::clone(&clock)).unwrap();
        let told = Told {
            answers: BTreeMap::new(),
            sharpe: None,
            mechanical: MechanicalCheck::passed(),
            outcome: Outcome::Inconclusive,
            class: PromotionClass::Takeover,
            earned: None,
            kept: None,
            judged: Vec::new(),
        };
        Self { dir, clock, store: Arc::new(store), told: Arc::new(Mutex::new(told)) }
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap());
    }

    pub(crate) fn answer(&self, model: &ModelId, answer: Answer) {
        self.tell(|told| told.answers.extend([(model.clone(), answer)]));
    }

    pub(crate) fn measure(&self, sharpe: f64) {
        self.tell(|told| told.sharpe = Some(sharpe));
    }

    pub(crate) fn check(&self, mechanical: MechanicalCheck) {
        self.tell(|told| told.mechanical = mechanical);
    }

    /// Models that are made from now on may trade: the first by a takeover, later ones of its arm by a refresh.
    pub(crate) fn promote(&self, class: Option<PromotionClass>) {
        self.tell(|told| {
            told.outcome = class.map_or(Outcome::Inconclusive, |_| Outcome::Promote);
            told.class = class.unwrap_or(told.class);
        });
    }

    pub(crate) fn earn(&self, grade: Option<Grade>) {
        self.tell(|told| told.earned = grade);
    }

    /// Verdicts from now on give at least this grade, whatever the ledger says.
    pub(crate) fn keep(&self, grade: Option<Grade>) {
        self.tell(|told| told.kept = grade);
    }

    /// A run of `arm` at an hour, on the forty bars before it; what its gate was told of the arm.
    pub(crate) async fn run(&self, arm: &ArmRequest, hour: i64) -> StreamEvidence {
        self.try_run(arm, hour).await.unwrap();
        self.told.lock().unwrap().judged.last().unwrap().clone()
    }

    pub(crate) async fn try_run(&self, arm: &ArmRequest, hour: i64) -> Result<RunReport, RunError> {
        self.clock.set(at(hour));
        let parts = Arc::new(Scripted(Arc::clone(&self.told)));
        let stages = Stages {
            datasets: Arc::new(Bars),
            launcher: Arc::clone(&parts) as Arc<dyn Launcher>,
            evaluator: Arc::clone(&parts) as Arc<dyn Evaluator>,
            gate: parts,
        };
        let ctx = StageContext {
            clock: Arc::<ManualClock>::clone(&self.clock),
            progress: Arc::new(NoProgress),
            cancel: CancelToken::default(),
            work_dir: self.dir.path().to_owned(),
        };
        Pipeline::new(stages, Arc::clone(&self.store)).run(&request(arm, hour), &ctx).await
    }

    /// The newest model of the line.
    pub(crate) fn newest(&self) -> ModelId {
        self.store.models(&LineName::default()).unwrap().pop().unwrap()
    }

    pub(crate) fn bars(&self, arm: &ArmRequest) -> Vec<ScoredBar> {
        self.store.stream_bars(&StreamKey::Arm(arm_id(&arm.spec)), None).unwrap()
    }

    /// Who decides in an arm's stream, from which hour on.
    pub(crate) fn deciders(&self, arm: &ArmRequest) -> Vec<(i64, Option<ModelId>)> {
        let rows = self.store.stream_deciders(&StreamKey::Arm(arm_id(&arm.spec))).unwrap();
        rows.into_iter().map(|(from, model)| (hour_of(from), model)).collect()
    }

    /// Levels of the tests that were registered within the year before an hour.
    pub(crate) fn error_spent(&self, hour: i64) -> f64 {
        self.store.error_spent(&LineName::default(), at(hour)).unwrap().registered
    }
}

pub(crate) fn hour_of(time: Timestamp) -> i64 {
    time.as_millis() / HOUR_MS
}

fn request(arm: &ArmRequest, hour: i64) -> RunRequest {
    RunRequest {
        line: LineName::default(),
        dataset: DatasetRequest {
            symbol: "BTC/USD".parse().unwrap(),
            timeframe: Some(Timeframe::HOUR),
            as_of: Some(at(hour)),
            window_bars: BARS as usize,
            holdout_bars: 10,
            embargo_bars: 0,
            features: FeatureSpec::default(),
        },
        pack: json!({}),
        parent: Parent::None,
        base: None,
        on_no_new_bars: OnNoNewBars::Run,
        seed: 1,
        threads: 1,
        min_judged_bars: 5,
        auto_deploy: true,
        overrules_evidence: false,
        code_version: "test".to_owned(),
        settings: BTreeMap::new(),
        made_for: None,
        supplied_sha256: None,
        allow_reused_metrics: false,
        arm: Some(arm.clone()),
    }
}

struct Scripted(Arc<Mutex<Told>>);

#[async_trait]
impl Launcher for Scripted {
    async fn launch(&self, job: TrainingJob, _ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        std::fs::write(job.out_dir.join("policy.safetensors"), &job.attempt).unwrap();
        Ok(TrainingOutcome {
            trainer: "test".to_owned(),
            used_until: job.dataset.training_end(),
            iterations: 1,
            environment_steps: 1,
            metrics: BTreeMap::new(),
            instruction_set: None,
            cold_start: None,
        })
    }
}

impl Gate for Scripted {
    fn assess(&self, evidence: &Evidence) -> Verdict {
        let mut told = self.0.lock().unwrap();
        let stream = evidence.stream.clone().unwrap();
        let grading = Grading {
            arm: stream.arm.clone(),
            class: told.class,
            grade: told.earned.max(told.kept),
            earned: told.earned,
            reference: stream.reference.clone(),
            meter: Value::Null,
        };
        told.judged.push(stream);
        Verdict {
            preset: "evidence".to_owned(),
            outcome: told.outcome,
            reason: None,
            sentence: "as it was told".to_owned(),
            checks: Vec::new(),
            warnings: Vec::new(),
            grading: Some(grading),
        }
    }
}

impl Evaluator for Scripted {
    fn evaluate(
        &self,
        model: &ModelRef,
        _dataset: &Dataset,
        judged: Window,
        _ctx: &StageContext,
    ) -> Result<EvaluationReport, StageError> {
        let told = self.0.lock().unwrap();
        Ok(EvaluationReport {
            judged_span: Some(judged),
            metrics: Metrics { sharpe: told.sharpe, ..Metrics::default() },
            mechanical: told.mechanical.clone(),
            ..EvaluationReport::without_figures(model.id.to_string(), SuppliedBy::Backtest)
        })
    }

    fn continue_stream(
        &self,
        request: &StreamRequest<'_>,
        _ctx: &StageContext,
    ) -> Result<Continued, StageError> {
        let refuse = |kind, problem: &str| Err(StageError::new(Stage::Evaluate, kind, problem.to_owned()));
        let answers = &self.0.lock().unwrap().answers;
        let answer = request.model.map(|model| answers.get(&model.id).copied().unwrap_or(Answer::Long));
        let bars = request.dataset.bars.within(request.span);
        let closes: Vec<Timestamp> = bars.open_times().iter().map(|open| open.plus_millis(HOUR_MS)).collect();
        if request.session.is_some_and(|session| *session != json!(bars.open_times()[0].as_millis())) {
            return refuse(ErrorKind::BadInput, "bars were left out");
        }
        let position = if answer.is_some() { 1.0 } else { 0.0 };
        let scored = |count: usize| StreamStretch {
            bar_close: closes[..count].to_vec(),
            net_return: vec![position * 0.001; count],
            position: vec![position; count],
            session: json!(closes[count - 1].as_millis()),
        };
        match answer {
            Some(Answer::Broken) => Ok(Continued::Broken("its file was changed".to_owned())),
            Some(Answer::Fails(kind)) => refuse(kind, "it can't be scored"),
            Some(Answer::OnlyAnew) if request.session.is_some() => {
                refuse(ErrorKind::BadInput, "another session")
            }
            Some(Answer::SilentAt(hour)) => {
                let problem = "no answer".to_owned();
                Ok(match closes.iter().position(|close| hour_of(*close) == hour) {
                    Some(0) => Continued::Silent { scored: None, problem },
                    Some(count) => Continued::Silent { scored: Some(scored(count)), problem },
                    None => Continued::Scored(scored(closes.len())),
                })
            }
            _ => Ok(Continued::Scored(scored(closes.len()))),
        }
    }
}
