//! Watches the line's pointer and puts new champions into the slot.

mod changes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use walkforward_core::{
    CancelToken, Grade, LineName, MarketRules, ModelId, ModelRef, Policy, PolicySpec, Symbol, Timeframe,
    Timestamp,
};
use walkforward_store::{BundleLock, ConfirmationReader, Pointer, PointerReader};

use crate::{DeployedPolicy, ModelStamp, PolicySlot};
use changes::FileChanges;

/// Looks at the champion between two looks at its confirmation.
const LOOKS_PER_CONFIRMATION: u64 = 40;
/// Most reasons that are remembered as told. After so many, the first may be told again.
const MAX_TOLD: usize = 64;
/// Most who wait for a look that they asked for.
const MAX_ASKING: usize = 32;

/// What a look at the champion found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChampionLook {
    /// Nothing has changed since the last look.
    Unchanged,
    /// The line has no champion.
    NoChampion,
    /// This is the champion, and the grade that its arm has come to: what it may risk follows that.
    Champion(ModelRef, Option<Grade>),
}

/// Why nobody knows which model is champion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChampionError {
    /// What is wrong, and where.
    pub message: String,
}

/// Knows which model is champion: the line's pointer, or whatever stands for it.
pub trait ChampionSource: Send {
    /// Looks. It may block and is never called in the bar loop. With `again` it must not answer `Unchanged`: the
    /// last answer could not be used.
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError>;

    /// Since when the champion's confirmation age counts; none where nobody keeps that. It may block.
    fn confirmed(&mut self) -> Option<Confirmed> {
        None
    }

    /// The file whose replacement means that another look is due; none where nothing tells of a change.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// Where a model that was champion lies; none where nobody knows.
    fn folder_of(&self, _model: &ModelId) -> Option<PathBuf> {
        None
    }
}

/// Which model was confirmed last, and when: the last cycle that measured it and kept it, or promoted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The model.
    pub model_id: ModelId,
    /// When.
    pub at: Timestamp,
}

/// The champion of a line as its files say, with what cycles have confirmed.
#[derive(Debug)]
pub struct LineChampion {
    pointer: PointerReader,
    confirmations: ConfirmationReader,
    /// What was confirmed when that could be read last.
    known: Option<Confirmed>,
    /// Whether it can't be read, and a person knows.
    is_unread: bool,
}

impl LineChampion {
    /// The champion of `line` in `models_dir`.
    pub fn new(models_dir: &Path, line: LineName) -> Self {
        let confirmations = ConfirmationReader::new(models_dir, line.clone());
        Self { pointer: PointerReader::new(models_dir, line), confirmations, known: None, is_unread: false }
    }
}

impl ChampionSource for LineChampion {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        self.pointer.look(again)
    }

    fn confirmed(&mut self) -> Option<Confirmed> {
        let error = match self.confirmations.read() {
            Ok(confirmation) => {
                self.is_unread = false;
                self.known = confirmation.map(|confirmation| Confirmed {
                    at: confirmation.since(),
                    model_id: confirmation.model_id,
                });
                return self.known.clone();
            }
            Err(error) => error,
        };
        // What can't be read confirms nothing: the age goes on counting from what was known, or from the promotion.
        let promoted = self.confirmations.promoted().ok().flatten();
        let promoted = promoted.map(|(model_id, at)| Confirmed { model_id, at })?;
        if !std::mem::replace(&mut self.is_unread, true) {
            tracing::warn!(%error, "when the champion was confirmed can't be read: its age counts from its promotion");
        }
        let known = self.known.clone().filter(|known| known.model_id == promoted.model_id);
        Some(known.unwrap_or(promoted))
    }

    fn file(&self) -> Option<PathBuf> {
        self.pointer.file()
    }

    fn folder_of(&self, model: &ModelId) -> Option<PathBuf> {
        self.pointer.folder_of(model)
    }
}

impl ChampionSource for PointerReader {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        let failed = |error: walkforward_store::StoreError| ChampionError { message: error.to_string() };
        let has_changed = self.changed().map_err(failed)?;
        if !has_changed && !again {
            return Ok(ChampionLook::Unchanged);
        }
        let found = self.read().map_err(failed)?;
        let champion = |(pointer, model): (Pointer, _)| ChampionLook::Champion(model, pointer.grade);
        Ok(found.map_or(ChampionLook::NoChampion, champion))
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path())
    }

    fn folder_of(&self, model: &ModelId) -> Option<PathBuf> {
        Some(self.model_dir(model))
    }
}

/// A line that never has a champion.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoChampion;

impl ChampionSource for NoChampion {
    fn look(&mut self, _again: bool) -> Result<ChampionLook, ChampionError> {
        Ok(ChampionLook::NoChampion)
    }
}

/// A model that was not put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRefused {
    /// The model, when the pointer could be read.
    pub model_id: Option<ModelId>,
    /// Why, for a person.
    pub reason: String,
}

/// What one poll came to.
#[derive(Debug, Clone)]
pub enum WatchOutcome {
    /// The champion is the one that trades.
    Unchanged,
    /// There is no champion yet.
    NoChampion,
    /// A new champion is in the slot.
    Deployed(Arc<DeployedPolicy>),
    /// The old one goes on, because of this.
    Refused(ModelRefused),
}

/// Asks a watcher to look at once. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct LookNow(mpsc::Sender<oneshot::Sender<WatchOutcome>>);

impl LookNow {
    /// One who asks, and where the questions arrive.
    pub(crate) fn new() -> (Self, LookRequests) {
        let (sender, receiver) = mpsc::channel(MAX_ASKING);
        (Self(sender), LookRequests(receiver))
    }

    /// What a look that begins after this call finds; none when the watcher has ended, or too many ask already.
    pub async fn look(&self) -> Option<WatchOutcome> {
        let (sender, outcome) = oneshot::channel();
        self.0.try_send(sender).ok()?;
        outcome.await.ok()
    }
}

/// Where those who ask for a look arrive.
#[derive(Debug)]
pub(crate) struct LookRequests(mpsc::Receiver<oneshot::Sender<WatchOutcome>>);

/// Loads each new champion away from the bar loop: lock, hash, structure, probe, symbol, timeframe, sessions, action scheme,
/// history. Only what passes all of it is put into the slot; a failure leaves the slot as it is and is told once.
///
/// It looks as soon as the champion's file is replaced, and from time to time whether or not anybody tells it that.
pub struct PointerWatcher {
    source: Arc<Mutex<Source>>,
    requests: LookRequests,
    slot: Arc<PolicySlot>,
    accepts: Accepts,
    refusals: mpsc::Sender<ModelRefused>,
    told: BTreeSet<String>,
    look_again: bool,
    has_deployed: bool,
    looks: u64,
    confirmed: watch::Sender<Option<Confirmed>>,
}

/// Who knows the champion, and what tells of a change.
struct Source {
    champion: Box<dyn ChampionSource>,
    changes: FileChanges,
}

/// What a session can trade.
#[derive(Debug, Clone)]
pub(crate) struct Accepts {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) history_bars: usize,
    pub(crate) market: MarketRules,
}

enum Found {
    Unchanged,
    NoChampion,
    Loaded(ModelRef, Option<Grade>, Loaded),
    Refused(ModelRefused),
}

impl PointerWatcher {
    pub(crate) fn new(
        champion: Box<dyn ChampionSource>,
        slot: Arc<PolicySlot>,
        accepts: Accepts,
        refusals: mpsc::Sender<ModelRefused>,
    ) -> Self {
        let changes = FileChanges::of(champion.file());
        Self {
            source: Arc::new(Mutex::new(Source { champion, changes })),
            requests: LookNow::new().1,
            slot,
            accepts,
            refusals,
            told: BTreeSet::new(),
            look_again: false,
            has_deployed: false,
            looks: 0,
            confirmed: watch::channel(None).0,
        }
    }

    /// What was confirmed last, as it comes to be known.
    pub(crate) fn confirmed(&self) -> watch::Receiver<Option<Confirmed>> {
        self.confirmed.subscribe()
    }

    /// It answers those who ask here.
    pub(crate) fn answering(mut self, requests: LookRequests) -> Self {
        self.requests = requests;
        self
    }

    /// Polls until `cancel`: when the champion's file changes, when somebody asks, and `interval` after the last poll.
    pub async fn run(mut self, interval: Duration, cancel: CancelToken) {
        while !cancel.is_cancelled() {
            let changed = self.source().changes.changed();
            let asking = tokio::select! {
                Some(asking) = self.requests.0.recv() => Some(asking),
                () = changed => None,
                () = tokio::time::sleep(interval) => None,
            };
            let outcome = self.poll().await;
            if let Some(asking) = asking {
                // Whoever asked may have gone.
                let _ = asking.send(outcome);
            }
        }
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy of a model that traded before, checked and locked as any other, although another is champion now.
    ///
    /// # Errors
    /// Why it can't trade on.
    pub(crate) async fn recall(&self, model: &ModelStamp) -> Result<DeployedPolicy, String> {
        let folder = self.source().champion.folder_of(&model.model_id);
        let folder = folder.ok_or("nobody knows where it lies")?;
        let (sha256, accepts) = (model.sha256.clone(), self.accepts.clone());
        let loaded = tokio::task::spawn_blocking(move || load(&folder, &sha256, &accepts)).await;
        let Loaded { policy, bundle } = loaded.map_err(|error| error.to_string())??;
        Ok(DeployedPolicy::recalled(model, policy, bundle))
    }

    /// Looks once, and deploys what is new.
    pub async fn poll(&mut self) -> WatchOutcome {
        let (source, accepts) = (Arc::clone(&self.source), self.accepts.clone());
        let (current, again) = (self.slot.load(), self.look_again);
        let had_champion = self.has_deployed;
        let asks = self.looks.is_multiple_of(LOOKS_PER_CONFIRMATION).then(|| self.confirmed.clone());
        self.looks += 1;
        let found = tokio::task::spawn_blocking(move || {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            let Source { champion, changes } = &mut *source;
            // Before the look: what changes from here on is told, what changed before is seen.
            changes.watch(asks.is_some());
            if let Some(told) = asks
                && let Some(confirmed) = champion.confirmed()
            {
                told.send_replace(Some(confirmed));
            }
            match champion.look(again) {
                Ok(ChampionLook::Unchanged) => Found::Unchanged,
                Ok(ChampionLook::NoChampion) if had_champion => refused("the line's pointer is gone"),
                Ok(ChampionLook::NoChampion) => Found::NoChampion,
                Ok(ChampionLook::Champion(model, grade)) => take(model, grade, current.as_deref(), &accepts),
                Err(error) => refused(&error.message),
            }
        });
        let found = found.await.unwrap_or_else(|error| refused(&format!("loading it failed: {error}")));
        self.look_again = matches!(found, Found::Refused(_));
        if matches!(found, Found::Loaded(..)) {
            // Its confirmation comes with the next look.
            self.looks = 0;
        }
        match found {
            Found::Unchanged => WatchOutcome::Unchanged,
            Found::NoChampion => WatchOutcome::NoChampion,
            Found::Loaded(model, grade, Loaded { policy, bundle }) => {
                self.told.clear();
                self.has_deployed = true;
                let deployed = self.slot.deploy_locked(policy, model.id, model.sha256, grade, Some(bundle));
                let (model, version) = (&deployed.model_id, deployed.model_version);
                tracing::info!(%model, version, "a new model trades from the next bar on");
                WatchOutcome::Deployed(deployed)
            }
            Found::Refused(refused) => {
                self.tell(&refused);
                WatchOutcome::Refused(refused)
            }
        }
    }

    fn tell(&mut self, refused: &ModelRefused) {
        if self.told.contains(&refused.reason) {
            return;
        }
        if self.told.len() == MAX_TOLD {
            self.told.clear();
        }
        self.told.insert(refused.reason.clone());
        tracing::warn!(reason = %refused.reason, "a new model was refused, the old one goes on");
        if self.refusals.try_send(refused.clone()).is_err() {
            tracing::warn!("the trader is too busy to journal the refusal");
        }
    }
}

fn refused(reason: &str) -> Found {
    Found::Refused(ModelRefused { model_id: None, reason: reason.to_owned() })
}

fn take(model: ModelRef, grade: Option<Grade>, current: Option<&DeployedPolicy>, accepts: &Accepts) -> Found {
    let is_it = |current: &DeployedPolicy| {
        current.model_id == model.id && current.sha256 == model.sha256 && current.grade == grade
    };
    if current.is_some_and(is_it) {
        return Found::Unchanged;
    }
    match load(&model.dir, &model.sha256, accepts) {
        Ok(loaded) => Found::Loaded(model, grade, loaded),
        Err(reason) => {
            let reason = format!("{}: {reason}", model.id);
            Found::Refused(ModelRefused { model_id: Some(model.id), reason })
        }
    }
}

/// A checked policy, and the lock that keeps its bundle.
struct Loaded {
    policy: Arc<dyn Policy>,
    bundle: BundleLock,
}

/// Locks the bundle before it is read: what is trading is not removed.
fn load(dir: &Path, sha256: &str, accepts: &Accepts) -> Result<Loaded, String> {
    let bundle = BundleLock::shared(dir).map_err(|error| error.to_string())?;
    let policy = walkforward_policy::load(dir, sha256).map_err(|error| error.to_string())?;
    accepts.check(policy.spec())?;
    Ok(Loaded { policy, bundle })
}

/// Why a session over bars of `timeframe` of `symbol`, with `history_bars` bars and in `market`, would not let a model
/// trade; nothing where it would.
///
/// # Errors
/// The reason, for a person.
pub fn admit_model(
    spec: &PolicySpec,
    symbol: &Symbol,
    timeframe: Timeframe,
    history_bars: usize,
    market: MarketRules,
) -> Result<(), String> {
    Accepts { symbol: symbol.clone(), timeframe, history_bars, market }.check(spec)
}

impl Accepts {
    fn check(&self, spec: &PolicySpec) -> Result<(), String> {
        if spec.symbol != self.symbol || spec.timeframe != self.timeframe {
            return Err(format!(
                "it is a model of {} {}, and this session trades {} {}",
                spec.symbol, spec.timeframe, self.symbol, self.timeframe
            ));
        }
        if spec.sessions {
            return Err("it was trained on a market with sessions, and this session trades one that never closes: its \
                        features would see closed hours that they never saw in training"
                .to_owned());
        }
        self.market.admit(spec.actions).map_err(|error| error.to_string())?;
        let needed = spec.features.history_bars() + spec.lookback;
        if needed > self.history_bars {
            return Err(format!(
                "its features need {needed} bars of history, and this session keeps {}",
                self.history_bars
            ));
        }
        Ok(())
    }
}
