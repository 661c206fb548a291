//! A live trader on the bars after a replay, under which its model changes: a torn one is refused, a whole one swapped in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use walkforward::failure::{Failure, chain};
use walkforward_core::{CancelToken, Dataset, LineName, ManualClock, ModelId, Outcome, Timestamp, Verdict};
use walkforward_durable::write_atomic;
use walkforward_engine::FillModel;
use walkforward_live::{
    BarRecord, EventRecord, JournalRecord, LiveError, PaperBroker, ReplayedBars, SessionSummary,
    StampedEvent, Trader, TraderOptions, TraderPorts, read_journal,
};
use walkforward_store::{
    POLICY_FILE, PointerReader, PromotionKind, PromotionRequest, Store, StoreError, pointer_path,
};

use super::Rehearsal;
use market::Market;
pub(crate) use market::Parity;
use staged::{Counted, Event, StagedFeed};

mod market;
mod staged;

/// Time between two looks at the pointer.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// The models of the session.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    /// Trades from the start.
    pub(crate) serving: ModelId,
    /// Loses half of its weights.
    pub(crate) torn: ModelId,
    /// Trades afterwards.
    pub(crate) next: ModelId,
    /// Whether gates had made the first one champion; else it was published for the session.
    pub(crate) is_champion: bool,
}

/// What the session came to.
pub(crate) struct LiveSession {
    /// Its models.
    pub(crate) cast: Cast,
    /// Its figures.
    pub(crate) summary: SessionSummary,
    /// Every bar.
    pub(crate) bars: Vec<BarRecord>,
    /// Models that were refused.
    pub(crate) refusals: Vec<Refusal>,
    /// What the backtest says of the same bars.
    pub(crate) parity: Parity,
}

/// A model that the trader did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Index of the first bar after it.
    pub(crate) before_bar: usize,
    /// The trader's words.
    pub(crate) reason: String,
}

/// Trades the bars of `dataset` from `from` on with models of the rehearsal's line.
///
/// # Errors
/// The line has fewer than three models, or the session fails.
pub(crate) async fn trade(
    rehearsal: &Rehearsal,
    dataset: &Dataset,
    from: Timestamp,
    folder: &Path,
) -> Result<LiveSession, Failure> {
    let line = &rehearsal.config.line;
    let cast = cast(&rehearsal.store, line)?;
    if !cast.is_champion {
        publish(&rehearsal.store, line, None, &cast.serving).map_err(|error| Failure::from(&error))?;
    }
    let market = Market::of(dataset, from)?;
    let journal = folder.join("journal");
    let whole =
        std::fs::read(weights(&rehearsal.store, &cast.torn)).map_err(|error| Failure::from_error(&error))?;
    let summary = session(rehearsal, &market, &cast, &journal).await;
    // The folder may be kept: what was torn for show is made whole again.
    let healed = write_atomic(&weights(&rehearsal.store, &cast.torn), &whole);
    let summary = summary?;
    healed.map_err(|error| Failure::from_error(&error))?;
    let (bars, mut refusals) = told(&journal)?;
    let folder = format!("{}/", rehearsal.store.models_dir().display());
    refusals.iter_mut().for_each(|it| it.reason = it.reason.replace(&folder, "models/"));
    let parity = market.parity(rehearsal, &bars)?;
    Ok(LiveSession { cast, summary, bars, refusals, parity })
}

/// The champion, or the newest but two; one that is torn; the newest of the others.
fn cast(store: &Store, line: &LineName) -> Result<Cast, Failure> {
    let fail = |error: StoreError| Failure::from(&error);
    let champion = store.champion(line).map_err(fail)?.map(|champion| champion.pointer.model_id);
    let is_champion = champion.is_some();
    let mut others = store.models(line).map_err(fail)?;
    others.sort_by(|one, other| other.as_str().cmp(one.as_str()));
    others.retain(|model| Some(model) != champion.as_ref());
    let mut others = others.into_iter();
    let (next, torn, last) = (others.next(), others.next(), others.next());
    match (champion.or(last), torn, next) {
        (Some(serving), Some(torn), Some(next)) => Ok(Cast { serving, torn, next, is_champion }),
        _ => Err(Failure::stage("a session with three models needs a replay that made three")),
    }
}

/// Makes `to` the champion by hand.
fn publish(store: &Store, line: &LineName, from: Option<&ModelId>, to: &ModelId) -> Result<(), StoreError> {
    let record = store.model(to)?;
    let reason = "published by hand, to show a swap";
    let verdict = Verdict {
        preset: "by_hand".to_owned(),
        outcome: Outcome::Promote,
        reason: None,
        sentence: reason.to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    };
    let request = PromotionRequest {
        line,
        expected_current: from,
        to,
        kind: PromotionKind::Promote,
        reason,
        verdict: &verdict,
        metrics: &record.metrics.unwrap_or_default(),
    };
    store.promote(&request).map(|_| ())
}

fn weights(store: &Store, model: &ModelId) -> PathBuf {
    store.model_dir(model).join(POLICY_FILE)
}

/// Cuts the weights of `torn` in half and points to it: what a copy leaves behind that was cut short on its way from
/// another machine.
fn tear(store: &Store, line: &LineName, torn: &ModelId) -> Result<(), Failure> {
    let fail = |error: &(dyn std::error::Error + 'static)| Failure::from_error(error);
    let path = weights(store, torn);
    let bytes = std::fs::read(&path).map_err(|error| fail(&error))?;
    std::fs::write(&path, &bytes[..bytes.len() / 2]).map_err(|error| fail(&error))?;
    let record = store.model(torn).map_err(|error| Failure::from(&error))?;
    let pointer = store.pointer(line).map_err(|error| Failure::from(&error))?;
    let mut pointer = pointer.ok_or_else(|| Failure::stage("the line has lost its champion"))?;
    for path in [&mut pointer.model_path, &mut pointer.metadata_path] {
        *path = path.replace(pointer.model_id.as_str(), torn.as_str());
    }
    (pointer.model_id, pointer.sha256) = (torn.clone(), record.sha256);
    pointer.sequence += 1;
    let json = serde_json::to_vec(&pointer).map_err(|error| fail(&error))?;
    write_atomic(&pointer_path(store.models_dir(), line), &json).map_err(|error| fail(&error))
}

async fn session(
    rehearsal: &Rehearsal,
    market: &Market<'_>,
    cast: &Cast,
    journal: &Path,
) -> Result<SessionSummary, Failure> {
    let (line, session) = (rehearsal.config.line.clone(), rehearsal.config.session);
    let features = market.dataset.feature_spec.history_bars();
    let options = TraderOptions {
        session,
        line: line.clone(),
        warm_up: market.there(0..market.first),
        history_bars: TraderOptions::DEFAULT_HISTORY_BARS.max(2 * features),
        poll_interval: POLL_INTERVAL,
        ..TraderOptions::new(market.dataset.symbol.clone(), market.bars.timeframe(), journal.to_owned())
    };
    let looks = Arc::new(AtomicU64::new(0));
    let pointer = PointerReader::new(rehearsal.store.models_dir(), line.clone());
    let traded = market.there(market.first..market.bars.len());
    let feed = StagedFeed::new(traded, events(rehearsal, market, cast, &line), Arc::clone(&looks));
    let ports = TraderPorts {
        feed: Box::new(ReplayedBars::new(Box::new(feed), market.bars.timeframe())),
        backfill: None,
        execution: Box::new(PaperBroker::new(FillModel::new(&session))).into(),
        champion: Box::new(Counted { source: pointer, looks }),
        clock: Arc::new(ManualClock::at(market.third(0))),
    };
    let fail = |error: LiveError| Failure::stage(chain(&error));
    let trader = Trader::new(options, ports, CancelToken::default()).map_err(fail)?;
    trader.run().await.map_err(fail)
}

/// What happens to the line's pointer meanwhile.
fn events(
    rehearsal: &Rehearsal,
    market: &Market<'_>,
    cast: &Cast,
    line: &LineName,
) -> Vec<(Timestamp, Event)> {
    let Cast { torn, next, .. } = cast.clone();
    let (store, tearing, named) = (Arc::clone(&rehearsal.store), torn.clone(), line.clone());
    let tear: Event = Box::new(move || tear(&store, &named, &tearing).map_err(|failure| failure.message));
    let (store, named) = (Arc::clone(&rehearsal.store), line.clone());
    let publish: Event =
        Box::new(move || publish(&store, &named, Some(&torn), &next).map_err(|error| chain(&error)));
    vec![(market.third(1), tear), (market.third(2), publish)]
}

/// Bars and refusals of the journal.
fn told(journal: &Path) -> Result<(Vec<BarRecord>, Vec<Refusal>), Failure> {
    let fail = |error: LiveError| Failure::stage(chain(&error));
    let (mut bars, mut refusals) = (Vec::new(), Vec::new());
    for record in read_journal(journal).map_err(fail)? {
        match record.map_err(fail)? {
            JournalRecord::Bar(bar) => bars.push(*bar),
            JournalRecord::Event(StampedEvent { event: EventRecord::Refused { reason, .. }, .. }) => {
                refusals.push(Refusal { before_bar: bars.len(), reason })
            }
            _ => {}
        }
    }
    Ok((bars, refusals))
}
