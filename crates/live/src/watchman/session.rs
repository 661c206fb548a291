//! One session in the watch: its ledgers and its guard.

use std::collections::BTreeMap;

use walkforward_core::{ArmId, Bar, ModelId, SessionId, Timeframe, Timestamp};
use walkforward_engine::SessionConfig;
use walkforward_store::{JournalPosition, LiveChallenger, LiveRule, LiveWatch};

use super::WatchReport;
use super::beside::Beside;
use super::lookup::{Lookup, Models};
use super::pending::Pending;
use super::state::{WatchState, WatchedChampion};
use crate::follow::FollowError;
use crate::journal::{ModelStamp, SegmentHeader};
use crate::{
    Guard, GuardBar, GuardError, GuardSettings, GuardVerdict, MAX_CHALLENGERS, Shadow, ShadowModel,
    ShadowRole, Succession, Watched,
};

const DAY_MS: i64 = 86_400_000;
/// Least time between two tries to load a champion that could not be loaded.
const RETRY_MS: i64 = 3_600_000;

/// What is known of a session.
pub(super) struct WatchedSession {
    pub(super) id: SessionId,
    pub(super) timeframe: Timeframe,
    pub(super) shadow: Shadow,
    /// The champion that was taken back, until another one trades.
    pub(super) taken_back: Option<ModelId>,
    config: SessionConfig,
    kept_bars: usize,
    champion: Option<WatchedChampion>,
    guard: Option<Guard>,
    challengers: BTreeMap<ArmId, ModelId>,
    beside: BTreeMap<ArmId, Beside>,
    /// The UTC day of the last bar.
    day: Option<i64>,
    /// From when on a champion that could not be loaded is tried again; none is at once.
    retry_at: Option<Timestamp>,
}

impl WatchedSession {
    /// A session before its first bar.
    pub(super) fn new(id: SessionId, header: &SegmentHeader) -> Result<Self, String> {
        let (config, timeframe) = (header.config, header.timeframe);
        let shadow = Shadow::new(config, timeframe, header.kept_bars).map_err(|error| error.to_string())?;
        Ok(Self {
            id,
            timeframe,
            shadow,
            taken_back: None,
            config,
            kept_bars: header.kept_bars,
            champion: None,
            guard: None,
            challengers: BTreeMap::new(),
            beside: BTreeMap::new(),
            day: None,
            retry_at: None,
        })
    }

    /// The session of `state`, whose bars are still to come; the models that are not in its shadow any more.
    pub(super) fn resume(
        header: &SegmentHeader,
        state: &WatchState,
        models: &Models<'_>,
    ) -> Result<(Self, Vec<ModelId>), String> {
        let (config, timeframe) = (state.config, header.timeframe);
        let loaded: Vec<ShadowModel> = state
            .shadow
            .ledgers
            .iter()
            .filter_map(|ledger| models.load(&ledger.model_id, &ledger.sha256).ok())
            .collect();
        let (shadow, left_out) = Shadow::resume(config, timeframe, header.kept_bars, &state.shadow, &loaded)
            .map_err(|error| error.to_string())?;
        if let Some(champion) = state.champion.as_ref().filter(|champion| champion.is_run)
            && left_out.contains(&champion.stamp.model_id)
        {
            return Err(format!("the champion {} can't be loaded", champion.stamp.model_id));
        }
        let guard = state.guard.clone().map(|guard| Guard::resume(settings(timeframe), guard));
        let guard = guard.transpose().map_err(|error| error.to_string())?;
        let mut challengers = state.challengers.clone();
        challengers.retain(|_, model| !left_out.contains(model));
        let mut beside = state.beside.clone();
        beside.retain(|arm, _| challengers.contains_key(arm));
        let session = Self {
            id: state.session.clone(),
            timeframe,
            shadow,
            taken_back: state.taken_back.clone(),
            config,
            kept_bars: header.kept_bars,
            champion: state.champion.clone(),
            guard,
            challengers,
            beside,
            day: state.day,
            retry_at: None,
        };
        Ok((session, left_out))
    }

    pub(super) fn state(&self, at: JournalPosition, pending: Option<Pending>) -> WatchState {
        WatchState {
            schema: WatchState::SCHEMA,
            session: self.id.clone(),
            at,
            config: self.config,
            champion: self.champion.clone(),
            taken_back: self.taken_back.clone(),
            challengers: self.challengers.clone(),
            beside: self.beside.clone(),
            day: self.day,
            shadow: self.shadow.checkpoint(),
            guard: self.guard.as_ref().map(Guard::checkpoint),
            pending,
        }
    }

    /// Whether its ledgers go on in a segment with this header.
    pub(super) fn goes_on_under(&self, header: &SegmentHeader) -> bool {
        self.config == header.config
            && self.timeframe == header.timeframe
            && self.kept_bars == header.kept_bars
    }

    /// Lets the model that decides on `bar` be the champion. What a person should know.
    pub(super) fn follow_champion(
        &mut self,
        stamp: Option<&ModelStamp>,
        bar: &Bar,
        look: &Lookup<'_>,
    ) -> Result<Vec<String>, FollowError> {
        let Some(stamp) = stamp else {
            if self.champion.take().is_some() {
                self.shadow.remove_champion();
                self.guard = None;
            }
            return Ok(Vec::new());
        };
        if let Some(champion) = &mut self.champion
            && (&champion.stamp.model_id, &champion.stamp.sha256) == (&stamp.model_id, &stamp.sha256)
        {
            champion.stamp = stamp.clone();
            let is_run = champion.is_run;
            if self.retry_at.is_some_and(|at| bar.open_time() < at) {
                return Ok(Vec::new());
            }
            if is_run {
                return Ok(self.retry_anchor(bar, look));
            }
        }
        let arm = look.arm_of(&stamp.model_id)?;
        let before = self.champion.as_ref();
        let is_same_arm =
            before.is_some_and(|before| before.is_run && before.arm.is_some() && before.arm == arm);
        let is_refresh =
            is_same_arm && self.taken_back.is_none() && !look.was_taken_back_to(&stamp.model_id)?;
        let model = look.models().load(&stamp.model_id, &stamp.sha256);
        self.retry_at = Some(bar.open_time().plus_millis(RETRY_MS));
        let comes = Comes { stamp, arm, bar };
        match model {
            Err(problem) => {
                self.shadow.remove_champion();
                self.guard = None;
                self.stand(comes, false);
                Ok(vec![problem])
            }
            Ok(model) if is_refresh => Ok(self.refresh(comes, model)),
            Ok(model) => self.take_over(comes, model, look),
        }
    }

    /// Loads the anchor where that failed before.
    fn retry_anchor(&mut self, bar: &Bar, look: &Lookup<'_>) -> Vec<String> {
        let anchor = self.guard.as_ref().and_then(|guard| guard.watched().anchor.clone());
        let Some(anchor) = anchor.filter(|_| !self.shadow.has(ShadowRole::Anchor)) else { return Vec::new() };
        self.retry_at = Some(bar.open_time().plus_millis(RETRY_MS));
        let came = look
            .load(&anchor)
            .and_then(|model| self.shadow.set_anchor(Some(model)).map_err(|error| error.to_string()));
        came.err().map(|problem| format!("{problem}: no evidence is counted beside it")).into_iter().collect()
    }

    /// A newer snapshot of the same arm trades: ledger and evidence go on.
    fn refresh(&mut self, comes: Comes<'_>, model: ShadowModel) -> Vec<String> {
        let mut words = Vec::new();
        let is_run = match self.shadow.set_champion(model, Succession::Refresh) {
            Ok(()) => true,
            Err(error) => {
                self.shadow.remove_champion();
                words.push(error.to_string());
                false
            }
        };
        match self.guard.take().map(|guard| refreshed(guard, &comes.stamp.model_id)) {
            Some(Ok(guard)) => self.guard = Some(guard).filter(|_| is_run),
            Some(Err(error)) => words.push(error.to_string()),
            None => {}
        }
        self.stand(comes, is_run);
        words
    }

    /// A champion of another arm trades, or the first one, or one that a rollback has brought back: a guard begins.
    fn take_over(
        &mut self,
        comes: Comes<'_>,
        model: ShadowModel,
        look: &Lookup<'_>,
    ) -> Result<Vec<String>, FollowError> {
        let (champion, open) = (&comes.stamp.model_id, comes.bar.open_time());
        let before = self.champion.as_ref().map(|before| &before.stamp.model_id);
        let before = before.filter(|before| *before != champion);
        let anchor = look.displaced(champion, comes.arm.as_ref(), before)?;
        let (replay, problem) = look.figures(champion, comes.arm.as_ref(), open)?;
        let mut words: Vec<String> = problem.into_iter().collect();
        let anchor_model = match anchor.as_ref().map(|anchor| look.load(anchor)).transpose() {
            Ok(model) => model,
            Err(problem) => {
                words.push(format!("{problem}: no evidence is counted beside it"));
                None
            }
        };
        let set = self.shadow.set_champion(model, Succession::Takeover);
        words.extend(set.as_ref().err().map(ToString::to_string));
        if set.is_err() {
            self.shadow.remove_champion();
        }
        if let Err(error) = self.shadow.set_anchor(anchor_model) {
            words.push(error.to_string());
            let _ = self.shadow.set_anchor(None);
        }
        self.guard = None;
        if set.is_ok() {
            let watched = Watched { champion: champion.clone(), anchor, replay };
            match Guard::new(settings(self.timeframe), watched) {
                Ok(guard) => self.guard = Some(guard),
                Err(error) => words.push(format!("{champion} is not watched: {error}")),
            }
        }
        self.stand(comes, set.is_ok());
        Ok(words)
    }

    fn stand(&mut self, comes: Comes<'_>, is_run: bool) {
        let Comes { stamp, arm, .. } = comes;
        if let Some(arm) = &arm
            && let Some(challenger) = self.challengers.remove(arm)
        {
            self.beside.remove(arm);
            self.shadow.remove_challenger(&challenger);
        }
        self.champion = Some(WatchedChampion { stamp: stamp.clone(), arm, is_run });
        self.taken_back = None;
        // Another arm may challenge now.
        self.day = None;
    }

    /// Whether the bar is the first of its UTC day, or the first under a champion.
    pub(super) fn is_new_day(&mut self, bar: &Bar) -> bool {
        let day = bar.open_time().as_millis().div_euclid(DAY_MS);
        self.day != Some(day)
    }

    /// Lets the newest snapshots of the line's other arms challenge. What a person should know.
    pub(super) fn follow_arms(
        &mut self,
        bar: &Bar,
        most: usize,
        look: &Lookup<'_>,
    ) -> Result<Vec<String>, FollowError> {
        let mut words = Vec::new();
        if most > 0 {
            let own = self.champion.as_ref().and_then(|champion| champion.arm.as_ref());
            let found = look.challengers(own, bar.open_time(), most.min(MAX_CHALLENGERS))?;
            let is_gone = |arm: &ArmId| !found.iter().any(|(other, _)| other == arm);
            let gone: Vec<ArmId> = self.challengers.keys().filter(|arm| is_gone(arm)).cloned().collect();
            for arm in gone {
                self.beside.remove(&arm);
                if let Some(model) = self.challengers.remove(&arm) {
                    self.shadow.remove_challenger(&model);
                }
            }
            for (arm, model_id) in found {
                words.extend(self.challenge(arm, model_id, look).err());
            }
        }
        self.day = Some(bar.open_time().as_millis().div_euclid(DAY_MS));
        Ok(words)
    }

    fn challenge(&mut self, arm: ArmId, model_id: ModelId, look: &Lookup<'_>) -> Result<(), String> {
        if self.challengers.get(&arm) == Some(&model_id) {
            return Ok(());
        }
        let model = look.load(&model_id)?;
        let came = match self.challengers.get(&arm) {
            Some(before) => self.shadow.renew_challenger(before, model),
            None => self.shadow.add_challenger(model),
        };
        came.map_err(|error| error.to_string())?;
        self.challengers.insert(arm, model_id);
        Ok(())
    }

    /// Lets all have the bar. The verdict, when the champion broke a rule, and what a person should know.
    pub(super) fn on_bar(
        &mut self,
        bar: &Bar,
        present: bool,
    ) -> (Option<(ModelId, GuardVerdict)>, Option<String>) {
        self.shadow.on_bar(bar, present);
        self.count_beside(bar);
        let Some(guard) = &mut self.guard else { return (None, None) };
        let Some(champion) = self.shadow.last_of(ShadowRole::Champion) else { return (None, None) };
        let anchor_return = match guard.watched().anchor {
            None => Some(0.0),
            Some(_) => self.shadow.last_of(ShadowRole::Anchor).map(|anchor| anchor.net_return),
        };
        let of_bar = GuardBar {
            close: champion.close,
            champion_return: champion.net_return,
            champion_position: champion.position,
            anchor_return,
            answer: champion.answer,
        };
        match guard.push(&of_bar) {
            Ok(Some(verdict)) => (Some((guard.watched().champion.clone(), verdict)), None),
            Ok(None) => (None, None),
            Err(error) => (None, Some(format!("a bar does not count in the watch: {error}"))),
        }
    }

    /// Lets the guard of the champion begin anew after its verdict; which champion that is. None without a verdict.
    pub(super) fn watch_anew(&mut self) -> Option<Result<ModelId, String>> {
        let guard = self.guard.as_ref().filter(|guard| guard.verdict().is_some())?;
        let watched = guard.watched().clone();
        let champion = watched.champion.clone();
        self.taken_back = None;
        Some(match Guard::new(guard.settings().clone(), watched) {
            Ok(guard) => {
                self.guard = Some(guard);
                Ok(champion)
            }
            Err(error) => Err(format!("{champion} is not watched: {error}")),
        })
    }

    /// Lets the bar count for each challenger beside the champion. One on which the champion could not be run does not.
    fn count_beside(&mut self, bar: &Bar) {
        let champion = match (self.shadow.last_of(ShadowRole::Champion), &self.champion) {
            (Some(champion), _) => champion.net_return,
            (None, None) => 0.0,
            (None, Some(_)) => return,
        };
        for (arm, model) in &self.challengers {
            if let Some(own) = self.shadow.last_of_challenger(model) {
                let beside = self.beside.entry(arm.clone()).or_insert_with(|| Beside::new(bar.open_time()));
                beside.take(own.net_return, champion);
            }
        }
    }

    /// What it has come to, for the store.
    pub(super) fn told(&self) -> LiveWatch {
        let guard = self.guard.as_ref();
        let equities = guard.map(Guard::checkpoint).map(|it| (it.equity.now, it.anchor_equity.now));
        let (equity, anchor_equity) = equities.unwrap_or((1.0, 1.0));
        let rules = guard.into_iter().flat_map(Guard::standing).map(|standing| LiveRule {
            rule: standing.rule.as_str().to_owned(),
            value: standing.value,
            limit: standing.limit,
        });
        LiveWatch {
            close: self.shadow.last().first().map(|bar| bar.close),
            champion: guard.map(|guard| guard.watched().champion.clone()),
            anchor: guard.and_then(|guard| guard.watched().anchor.clone()),
            bars: guard.map_or(0, Guard::bars),
            champion_return: equity - 1.0,
            anchor_return: anchor_equity - 1.0,
            rules: rules.collect(),
            challengers: self.challengers.iter().map(|(arm, model)| self.challenger(arm, model)).collect(),
        }
    }

    fn challenger(&self, arm: &ArmId, model: &ModelId) -> LiveChallenger {
        let (beside, last) = (self.beside.get(arm), self.shadow.last_of_challenger(model));
        LiveChallenger {
            arm: arm.clone(),
            model: model.clone(),
            since: beside.map(|beside| beside.since),
            bars: beside.map_or(0, |beside| beside.bars),
            total_return: beside.map_or(0.0, Beside::total_return),
            champion_return: beside.map_or(0.0, Beside::champion_return),
            position: last.map(|last| last.position),
            problem: last.and_then(|last| last.problem.clone()),
        }
    }

    pub(super) fn report(&self) -> WatchReport {
        let guard = self.guard.as_ref();
        WatchReport {
            close: self.shadow.last().first().map(|bar| bar.close),
            champion: guard.map(|guard| guard.watched().champion.clone()),
            anchor: guard.and_then(|guard| guard.watched().anchor.clone()),
            guard_bars: guard.map_or(0, Guard::bars),
            standing: guard.map_or_else(Vec::new, |guard| guard.standing().to_vec()),
            ledgers: self.shadow.last().to_vec(),
        }
    }
}

/// A champion that comes.
struct Comes<'a> {
    stamp: &'a ModelStamp,
    arm: Option<ArmId>,
    bar: &'a Bar,
}

/// The guard with a newer snapshot as its champion. A verdict that came to nothing, because the snapshot was there first, is
/// looked at again with the next bar.
fn refreshed(guard: Guard, champion: &ModelId) -> Result<Guard, GuardError> {
    let mut guard = match guard.verdict() {
        None => guard,
        Some(_) => {
            let settings = guard.settings().clone();
            let checkpoint = crate::GuardCheckpoint { verdict: None, ..guard.checkpoint() };
            Guard::resume(settings, checkpoint)?
        }
    };
    guard.refresh(champion.clone());
    Ok(guard)
}

fn settings(timeframe: Timeframe) -> GuardSettings {
    GuardSettings::standard(timeframe.bars_per_year())
}
