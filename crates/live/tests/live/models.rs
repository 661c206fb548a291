//! Swapping models under a running session.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use walkforward_core::{
    ActionMap, Bar, BarFeed, FeatureKind, FeatureSpec, ModelRef, Quantity, Side, SourceError,
};
use walkforward_durable::FileLock;
use walkforward_engine::feature_matrix;
use walkforward_live::{
    ChampionError, ChampionLook, ChampionSource, EventRecord, TraderHandle, verify_journal,
};

use crate::common::{
    Champion, Counted, EventfulFeed, LOOKBACK, Walk, Workplace, at, features, spec, spec_with, walk,
    write_inclined_model, write_model,
};

/// Bars until `done`, then a few more.
struct StormFeed {
    walk: Walk,
    done: Arc<AtomicBool>,
    bars_after: usize,
}

#[async_trait]
impl BarFeed for StormFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        if self.done.load(Ordering::SeqCst) {
            if self.bars_after == 0 {
                return Ok(None);
            }
            self.bars_after -= 1;
        }
        Ok(Some(self.walk.next_bar()))
    }
}

const SWAPS: u64 = 1_000;

/// Names another model as soon as the last one has traded.
struct Relay {
    models: Vec<ModelRef>,
    next: u64,
    last: u64,
    handle: Arc<std::sync::OnceLock<TraderHandle>>,
    done: Arc<AtomicBool>,
}

impl ChampionSource for Relay {
    fn look(&mut self, _again: bool) -> Result<ChampionLook, ChampionError> {
        let trading = self.handle.get().and_then(|handle| handle.status().model);
        if self.next > 0 && trading.is_none_or(|model| model.model_version < self.next) {
            return Ok(ChampionLook::Unchanged);
        }
        if self.next == self.last {
            self.done.store(true, Ordering::SeqCst);
            return Ok(ChampionLook::Unchanged);
        }
        self.next += 1;
        Ok(ChampionLook::Champion(self.models[self.next as usize % self.models.len()].clone(), None))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_1000_swaps_each_bar_is_decided_once_by_one_model() {
    let place = Workplace::new();
    let models: Vec<ModelRef> = (0..5).map(|number| place.model(number)).collect();
    let (handle, done) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let relay = Relay {
        models: models.clone(),
        next: 0,
        last: SWAPS + 1,
        handle: Arc::clone(&handle),
        done: Arc::clone(&done),
    };
    let feed = StormFeed { walk: Walk::new(4), done, bars_after: 20 };
    let trader = place.trader(place.options(), Box::new(feed), Box::new(relay));
    handle.set(trader.handle()).ok().unwrap();
    let summary = trader.run().await.unwrap();

    assert_eq!((summary.swaps, summary.model_versions), (SWAPS, Some((1, SWAPS + 1))));
    assert_eq!((summary.refused_models, summary.missing_bars, summary.no_model_bars), (0, 0, 0));
    let bars = place.bars();
    assert_eq!(bars.len() as u64, summary.bars);
    let mut hash_of_version = BTreeMap::new();
    let mut last_version = 0;
    for (index, bar) in bars.iter().enumerate() {
        assert_eq!(bar.open_time, at(index), "no bar is missed or decided twice");
        let model = bar.model.clone().unwrap();
        assert!(model.model_version >= last_version);
        last_version = model.model_version;
        let named = &models[model.model_version as usize % models.len()];
        assert_eq!((&model.model_id, &model.sha256), (&named.id, &named.sha256), "never a mixture");
        hash_of_version.insert(model.model_version, model.sha256);
        assert_eq!(bar.action.is_some(), index > 5, "{index}");
    }
    assert_eq!(hash_of_version.len() as u64, SWAPS + 1);
    assert_eq!(summary.decisions, summary.bars - 6);
    let replayed = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(replayed.is_identical());
    assert_eq!((replayed.decisions, replayed.bars), (summary.decisions, summary.bars));
}

const BARS: usize = 80;
const MOVE_AT: usize = 40;

/// Trades 80 bars; the champion moves from `from` to `to` before bar 40.
async fn trade_with_move(
    place: &Workplace,
    from: &ModelRef,
    to: Option<ModelRef>,
) -> walkforward_live::SessionSummary {
    let champion = Champion::of(from);
    let looks = Arc::new(AtomicU64::new(0));
    let moved = champion.clone();
    let mut to = Some(to);
    let event = Box::new(move || *moved.0.lock().unwrap() = to.take().unwrap());
    let feed = EventfulFeed {
        walk: Walk::new(4),
        bars: BARS,
        events: vec![(MOVE_AT, event)],
        looks: Arc::clone(&looks),
    };
    place.trade(Box::new(feed), Counted(champion, looks)).await.unwrap()
}

async fn check_refused(place: &Workplace, to: Option<ModelRef>, expected: &str) {
    let from = place.model(1);
    let summary = trade_with_move(place, &from, to).await;
    assert_eq!((summary.swaps, summary.refused_models), (0, 1), "each failure is told once");
    assert!(place.bars().iter().all(|bar| bar.model.as_ref().unwrap().sha256 == from.sha256));
    let refused = place.refusals();
    assert!(refused[0].contains(expected), "{refused:?}");
}

#[tokio::test]
async fn a_torn_bundle_keeps_the_old_policy_trading_and_is_named() {
    let place = Workplace::new();
    let torn = place.model(2);
    let file = torn.dir.join(walkforward_policy::WEIGHTS_FILE);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let name = format!("{}: ", torn.id);
    check_refused(&place, Some(torn), &name).await;
}

#[tokio::test]
async fn a_bundle_of_another_hash_keeps_the_old_policy_trading() {
    let place = Workplace::new();
    let mut other = place.model(2);
    other.sha256 = place.model(3).sha256;
    check_refused(&place, Some(other), "has SHA-256").await;
}

#[tokio::test]
async fn a_bundle_that_is_being_removed_keeps_the_old_policy_trading() {
    let place = Workplace::new();
    let going = place.model(2);
    let path = place.models_dir().join(format!(".locks/{}.lock", going.id));
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let _remover = FileLock::try_exclusive(&path, 0).unwrap();
    check_refused(&place, Some(going), "its weights are being removed").await;
}

#[tokio::test]
async fn the_bundle_that_trades_is_locked_and_no_other() {
    let place = Workplace::new();
    let models = [place.model(1), place.model(2)];
    let locks = models.clone().map(|model| place.models_dir().join(format!(".locks/{}.lock", model.id)));
    let is_loaded = |path: &std::path::Path| FileLock::try_exclusive(path, 0).is_err();
    let (champion, looks) = (Champion::of(&models[0]), Arc::new(AtomicU64::new(0)));
    let (seen, moved) = (Arc::new(Mutex::new(Vec::new())), champion.clone());
    let note = |seen: &Arc<Mutex<Vec<[bool; 2]>>>| {
        let (seen, locks) = (Arc::clone(seen), locks.clone());
        move || seen.lock().unwrap().push(locks.each_ref().map(|path| path.exists() && is_loaded(path)))
    };
    let next = models[1].clone();
    let events: Vec<(usize, Box<dyn FnMut() + Send>)> = vec![
        (MOVE_AT - 1, Box::new(note(&seen))),
        (MOVE_AT, Box::new(move || *moved.0.lock().unwrap() = Some(next.clone()))),
        (MOVE_AT + 1, Box::new(note(&seen))),
    ];
    let feed = EventfulFeed { walk: Walk::new(4), bars: BARS, events, looks: Arc::clone(&looks) };
    let summary = place.trade(Box::new(feed), Counted(champion, looks)).await.unwrap();
    assert_eq!(summary.swaps, 1);
    assert_eq!(*seen.lock().unwrap(), [[true, false], [false, true]]);
    // The watcher of a session that ended goes when the runtime next has a turn.
    for _ in 0..1_000 {
        if !locks.iter().any(|path| is_loaded(path)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("a session that ended holds a bundle");
}

#[tokio::test]
async fn a_model_of_another_market_keeps_the_old_policy_trading() {
    let place = Workplace::new();
    let mut ether = spec(features());
    ether.symbol = "ETH/USD".parse().unwrap();
    let ether = write_model(&place.models_dir(), 2, &ether);
    check_refused(&place, Some(ether), "it is a model of ETH/USD 1h, and this session trades BTC/USD 1h")
        .await;
}

#[tokio::test]
async fn a_model_of_a_market_that_closes_keeps_the_old_policy_trading() {
    let place = Workplace::new();
    let stock = walkforward_core::PolicySpec { sessions: true, ..spec(features()) };
    let stock = write_model(&place.models_dir(), 2, &stock);
    check_refused(&place, Some(stock), "trained on a market with sessions").await;
}

#[tokio::test]
async fn a_model_with_short_positions_keeps_the_old_policy_trading_where_there_are_none() {
    let place = Workplace::new();
    let short = spec_with(features(), ActionMap::ShortFlatLong);
    let short = write_model(&place.models_dir(), 2, &short);
    check_refused(&place, Some(short), "takes short positions, and this market does not allow them").await;
}

#[tokio::test]
async fn a_model_that_needs_more_history_than_there_is_keeps_the_old_policy_trading() {
    let place = Workplace::new();
    let long = FeatureSpec::new(vec![FeatureKind::Rsi { period: 10_000 }]).unwrap();
    let long = write_model(&place.models_dir(), 2, &spec(long));
    check_refused(&place, Some(long), "need 400002 bars of history, and this session keeps 4096").await;
}

#[tokio::test]
async fn a_pointer_that_vanishes_keeps_the_old_policy_trading() {
    check_refused(&Workplace::new(), None, "pointer is gone").await;
}

#[tokio::test]
async fn a_model_with_other_features_decides_from_its_first_bar_on() {
    let place = Workplace::new();
    let other = FeatureSpec::new(vec![
        FeatureKind::SmaTrend { fast: 3, slow: 20 },
        FeatureKind::Volatility { period: 6, norm: None },
    ])
    .unwrap();
    let other = spec(other);
    let to = write_model(&place.models_dir(), 2, &other);
    let summary = trade_with_move(&place, &place.model(1), Some(to.clone())).await;
    assert_eq!((summary.swaps, summary.decisions), (1, BARS as u64 - 6));

    let bars = walk(4, BARS);
    let rows = feature_matrix(&other.features, &bars).unwrap().normalised(&other.normaliser).unwrap();
    for (index, bar) in place.bars().iter().enumerate().skip(MOVE_AT) {
        assert_eq!(bar.model.as_ref().unwrap().sha256, to.sha256);
        assert_eq!(bar.first_history_bar, Some(at(0)));
        let observation = bar.observation.as_ref().unwrap();
        let seen = &observation[..observation.len() - 2];
        assert_eq!(seen, rows.window(index, LOOKBACK).unwrap(), "as if it had been there from the start");
    }
}

#[tokio::test]
async fn a_swap_inherits_the_open_position() {
    let place = Workplace::new();
    let inclined = |number, inclination| {
        write_inclined_model(&place.models_dir(), number, &spec(features()), inclination)
    };
    let (bull, bear) = (inclined(1, 1_000.0), inclined(2, -1_000.0));
    let summary = trade_with_move(&place, &bull, Some(bear)).await;
    assert_eq!((summary.swaps, summary.model_versions, summary.fills), (1, Some((1, 2)), 2));

    let bars = place.bars();
    let held = bars[MOVE_AT].position;
    assert!(held > Quantity::ZERO);
    let swapped = place.events().into_iter().rev().find_map(|event| match event {
        EventRecord::Swapped { from: Some(_), position, to, .. } => Some((position, to.model_version)),
        _ => None,
    });
    assert_eq!(swapped, Some((held, 2)));
    let sold = bars[MOVE_AT + 1].fills[0];
    assert_eq!((sold.side, sold.quantity), (Side::Sell, held), "the new model sells what the old one bought");
}
