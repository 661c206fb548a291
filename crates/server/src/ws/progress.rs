//! How far running cycles have come, ten times a second at most.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use walkforward_core::ProgressUpdate;
use walkforward_store::{ScheduleId, Store};

use super::Hub;
use super::message::CycleFacts;
use super::tail::ask;
use crate::TrainingProgress;

/// A schedule's progress is told at most once in this time.
const EVERY: Duration = Duration::from_millis(100);
/// Cycles whose facts are kept; beyond that they are read again.
const MAX_KNOWN: usize = 1_000;

/// What is known of the cycle of each schedule that has told something.
type Known = BTreeMap<ScheduleId, (u64, CycleFacts)>;

/// Tells progress for ever.
pub(super) async fn relay(hub: Hub, store: Arc<Store>) {
    let mut known = Known::new();
    loop {
        hub.progressed().await;
        let pending = hub.take_progress();
        if known.len() > MAX_KNOWN {
            known.clear();
        }
        known = learn(&store, &pending, known).await;
        for (schedule, (cycle, update)) in &pending {
            let facts = known.get(schedule).map(|(_, facts)| facts);
            hub.publish_volatile("continuous_cycle_progress", message(schedule, *cycle, update, facts));
        }
        sleep(EVERY).await;
    }
}

/// Reads what is not known yet of the cycles that have come further.
async fn learn(
    store: &Arc<Store>,
    pending: &BTreeMap<ScheduleId, TrainingProgress>,
    mut known: Known,
) -> Known {
    let is_open = |schedule: &ScheduleId, cycle: u64| {
        known.get(schedule).is_none_or(|(number, facts)| *number != cycle || !facts.is_complete())
    };
    let open: Vec<(ScheduleId, u64)> = pending
        .iter()
        .filter(|(schedule, (cycle, _))| is_open(schedule, *cycle))
        .map(|(schedule, (cycle, _))| (schedule.clone(), *cycle))
        .collect();
    if open.is_empty() {
        return known;
    }
    let read = move |store: &Store| {
        let facts = open.into_iter().map(|(schedule, cycle)| {
            let facts = CycleFacts::of(store, &schedule, cycle);
            (schedule, (cycle, facts))
        });
        Ok(facts.collect::<Vec<_>>())
    };
    known.extend(ask(store, read).await.unwrap_or_default());
    known
}

fn message(schedule: &ScheduleId, cycle: u64, update: &ProgressUpdate, facts: Option<&CycleFacts>) -> Value {
    let ProgressUpdate { stage, done, total, message, eta_seconds } = update;
    let mut message = json!({
        "schedule_id": schedule,
        "cycle_number": cycle,
        "stage": stage.to_string(),
        "iteration": done,
        "total_iterations": total,
        "message": message,
        "eta_seconds": eta_seconds,
    });
    facts.cloned().unwrap_or_default().add_to(&mut message);
    message
}
