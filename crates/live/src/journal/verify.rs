//! Running a recorded session again: features, policy, limits, orders, fills and ledger, each compared to the last bit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkforward_core::{Bar, Order, Policy, Target, Timestamp};
use walkforward_engine::FillModel;

use super::reader::{Segment, segment_paths};
use super::recovery::{close_as_recorded, desk_at, follow_as_recorded, same, same_figures, take_order};
use super::{BarRecord, Checkpoint, JournalRecord, ModelStamp, SegmentHeader, SegmentStart};
use crate::conditions::apply;
use crate::{Decision, Desk, LiveError, NoDecision, OrderDesk, OrderPurpose, OrderRecord};

/// Most differences that a report lists; it counts all.
const MAX_LISTED: usize = 100;

/// What running again came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Sessions that were started.
    pub sessions: u64,
    /// Segments of the journal.
    pub segments: u64,
    /// Bars in the journal.
    pub bars: u64,
    /// Bytes of unfinished last records, which a crash left or a session is writing.
    pub torn_bytes: u64,
    /// Decisions that were made again.
    pub decisions: u64,
    /// Of these, those made on the recorded observation: the bars that their features began with are not kept any more.
    pub on_recorded_observations: u64,
    /// Decisions that were taken from the journal, because the model's weights are gone.
    pub without_weights: u64,
    /// Fills that were made again.
    pub fills: u64,
    /// Orders at a venue, each of them the one that its bar's decision asks for.
    pub orders: u64,
    /// Segments that differ.
    pub difference_count: u64,
    /// The first difference of each of them.
    pub differences: Vec<Difference>,
}

/// Where a segment differs. What follows in it follows from that, so that it is compared no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The segment's file.
    pub path: PathBuf,
    /// Start of the bar; none where the head differs from what the segment before it came to.
    pub open_time: Option<Timestamp>,
    /// The model.
    pub model: Option<ModelStamp>,
    /// What differs.
    pub reason: String,
}

impl VerifyReport {
    /// Whether everything came out as recorded.
    pub fn is_identical(&self) -> bool {
        self.difference_count == 0
    }

    fn differs(&mut self, difference: Difference) {
        self.difference_count += 1;
        if self.differences.len() < MAX_LISTED {
            self.differences.push(difference);
        }
    }
}

/// Runs all sessions in `folder` again with the models in `models_dir`, each checked against the hash that the journal
/// names. Where a model's weights are gone, its recorded decisions are followed, and counted.
///
/// # Errors
/// The journal is damaged, or the weights of a model are there and are not those that decided.
pub fn verify_journal(folder: &Path, models_dir: &Path) -> Result<VerifyReport, LiveError> {
    verify_journal_with(folder, |model| {
        let dir = models_dir.join(model.model_id.as_str());
        if !dir.join(walkforward_policy::WEIGHTS_FILE).exists() {
            return Ok(None);
        }
        let loaded = walkforward_policy::load(&dir, &model.sha256);
        loaded.map(Some).map_err(|error| LiveError::Model {
            model: model.model_id.to_string(),
            reason: error.to_string(),
        })
    })
}

/// As [`verify_journal`], with models from `load`, which is called whenever the model changes and gives none where the
/// weights are gone.
///
/// # Errors
/// The journal is damaged, or `load` fails.
pub fn verify_journal_with(
    folder: &Path,
    load: impl FnMut(&ModelStamp) -> Result<Option<Arc<dyn Policy>>, LiveError>,
) -> Result<VerifyReport, LiveError> {
    let mut report = VerifyReport::default();
    let mut policies = Policies { load, loaded: None };
    let mut before: Option<Replay> = None;
    let paths = segment_paths(folder)?;
    let newest = paths.len() - 1;
    for (index, path) in paths.into_iter().enumerate() {
        let Some(mut segment) = Segment::open(&path)? else {
            // A process that starts writes the newest one's head just now.
            if index == newest {
                break;
            }
            return Err(LiveError::Record { path, record: 1, reason: "its head is not whole".to_owned() });
        };
        report.segments += 1;
        report.sessions += u64::from(segment.header.start == SegmentStart::New);
        let mut replay = Replay::of(&segment, before.take(), &path, &mut report)?;
        before = match replay.run(&mut segment, &path, &mut policies, &mut report)? {
            true => Some(replay),
            false => None,
        };
        report.torn_bytes += segment.records.torn_bytes();
    }
    Ok(report)
}

/// The policy of the model that decided last.
struct Policies<F> {
    load: F,
    loaded: Option<(String, Option<Arc<dyn Policy>>)>,
}

impl<F: FnMut(&ModelStamp) -> Result<Option<Arc<dyn Policy>>, LiveError>> Policies<F> {
    fn of(&mut self, model: &ModelStamp) -> Result<Option<Arc<dyn Policy>>, LiveError> {
        if let Some((sha256, policy)) = &self.loaded
            && *sha256 == model.sha256
        {
            return Ok(policy.clone());
        }
        let policy = (self.load)(model)?;
        self.loaded = Some((model.sha256.clone(), policy.clone()));
        Ok(policy)
    }
}

/// What the last bar asked for, by its last order.
fn wanted_before(orders: Option<&OrderDesk>) -> Option<(Timestamp, Option<Order>)> {
    let (bar_open, order) = orders?.last_decision()?;
    Some((bar_open, Some(order)))
}

/// A session on its way through its journal.
struct Replay {
    header: SegmentHeader,
    desk: Desk,
    fills: FillModel,
    /// Whether the features began with bars that are in the journal.
    has_features: bool,
    last_bar: Option<Timestamp>,
    bars: u64,
    orders: Option<OrderDesk>,
    /// What the last bar asked for.
    wanted: Option<(Timestamp, Option<Order>)>,
}

impl Replay {
    /// The session that `segment` begins with, where it can be that of the segment before.
    fn of(
        segment: &Segment,
        before: Option<Self>,
        path: &Path,
        report: &mut VerifyReport,
    ) -> Result<Self, LiveError> {
        let header = segment.header.clone();
        if header.start != SegmentStart::New
            && let Some(before) = &before
            && let Err(reason) = before.leads_to(&segment.checkpoint)
        {
            report.differs(Difference { path: path.to_owned(), open_time: None, model: None, reason });
        }
        let fills = FillModel::new(&header.config);
        let Checkpoint { last_bar, bars, .. } = segment.checkpoint;
        let wanted = before.as_ref().and_then(|before| before.wanted);
        let orders = segment.checkpoint.orders.as_deref().cloned();
        if header.start == SegmentStart::Continued
            && let Some(before) = before
        {
            return Ok(Self { header, fills, last_bar, bars, orders, ..before });
        }
        let has_features = header.start != SegmentStart::Continued;
        let desk = desk_at(segment)?;
        // A further attempt of the last bar's order may come after a restart.
        let wanted = match header.start {
            SegmentStart::New => None,
            _ => wanted.or_else(|| wanted_before(orders.as_ref())),
        };
        Ok(Self { header, desk, fills, has_features, last_bar, bars, orders, wanted })
    }

    /// Compares what this came to with what the next segment begins with. Its limits and costs may be others.
    fn leads_to(&self, next: &Checkpoint) -> Result<(), String> {
        let mut ours = self.desk.checkpoint();
        ours.risk = ours.risk.with_limits(*next.desk.risk.limits());
        if next.desk.session.pending.is_none() {
            // An order that the new limits refuse lapses.
            ours.session.pending = None;
        }
        same("checkpoint", &next.desk, &ours)?;
        if let (Some(ours), Some(next)) = (&self.orders, &next.orders) {
            ours.same_orders(next)?;
        }
        same("last bar", &next.last_bar, &self.last_bar)?;
        same("count of bars", &next.bars, &self.bars)
    }

    /// Runs the records of `segment`; whether all came out as recorded.
    fn run<F: FnMut(&ModelStamp) -> Result<Option<Arc<dyn Policy>>, LiveError>>(
        &mut self,
        segment: &mut Segment,
        path: &Path,
        policies: &mut Policies<F>,
        report: &mut VerifyReport,
    ) -> Result<bool, LiveError> {
        let mut is_same = true;
        for record in segment.records.by_ref() {
            let record = record?;
            report.bars += u64::from(matches!(record, JournalRecord::Bar(_)));
            if !is_same {
                continue;
            }
            let (open_time, model) = match &record {
                JournalRecord::Bar(record) | JournalRecord::Again(record) => {
                    (Some(record.open_time), record.model.clone())
                }
                _ => (self.last_bar, None),
            };
            let policy = model.as_ref().map(|model| policies.of(model)).transpose()?.flatten();
            if let Err(reason) = self.take_record(record, policy.as_deref(), report) {
                is_same = false;
                report.differs(Difference { path: path.to_owned(), open_time, model, reason });
            }
        }
        Ok(is_same)
    }

    fn take_record(
        &mut self,
        record: JournalRecord,
        policy: Option<&dyn Policy>,
        report: &mut VerifyReport,
    ) -> Result<(), String> {
        match record {
            JournalRecord::Bar(record) => {
                self.wanted = Some((record.open_time, record.order));
                self.take(&record, policy, report)
            }
            JournalRecord::Again(record) => {
                self.wanted = Some((record.open_time, record.order));
                same_figures(&self.desk, &record)?;
                self.decide_as_recorded(&record, policy, Ok(()), report)
            }
            JournalRecord::Order(record) => self.take_order(&record, report),
            JournalRecord::Event(event) => {
                apply(&mut self.desk, &event.event, event.at);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A record about an order at the venue: each order is the one that its bar asked for.
    fn take_order(&mut self, record: &OrderRecord, report: &mut VerifyReport) -> Result<(), String> {
        if let OrderRecord::Intent(intent) = record
            && intent.purpose == OrderPurpose::Decision
        {
            let wanted = self.wanted.filter(|(open_time, _)| *open_time == intent.bar_open);
            same("order at the venue", &Some(intent.order), &wanted.and_then(|(_, order)| order))?;
            report.orders += 1;
        }
        take_order(&mut self.desk, self.orders.as_mut(), record)
    }

    /// One bar, in the order in which the trader does it.
    fn take(
        &mut self,
        record: &BarRecord,
        policy: Option<&dyn Policy>,
        report: &mut VerifyReport,
    ) -> Result<(), String> {
        let bar = record.bar().map_err(|error| error.to_string())?;
        let prepared = match policy {
            Some(policy) => self.desk.prepare(policy).map_err(NoDecision::from),
            None => Ok(()),
        };
        if self.header.is_paper() {
            same("fills", &record.fills, &self.fills_at(&bar, record.present))?;
            report.fills += record.fills.len() as u64;
        }
        close_as_recorded(&mut self.desk, record, &bar, self.header.timeframe)?;
        self.last_bar = Some(record.open_time);
        self.bars += 1;
        self.decide_as_recorded(record, policy, prepared, report)
    }

    /// Decides the last bar, and compares that with the record.
    fn decide_as_recorded(
        &mut self,
        record: &BarRecord,
        policy: Option<&dyn Policy>,
        prepared: Result<(), NoDecision>,
        report: &mut VerifyReport,
    ) -> Result<(), String> {
        let timeframe = self.header.timeframe;
        let at = record.open_time.plus_millis(timeframe.millis());
        let decided = match (&record.model, policy) {
            (Some(_), None) => {
                // Which features it saw is not known either, nor when they began.
                self.has_features = false;
                report.without_weights += u64::from(record.action.is_some());
                return follow_as_recorded(&mut self.desk, record, timeframe);
            }
            (Some(model), Some(policy)) if !record.missed => {
                prepared.and_then(|()| self.decide(policy, model, record, at, report))
            }
            _ => return follow_as_recorded(&mut self.desk, record, timeframe),
        };
        self.compare(record, decided)
    }

    fn fills_at(&self, bar: &Bar, present: bool) -> Vec<walkforward_core::Fill> {
        let pending = self.desk.session().pending().filter(|_| present);
        let due = pending.filter(|order| order.order().decided_at == bar.open_time());
        due.and_then(|order| self.fills.fill(order, bar.open(), bar.open_time())).into_iter().collect()
    }

    fn decide(
        &mut self,
        policy: &dyn Policy,
        model: &ModelStamp,
        record: &BarRecord,
        at: Timestamp,
        report: &mut VerifyReport,
    ) -> Result<Decision, NoDecision> {
        report.decisions += u64::from(record.action.is_some());
        match &record.observation {
            Some(observation) if !self.has_features => {
                report.on_recorded_observations += 1;
                self.desk.decide_again(policy, model.grade, at, observation)
            }
            None if !self.has_features => Err(NoDecision::WarmUp),
            _ => self.desk.decide(policy, model.grade, at),
        }
    }

    fn compare(&mut self, record: &BarRecord, decided: Result<Decision, NoDecision>) -> Result<(), String> {
        match decided {
            Ok(decision) => self.compare_decision(record, &decision),
            Err(problem) => {
                same("action", &record.action, &None)?;
                if self.has_features {
                    same("problem", &record.problem, &Some(problem.to_string()))?;
                }
                // A limit may have asked for an order all the same.
                let wanted = self.desk.risk().flattens().then_some(Target::Fraction(0.0));
                same("followed target", &record.followed.map(Target::from), &wanted)?;
                follow_as_recorded(&mut self.desk, record, self.header.timeframe)
            }
        }
    }

    fn compare_decision(&self, record: &BarRecord, decision: &Decision) -> Result<(), String> {
        let bits = |observation: &[f32]| observation.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let seen = record.observation.as_deref().map(bits);
        if seen != Some(bits(self.desk.observation())) {
            return Err("its observation is another than the bars give".to_owned());
        }
        same("action", &record.action, &Some(decision.action))?;
        same("followed target", &record.followed.map(Target::from), &Some(decision.admitted.target))?;
        same("limit", &record.held_back, &decision.admitted.held_back)?;
        same("order", &record.order, &decision.order.map(|approved| *approved.order()))
    }
}
