//! Whether the rows of an arm's streams are what they have to be: told from the rows and from the models' records.

use walkforward_core::{ArmId, ModelId, Timestamp};
use walkforward_store::{ModelRecord, ScoredBar, Snapshot, Store, StoreError, StreamKey};

use crate::evidence::keeper::model_of;

/// Problems that are told of; more are counted.
const MAX_TOLD: usize = 100;

/// What the rows of an arm's stream say about how they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamAudit {
    /// Scored bars.
    pub bars: usize,
    /// Scored bars of what the arm was measured against, of all such models together.
    pub reference_bars: usize,
    /// Snapshots that decided at least once.
    pub deciders: usize,
    /// Broken promises: a bar that was scored twice or out of order, one that was decided by a snapshot that had seen it
    /// or that was not published yet, or by another than the newest that could; a snapshot that has seen other bars by its
    /// record. The first hundred, in sentences.
    pub problems: Vec<String>,
    /// Number of broken promises.
    pub broken: usize,
}

impl StreamAudit {
    fn tell(&mut self, problem: String) {
        self.broken += 1;
        if self.problems.len() < MAX_TOLD {
            self.problems.push(problem);
        }
    }

    /// Takes what was found in the stream of a model that the arm was measured against.
    fn take_reference(&mut self, model: &ModelId, other: Self) {
        self.reference_bars += other.bars;
        self.broken += other.broken;
        let room = MAX_TOLD.saturating_sub(self.problems.len());
        let told = other.problems.into_iter().take(room);
        self.problems.extend(told.map(|problem| format!("the reference {model}: {problem}")));
    }
}

/// Checks the stream of `arm`, and those of the models that it was measured against.
///
/// # Errors
/// The rows, or the record of a model, can't be read now.
pub fn audit_stream(store: &Store, arm: &ArmId) -> Result<StreamAudit, StoreError> {
    let snapshots = store.snapshots(arm, None)?;
    let mut problems = Vec::new();
    let mut timeframe_ms = 0;
    for snapshot in &snapshots {
        match model_of(store, &snapshot.model)? {
            Ok(record) => {
                timeframe_ms = record.timeframe.millis();
                problems.extend(other_lineage(snapshot, &record));
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut audit = audit_of(store, &StreamKey::Arm(arm.clone()), &snapshots, timeframe_ms)?;
    problems.into_iter().for_each(|problem| audit.tell(problem));
    for model in store.references(arm)? {
        let found = audit_reference(store, arm, &model)?;
        audit.take_reference(&model, found);
    }
    Ok(audit)
}

/// Checks the stream of a model that `arm` was measured against: it alone decides, once it was made, on bars that it has not
/// seen.
fn audit_reference(store: &Store, arm: &ArmId, model: &ModelId) -> Result<StreamAudit, StoreError> {
    let key = StreamKey::Reference(model.clone(), arm.clone());
    let record = match model_of(store, model)? {
        Ok(record) => record,
        Err(problem) => {
            let mut audit =
                StreamAudit { bars: store.stream_bars(&key, None)?.len(), ..StreamAudit::default() };
            audit.tell(problem);
            return Ok(audit);
        }
    };
    let (published_at, lineage_until) = (record.created_at, record.lineage_until);
    let alone = Snapshot { model: model.clone(), published_at, lineage_until };
    audit_of(store, &key, &[alone], record.timeframe.millis())
}

/// That a snapshot has seen other bars than its record says.
fn other_lineage(snapshot: &Snapshot, record: &ModelRecord) -> Option<String> {
    let (kept, said) = (snapshot.lineage_until, record.lineage_until);
    let model = &snapshot.model;
    (kept != said).then(|| {
        format!("{model} decides as one that has seen bars until {kept}, and its record says until {said}")
    })
}

fn audit_of(
    store: &Store,
    key: &StreamKey,
    snapshots: &[Snapshot],
    timeframe_ms: i64,
) -> Result<StreamAudit, StoreError> {
    let (bars, deciders) = (store.stream_bars(key, None)?, store.stream_deciders(key)?);
    Ok(audit(&bars, &deciders, snapshots, timeframe_ms))
}

fn audit(
    bars: &[ScoredBar],
    deciders: &[(Timestamp, Option<ModelId>)],
    snapshots: &[Snapshot],
    timeframe_ms: i64,
) -> StreamAudit {
    let mut audit = StreamAudit { bars: bars.len(), ..StreamAudit::default() };
    for pair in bars.windows(2).filter(|pair| pair[0].close >= pair[1].close) {
        audit.tell(format!("the bar that closes at {} comes after {}", pair[1].close, pair[0].close));
    }
    let known = |model: &&ModelId| snapshots.iter().any(|snapshot| snapshot.model == **model);
    for stranger in deciders.iter().filter_map(|(_, model)| model.as_ref()).filter(|model| !known(model)) {
        audit.tell(format!("{stranger} decided and is no snapshot of the arm"));
    }
    let mut next = 0;
    let mut decided = std::collections::BTreeSet::new();
    for bar in bars {
        while deciders.get(next).is_some_and(|(from, _)| *from <= bar.close) {
            next += 1;
        }
        let model = next.checked_sub(1).and_then(|at| deciders[at].1.as_ref());
        decided.extend(model);
        if let Some(problem) = problem_at(bar.close, model, snapshots, timeframe_ms) {
            audit.tell(problem);
        }
    }
    audit.deciders = decided.len();
    audit
}

/// What is wrong with `model` deciding at `close`.
fn problem_at(
    close: Timestamp,
    model: Option<&ModelId>,
    snapshots: &[Snapshot],
    timeframe_ms: i64,
) -> Option<String> {
    let open = close.plus_millis(-timeframe_ms);
    let could = |it: &&Snapshot| it.published_at <= close && it.lineage_until <= open;
    let newest = snapshots.iter().rfind(could).map(|snapshot| &snapshot.model);
    if newest == model {
        return None;
    }
    let chosen = model.and_then(|model| snapshots.iter().find(|snapshot| snapshot.model == *model));
    let problem = match chosen {
        Some(chosen) if chosen.published_at > close => {
            format!("was decided by {}, published at {}", chosen.model, chosen.published_at)
        }
        Some(chosen) if chosen.lineage_until > open => {
            format!("was decided by {}, which had seen bars until {}", chosen.model, chosen.lineage_until)
        }
        Some(chosen) => format!("was decided by {}, which was not the newest", chosen.model),
        None => "was decided by nobody, though a snapshot could".to_owned(),
    };
    Some(format!("the bar that closes at {close} {problem}"))
}

#[cfg(test)]
mod tests {
    use walkforward_core::RunId;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
    }

    fn bar(hour: i64) -> ScoredBar {
        ScoredBar { close: at(hour), net_return: 0.0, position: 0.0, is_known: true, is_replayed: true }
    }

    fn snapshot(published: i64, seen: i64) -> Snapshot {
        let model = ModelId::of_run(&RunId::at(at(published)));
        Snapshot { model, published_at: at(published).plus_millis(1), lineage_until: at(seen) }
    }

    /// The problems of ten hours in which the second of two snapshots decides from the close at `second` on.
    fn problems(second: i64, snapshots: &[Snapshot; 2]) -> Vec<String> {
        let bars: Vec<ScoredBar> = (3..13).map(bar).collect();
        let deciders: Vec<_> = [3, second]
            .into_iter()
            .zip(snapshots)
            .map(|(from, it)| (at(from), Some(it.model.clone())))
            .collect();
        audit(&bars, &deciders, snapshots, HOUR_MS).problems
    }

    #[test]
    fn each_broken_promise_is_told() {
        let sound = [snapshot(2, 0), snapshot(5, 1)];
        assert_eq!(problems(6, &sound), [""; 0]);
        let early = problems(5, &sound);
        assert!(early.len() == 1 && early[0].contains("published at"), "{early:?}");
        let late = problems(8, &sound);
        assert!(late.len() == 2 && late[0].contains("not the newest"), "{late:?}");
        let seen = problems(6, &[snapshot(2, 0), snapshot(5, 8)]);
        assert!(seen.len() == 3 && seen[0].contains("had seen bars until"), "{seen:?}");
    }

    #[test]
    fn a_bar_that_comes_twice_and_a_stranger_are_told() {
        let snapshots = [snapshot(2, 0)];
        let stranger = snapshot(1, 0).model;
        let found = audit(&[bar(3), bar(3)], &[(at(3), Some(stranger.clone()))], &snapshots, HOUR_MS);
        assert_eq!((found.bars, found.deciders, found.broken), (2, 1, 4));
        assert!(found.problems[0].contains("comes after"), "{found:?}");
        assert!(found.problems[1].contains(stranger.as_str()), "{found:?}");
    }
}
