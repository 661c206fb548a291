//! The bar cache: what it asks for, what it keeps, what it survives.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use walkforward_core::{
    AbsentMeans, Bar, BarRequest, BarSeries, Clock, DataSource, ManualClock, MarketCalendar, QualityFigures,
    SessionCalendar, SourceBars, SourceError, Timeframe, Timestamp, Window,
};
use walkforward_durable::{Files, PlannedFault};
use walkforward_etl::{BarCache, CacheKey, Cached, ReplaySource, RetryPolicy, Retrying};

const OVERLAP: usize = 5;

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::EPOCH.plus_millis((20_000 * 1_440 + minute) * 60_000)
}

pub(crate) fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

pub(crate) fn price(minute: i64) -> f64 {
    100.0 + minute as f64
}

pub(crate) fn bar(minute: i64, price: f64) -> Bar {
    Bar::new(at(minute), price, price + 1.0, price - 1.0, price + 0.5, 2.0).unwrap()
}

pub(crate) fn series(minutes: impl IntoIterator<Item = i64>) -> BarSeries {
    let mut series = BarSeries::new(Timeframe::MINUTE);
    for minute in minutes {
        series.push(bar(minute, price(minute))).unwrap();
    }
    series
}

/// A source whose bars can be changed and which notes what it is asked for, as minutes `[from, to)`.
pub(crate) struct Recorder {
    pub(crate) bars: Mutex<BarSeries>,
    pub(crate) asked: Mutex<Vec<(i64, i64)>>,
}

#[async_trait]
impl DataSource for &Recorder {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let end = request.as_of.unwrap();
        let start = request.calendar.bars_before(end, request.bars, Timeframe::MINUTE).unwrap();
        let minute = |time: Timestamp| time.millis_since(at(0)) / 60_000;
        self.asked.lock().unwrap().push((minute(start), minute(end)));
        let bars = self.bars.lock().unwrap().clone();
        let file = Some(QualityFigures { rows: bars.len(), ..QualityFigures::default() });
        let answer = ReplaySource::new(bars, AbsentMeans::NoTrade, end).bars(request).await?;
        Ok(SourceBars { file, ..answer })
    }
}

/// A cache folder, a clock, and a source behind the cache.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) source: Recorder,
    files: Files,
}

impl World {
    pub(crate) fn new(minutes: impl IntoIterator<Item = i64>, now: i64) -> Self {
        let source = Recorder { bars: Mutex::new(series(minutes)), asked: Mutex::default() };
        let dir = tempfile::tempdir().unwrap();
        Self { dir, clock: Arc::new(ManualClock::at(at(now))), source, files: Files::default() }
    }

    pub(crate) fn cache(&self) -> BarCache {
        BarCache::new(self.dir.path()).with_files(self.files.clone())
    }

    pub(crate) fn cached(&self) -> Cached<&Recorder> {
        Cached::new(&self.source, "test", self.cache(), self.clock.clone()).with_overlap_bars(OVERLAP)
    }

    pub(crate) fn ask(&self, bars: usize) -> Result<SourceBars, SourceError> {
        self.ask_in(bars, MarketCalendar::Continuous)
    }

    pub(crate) fn ask_in(&self, bars: usize, calendar: MarketCalendar) -> Result<SourceBars, SourceError> {
        let request = BarRequest { timeframe: Some(Timeframe::MINUTE), calendar, ..request(bars) };
        futures(self.cached().bars(&request))
    }

    /// What the source was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<(i64, i64)> {
        std::mem::take(&mut self.source.asked.lock().unwrap())
    }

    pub(crate) fn set_now(&self, minute: i64) {
        self.clock.set(at(minute));
    }

    pub(crate) fn set_bars(&self, bars: BarSeries) {
        *self.source.bars.lock().unwrap() = bars;
    }

    /// The files of the cache with names that end so.
    pub(crate) fn files(&self, end: &str) -> Vec<PathBuf> {
        let folder = self.dir.path().join("test/BTC-USD/1m");
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(end));
        paths.sort();
        paths
    }
}

pub(crate) fn request(bars: usize) -> BarRequest {
    BarRequest::new("BTC/USD".parse().unwrap(), bars)
}

pub(crate) fn key() -> CacheKey {
    CacheKey::new("test", "BTC/USD".parse().unwrap(), Timeframe::MINUTE).unwrap()
}

pub(crate) fn futures<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn starts(answer: &SourceBars) -> Vec<i64> {
    answer.bars.open_times().iter().map(|time| time.millis_since(at(0)) / 60_000).collect()
}

#[test]
fn what_was_asked_for_once_is_answered_without_asking() {
    let world = World::new((0..200).filter(|minute| minute % 50 != 7), 200);
    let first = world.ask(100).unwrap();
    assert_eq!(world.asked(), [(100, 200)]);
    assert_eq!((first.bars.len(), first.absent, first.as_of), (98, AbsentMeans::NoTrade, at(200)));
    let again = world.ask(100).unwrap();
    assert_eq!(first.file.as_ref().map(|file| file.rows), Some(196), "what the source says of its answer");
    let first = SourceBars { file: None, ..first };
    assert_eq!((world.asked(), &again), (vec![], &first), "not even for the bars that the source lacks");
    assert_eq!(world.ask(50).unwrap().bars.len(), 49);
    assert_eq!(world.asked(), []);
}

#[test]
fn a_refresh_asks_once_for_what_is_new_and_the_overlap() {
    let world = World::new(0..400, 200);
    world.ask(100).unwrap();
    world.set_now(260);
    let answer = world.ask(100).unwrap();
    assert_eq!(world.asked(), [(100, 200), (195, 260)]);
    assert_eq!(answer.bars, series(160..260));
}

#[test]
fn earlier_bars_are_asked_for_up_to_the_known_ones() {
    let world = World::new(0..400, 200);
    world.ask(50).unwrap();
    let answer = world.ask(120).unwrap();
    assert_eq!(world.asked(), [(150, 200), (80, 150 + OVERLAP as i64)]);
    assert_eq!(answer.bars, series(80..200));
    world.set_now(210);
    assert_eq!(world.ask(150).unwrap().bars, series(60..210));
    assert_eq!(world.asked(), [(60, 80 + OVERLAP as i64), (195, 210)]);
}

#[test]
fn a_bar_in_progress_is_neither_asked_for_nor_kept() {
    let world = World::new(0..400, 200);
    world.clock.set(at(200).plus_millis(59_999));
    let later = BarRequest { timeframe: Some(Timeframe::MINUTE), as_of: Some(at(300)), ..request(100) };
    let answer = futures(world.cached().bars(&later)).unwrap();
    assert_eq!((answer.as_of, answer.bars.last_close_time()), (at(300), Some(at(200))));
    assert_eq!(world.cache().summary(&key()).unwrap().covered, [window(100, 200)]);
    world.set_now(300);
    let answer = futures(world.cached().bars(&later)).unwrap();
    assert_eq!(answer.bars.last_close_time(), Some(at(300)), "the later bars were not taken for absent");
}

#[test]
fn a_revision_is_used_and_every_earlier_window_can_be_rebuilt() {
    let world = World::new(0..400, 200);
    world.ask(100).unwrap();
    let mut revised = series(0..197);
    revised.push(bar(197, 7_777.0)).unwrap();
    (198..400).for_each(|minute| revised.push(bar(minute, price(minute))).unwrap());
    world.set_bars(revised);
    world.set_now(260);
    let answer = world.ask(100).unwrap();
    assert_eq!(answer.revised, [at(197)]);
    assert_eq!(answer.bars.bar(37), bar(197, 7_777.0));
    let known = |when: i64| world.cache().bars_as_known_at(&key(), window(0, 400), at(when)).unwrap();
    assert_eq!(known(199), series([]), "nothing was known before the first request");
    assert_eq!(known(200), series(100..200));
    assert_eq!(known(259), series(100..200));
    assert_eq!(known(260).bar(97), bar(197, 7_777.0));
    assert_eq!(known(260).len(), 160);
}

#[test]
fn a_clock_that_goes_back_keeps_the_order_in_which_bars_were_learnt() {
    let world = World::new(0..400, 300);
    world.ask(100).unwrap();
    world.set_bars(series((0..100).chain(120..400)));
    world.set_now(250);
    world.ask(200).unwrap();
    assert_eq!(world.cache().summary(&key()).unwrap().learnt_until, Some(at(300)));
}

#[test]
fn segments_are_merged_so_that_few_stay() {
    let world = World::new(0..10_000, 6_000);
    world.ask(6_000).unwrap();
    for hour in 1..60 {
        world.set_now(6_000 + hour * 60);
        world.ask(100).unwrap();
        assert!(world.files(".parquet").len() <= 6, "after {hour} refreshes");
    }
    let summary = world.cache().summary(&key()).unwrap();
    assert_eq!((summary.rows, summary.covered), (9_540, vec![window(0, 9_540)]));
    assert_eq!(world.ask(9_540).unwrap().bars, series(0..9_540));
}

#[test]
fn a_closed_market_is_not_asked_for() {
    let sessions = SessionCalendar::new(vec![window(0, 60), window(1_440, 1_500)]).unwrap();
    let calendar = MarketCalendar::Sessions(sessions);
    let world = World::new((0..60).chain(1_440..1_500), 60);
    assert_eq!(world.ask_in(30, calendar.clone()).unwrap().bars.len(), 30);
    world.set_now(1_000);
    assert_eq!(world.ask_in(30, calendar.clone()).unwrap().bars, series(30..60));
    assert_eq!(world.asked(), [(30, 60)]);
    world.set_now(1_450);
    assert_eq!(world.ask_in(30, calendar).unwrap().bars, series((40..60).chain(1_440..1_450)));
    assert_eq!(world.asked(), [(60 - OVERLAP as i64, 1_450)]);
}

#[test]
fn what_a_cache_can_not_keep_is_refused() {
    let world = World::new(0..10, 10);
    let refuse = |request: &BarRequest, expected: &str| {
        let error = futures(world.cached().bars(request)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refuse(&request(5), "timeframe of a request to the bar cache is not given");
    refuse(&BarRequest { timeframe: Some("5m".parse().unwrap()), ..request(1) }, "cache those instead");
    for name in ["", "a/b", "..", "Alpaca", &"x".repeat(65)] {
        let error = CacheKey::new(name, "BTC/USD".parse().unwrap(), Timeframe::MINUTE).unwrap_err();
        assert!(error.to_string().contains("expected 1 to 64 of a-z"), "{error}");
    }
}

/// Damages the cache, and checks that the next request sets the file aside, asks for what is lost and is right.
fn survives(damage: impl Fn(&World), set_aside: &str) {
    let world = World::new(0..9_000, 4_000);
    world.ask(4_000).unwrap();
    world.set_now(4_060);
    world.ask(4_000).unwrap();
    assert_eq!(world.files(".parquet").len(), 2);
    world.asked();
    damage(&world);
    assert_eq!(world.ask(4_000).unwrap().bars, series(60..4_060));
    assert!(!world.files(set_aside).is_empty(), "{:?}", world.files(""));
    world.asked();
    assert_eq!(world.ask(4_000).unwrap().bars, series(60..4_060));
    assert_eq!(world.asked(), [], "the cache is whole again");
}

#[test]
fn torn_changed_and_foreign_files_are_set_aside_and_asked_for_again() {
    let first = |world: &World| world.files(".parquet")[0].clone();
    let change = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    survives(|world| change(&first(world), &|bytes| bytes.truncate(bytes.len() / 2)), ".parquet.damaged-1");
    survives(|world| change(&first(world), &|bytes| bytes.clear()), ".parquet.damaged-1");
    survives(|world| change(&first(world), &|bytes| bytes[1_000] ^= 1), ".parquet.damaged-1");
    let foreign = |world: &World| {
        let other = BarRequest {
            symbol: "ETH/USD".parse().unwrap(),
            timeframe: Some(Timeframe::MINUTE),
            ..request(4_000)
        };
        futures(world.cached().bars(&other)).unwrap();
        let folder = world.dir.path().join("test/ETH-USD/1m");
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let segment = files.find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
        std::fs::copy(&segment, first(world).with_file_name(segment.file_name().unwrap())).unwrap();
        std::fs::remove_file(world.dir.path().join("test/BTC-USD/1m/manifest.json")).unwrap();
    };
    survives(foreign, ".parquet.damaged-1");
    let manifest = |world: &World| world.files("manifest.json")[0].clone();
    survives(|world| change(&manifest(world), &|bytes| bytes.truncate(50)), "manifest.json.damaged-1");
}

#[test]
fn a_lost_manifest_or_segment_loses_no_other() {
    let world = World::new(0..9_000, 4_000);
    world.ask(4_000).unwrap();
    world.set_now(4_060);
    world.ask(100).unwrap();
    let before = world.cache().bars_as_known_at(&key(), window(0, 9_000), at(4_000)).unwrap();
    world.asked();
    std::fs::remove_file(&world.files("manifest.json")[0]).unwrap();
    assert_eq!(world.ask(4_060).unwrap().bars, series(0..4_060));
    assert_eq!(world.asked(), [], "the segments say what they hold");
    assert_eq!(world.cache().bars_as_known_at(&key(), window(0, 9_000), at(4_000)).unwrap(), before);
    std::fs::remove_file(&world.files(".parquet")[1]).unwrap();
    assert_eq!(world.ask(4_060).unwrap().bars, series(0..4_060));
    assert_eq!(world.asked(), [(4_000 - OVERLAP as i64, 4_060)]);
}

#[test]
fn a_cache_of_a_later_program_is_refused_and_left_alone() {
    let world = World::new(0..400, 200);
    world.ask(100).unwrap();
    let manifest = &world.files("manifest.json")[0];
    let text = std::fs::read_to_string(manifest).unwrap().replacen("\"format\": 1", "\"format\": 2", 1);
    std::fs::write(manifest, &text).unwrap();
    let error = world.ask(100).unwrap_err().to_string();
    assert!(error.contains("format 2: this program knows formats up to 1"), "{error}");
    assert_eq!(std::fs::read_to_string(manifest).unwrap(), text);
}

#[test]
fn a_process_that_dies_at_any_step_of_a_refresh_leaves_a_good_cache() {
    for step in 0.. {
        let mut world = World::new(0..9_000, 200);
        world.ask(100).unwrap();
        world.set_now(260);
        let plan = Arc::new(PlannedFault::crash(step));
        world.files = Files::with_faults(plan.clone());
        let answer = world.ask(100);
        world.files = Files::default();
        assert_eq!(world.ask(100).unwrap().bars, series(160..260), "step {step}");
        let known = world.cache().bars_as_known_at(&key(), window(0, 400), at(200)).unwrap();
        assert_eq!(known, series(100..200), "step {step}");
        world.set_now(300);
        assert_eq!(world.ask(100).unwrap().bars, series(200..300), "step {step}");
        assert_eq!(world.files(".wf-tmp"), Vec::<PathBuf>::new(), "step {step}");
        assert_eq!(world.files(".damaged-1"), Vec::<PathBuf>::new(), "step {step}");
        assert_eq!(world.files(".parquet").len(), 1, "step {step}");
        if plan.taken() <= step {
            assert!(answer.is_ok() && step > 10, "step {step}");
            break;
        }
    }
}

#[test]
fn a_first_request_that_dies_at_any_step_can_be_made_again() {
    for step in 0.. {
        let mut world = World::new(0..9_000, 200);
        let plan = Arc::new(PlannedFault::crash(step));
        world.files = Files::with_faults(plan.clone());
        let answer = world.ask(100);
        world.files = Files::default();
        assert_eq!(world.ask(100).unwrap().bars, series(100..200), "step {step}");
        assert_eq!(world.files(".damaged-1"), Vec::<PathBuf>::new(), "step {step}");
        if plan.taken() <= step {
            assert!(answer.is_ok());
            break;
        }
    }
}

#[test]
fn refreshes_and_readers_at_once_see_whole_states_alone() {
    let world = World::new(0..9_000, 1_000);
    world.ask(1_000).unwrap();
    let (root, is_over) = (world.dir.path().to_owned(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writer = |first: i64| {
            let root = root.clone();
            move || {
                for refresh in 0..40 {
                    let now = 1_000 + first + refresh * 60;
                    let source = Recorder { bars: Mutex::new(series(0..9_000)), asked: Mutex::default() };
                    let clock = Arc::new(ManualClock::at(at(now)));
                    let cached = Cached::new(&source, "test", BarCache::new(&root), clock);
                    let request = BarRequest { timeframe: Some(Timeframe::MINUTE), ..request(1_000) };
                    let answer = futures(cached.bars(&request)).unwrap();
                    assert_eq!(answer.bars, series(now - 1_000..now));
                }
            }
        };
        let writers = [scope.spawn(writer(0)), scope.spawn(writer(30))];
        let reader = scope.spawn(|| {
            let (cache, mut reads) = (BarCache::new(&root), 0);
            while !is_over.load(Ordering::SeqCst) || reads < 10 {
                let bars = cache.bars_as_known_at(&key(), window(0, 9_000), at(9_000)).unwrap();
                assert_eq!(bars, series(0..bars.len() as i64), "a state without a hole");
                reads += 1;
            }
        });
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_over.store(true, Ordering::SeqCst);
        reader.join().unwrap();
        ended.into_iter().for_each(|writer| writer.unwrap());
    });
    assert!(world.files(".damaged-1").is_empty());
    assert_eq!(world.cache().summary(&key()).unwrap().covered, [window(0, 3_370)]);
}

#[test]
fn decorators_stack() {
    let world = World::new(0..400, 200);
    let retrying = Retrying::new(&world.source, world.clock.clone(), RetryPolicy::default());
    let cached = Cached::new(retrying, "test", world.cache(), world.clock.clone());
    let request = BarRequest { timeframe: Some(Timeframe::MINUTE), ..request(10) };
    assert_eq!(futures(cached.bars(&request)).unwrap().bars, series(190..200));
    assert_eq!(world.clock.now(), at(200));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_cached_source_answers_as_the_source_itself(
        present in prop::collection::btree_set(0_i64..600, 1..500),
        requests in prop::collection::vec((0_i64..80, 1_usize..200), 1..8),
    ) {
        let first = *present.first().unwrap();
        let world = World::new(present.iter().copied(), first + 1);
        let mut now = first + 1;
        for (earlier, (passed, bars)) in requests.into_iter().enumerate() {
            now += passed;
            world.set_now(now);
            let request = BarRequest { timeframe: Some(Timeframe::MINUTE), as_of: Some(at(now)), ..request(bars) };
            let direct = futures((&world.source).bars(&request)).unwrap();
            let cached = world.ask(bars).unwrap();
            // A replay counts its window from its last bar; the cache counts from the time that is asked for.
            let from = at(now - bars as i64);
            let expected: Vec<i64> = starts(&direct).into_iter().filter(|&minute| at(minute) >= from).collect();
            let got: Vec<i64> = starts(&cached).into_iter().filter(|&minute| at(minute) >= from).collect();
            prop_assert_eq!(got, expected);
            prop_assert!(cached.revised.is_empty());
            // Each earlier request left one stretch of bars: what is asked for lies before, between and after them,
            // and the newest bars are asked for again.
            prop_assert!(world.asked().len() <= earlier + 2);
            world.ask(bars).unwrap();
            // The source may have bars after its newest one later: that is asked again, once.
            let asked = world.asked().len();
            let is_whole = present.contains(&(now - 1));
            prop_assert!(asked <= usize::from(!is_whole), "{} requests", asked);
        }
    }
}
