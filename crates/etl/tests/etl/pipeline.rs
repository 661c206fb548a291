//! Requests to datasets.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use walkforward_core::{
    Bar, BarRequest, BarSeries, CancelToken, DataSource, Dataset, DatasetBuilder, DatasetRequest, ErrorKind,
    FeatureKind, FeatureSpec, GapKind, ManualClock, NoProgress, Progress, ProgressUpdate, SourceBars,
    SourceError, Stage, StageContext, StageError, Timeframe, Timestamp, Window,
};
use walkforward_etl::{EtlConfig, EtlPipeline, SyntheticSource, dataset_hash};

/// A user's own source: fixed bars, whatever is asked for.
struct Fixed(BarSeries, Timestamp);

#[async_trait]
impl DataSource for Fixed {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let as_of = request.as_of.unwrap_or(self.1);
        Ok(SourceBars::new(self.0.clone(), as_of, "fixed"))
    }
}

fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::EPOCH.plus_millis(hour * 3_600_000)
}

fn fixed(hours: impl Iterator<Item = i64>) -> Arc<dyn DataSource> {
    let mut bars = BarSeries::new(hour());
    for hour in hours {
        let price = 100.0 + hour as f64;
        bars.push(Bar::new(at(hour), price, price + 1.0, price - 1.0, price + 0.5, 1.0).unwrap()).unwrap();
    }
    let end = bars.last_close_time().unwrap();
    Arc::new(Fixed(bars, end))
}

fn request(window_bars: usize, holdout_bars: usize) -> DatasetRequest {
    let features = FeatureSpec::new(vec![FeatureKind::SmaTrend { fast: 5, slow: 20 }]).unwrap();
    let symbol = "BTC/USD".parse().unwrap();
    DatasetRequest {
        symbol,
        timeframe: None,
        as_of: None,
        window_bars,
        holdout_bars,
        embargo_bars: 0,
        features,
    }
}

fn context(progress: Arc<dyn Progress>) -> StageContext {
    let clock = Arc::new(ManualClock::at(at(0)));
    StageContext { clock, progress, cancel: CancelToken::default(), work_dir: "unused".into() }
}

async fn build(source: Arc<dyn DataSource>, request: &DatasetRequest) -> Result<Dataset, StageError> {
    let pipeline = EtlPipeline::new(source, EtlConfig::default());
    pipeline.build(request, &context(Arc::new(NoProgress))).await
}

async fn refuse(source: Arc<dyn DataSource>, request: &DatasetRequest, expected: &str) {
    let error = build(source, request).await.unwrap_err();
    assert_eq!((error.stage, error.kind), (Stage::Etl, ErrorKind::BadInput), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn the_window_is_the_last_bars_of_the_grid_and_history_lies_before_it() {
    let dataset = build(fixed((0..200).filter(|hour| hour % 50 != 7)), &request(100, 20)).await.unwrap();
    assert_eq!(dataset.window, Window::new(at(100), at(200)).unwrap());
    assert_eq!((dataset.split, dataset.as_of), (at(180), at(200)));
    assert_eq!((dataset.history_bars, dataset.bars.len(), dataset.gap_kinds.len()), (20, 120, 120));
    assert_eq!(dataset.bars.open_times()[dataset.history_bars], at(100));
    assert_eq!(dataset.split_index(), 100);
    let figures = &dataset.quality.window;
    assert_eq!((figures.rows, figures.missing_bars, figures.longest_hole_bars), (98, 2, 1));
    assert_eq!(figures.first_open_time, Some(at(100)));
    assert_eq!((figures.flat_bars, figures.zero_volume_bars), (0, 0), "taken before holes are filled");
    assert_eq!(dataset.gap_kinds[27], GapKind::Missing);
    assert_eq!(dataset.bars.bar(27), Bar::flat(at(107), 206.5).unwrap());
}

#[tokio::test]
async fn a_source_without_history_still_gives_a_dataset() {
    let dataset = build(fixed(0..105), &request(100, 20)).await.unwrap();
    assert_eq!((dataset.history_bars, dataset.bars.len()), (5, 105));
}

#[tokio::test]
async fn a_window_longer_than_the_data_names_both_lengths() {
    refuse(fixed(0..99), &request(100, 20), "window_bars is 100, but fixed has only 99 bars of 1h").await;
}

#[tokio::test]
async fn a_window_without_enough_to_train_on_is_refused() {
    refuse(fixed(0..99), &request(60, 60), "holdout_bars is 60: expected less than window_bars").await;
    refuse(fixed(0..99), &request(60, 11), "window_bars is 60: expected at least 61").await;
    refuse(fixed(0..99), &request(0, 0), "holdout_bars is 0").await;
    refuse(fixed(0..99), &request(usize::MAX, 0), "expected at most 5000000").await;
}

#[tokio::test]
async fn more_missing_bars_than_allowed_are_refused_with_the_numbers() {
    let holes = |missing: i64| fixed((0..200).filter(move |hour| !(150..150 + missing).contains(hour)));
    assert!(build(holes(12), &request(100, 20)).await.is_ok(), "the limit itself is allowed");
    refuse(holes(13), &request(100, 20), "13 of the window's 100 bars are missing (13.00 %)").await;
    refuse(holes(13), &request(100, 20), "max_missing_share 0.12").await;
}

#[tokio::test]
async fn bars_that_end_long_before_now_are_stale_and_may_be_asked_for_again() {
    let until = |hour: i64| DatasetRequest { as_of: Some(at(hour)), ..request(100, 20) };
    build(fixed(0..200), &until(224)).await.unwrap();
    // The bar in progress is not due.
    build(fixed(0..200), &DatasetRequest { as_of: Some(at(225).plus_millis(-1)), ..until(0) }).await.unwrap();
    let error = build(fixed(0..200), &until(225)).await.unwrap_err();
    assert_eq!(error.kind, walkforward_core::ErrorKind::Retry);
    assert!(error.to_string().contains("25 more should have"), "{error}");
}

#[tokio::test]
async fn an_impossible_missing_share_is_refused() {
    for max_missing_share in [f64::NAN, -0.1, 1.5] {
        let pipeline =
            EtlPipeline::new(fixed(0..200), EtlConfig { max_missing_share, ..EtlConfig::default() });
        let error = pipeline.build(&request(100, 20), &context(Arc::new(NoProgress))).await.unwrap_err();
        assert!(error.to_string().contains("max_missing_share is"), "{error}");
    }
}

#[tokio::test]
async fn a_source_that_answers_something_else_is_refused() {
    let mut asked = request(100, 20);
    asked.timeframe = Some("4h".parse().unwrap());
    refuse(fixed(0..200), &asked, "the source gave bars of 1h: 4h were asked for").await;
    asked.timeframe = None;
    asked.as_of = Some(at(150));
    refuse(fixed(0..200), &asked, "gave a bar that closes at").await;
    refuse(Arc::new(Fixed(BarSeries::new(hour()), at(9))), &request(100, 20), "gave no bar").await;
}

#[tokio::test]
async fn a_cancelled_build_stops() {
    let ctx = context(Arc::new(NoProgress));
    ctx.cancel.cancel();
    let pipeline = EtlPipeline::new(fixed(0..200), EtlConfig::default());
    assert_eq!(pipeline.build(&request(100, 20), &ctx).await.unwrap_err().kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn progress_ends_complete() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<ProgressUpdate>>);
    impl Progress for Seen {
        fn report(&self, update: ProgressUpdate) {
            self.0.lock().unwrap().push(update);
        }
    }
    let seen = Arc::new(Seen::default());
    let pipeline = EtlPipeline::new(fixed(0..200), EtlConfig::default());
    pipeline.build(&request(100, 20), &context(seen.clone())).await.unwrap();
    let updates = seen.0.lock().unwrap();
    assert!(updates.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert!(updates.last().is_some_and(|last| last.done == last.total && last.stage == Stage::Etl));
}

#[tokio::test]
async fn the_same_request_gives_the_same_dataset() {
    let source = || Arc::new(SyntheticSource::new(1)) as Arc<dyn DataSource>;
    let first = build(source(), &request(500, 100)).await.unwrap();
    assert_eq!(first, build(source(), &request(500, 100)).await.unwrap());
    assert_eq!(first.hash.len(), 64);
    assert_eq!(first.history_bars, first.feature_spec.history_bars());
}

/// `bars` with one number changed.
fn changed(bars: &BarSeries, column: usize) -> BarSeries {
    let mut out = BarSeries::new(bars.timeframe());
    for (index, bar) in bars.iter().enumerate() {
        let mut numbers = [bar.open(), bar.high(), bar.low(), bar.close(), bar.volume()];
        if index == 30 {
            let nudge = if column == 2 { -0.25 } else { 0.25 };
            numbers[column] += nudge;
        }
        let [open, high, low, close, volume] = numbers;
        out.push(Bar::new(bar.open_time(), open, high, low, close, volume).unwrap()).unwrap();
    }
    out
}

#[tokio::test]
async fn the_hash_changes_with_every_input() {
    let base = build(fixed(0..200), &request(100, 20)).await.unwrap();
    let hash = |change: &dyn Fn(&mut Dataset)| {
        let mut dataset = base.clone();
        change(&mut dataset);
        dataset_hash(&dataset).unwrap()
    };
    assert_eq!(hash(&|_| {}), base.hash);
    let mut hashes = vec![base.hash.clone()];
    for column in 0..5 {
        hashes.push(hash(&|dataset| dataset.bars = changed(&base.bars, column)));
    }
    hashes.push(hash(&|dataset| dataset.bars = base.bars.slice(1..base.bars.len())));
    hashes.push(hash(&|dataset| dataset.gap_kinds[3] = GapKind::Missing));
    hashes.push(hash(&|dataset| dataset.split = at(181)));
    hashes.push(hash(&|dataset| dataset.window = Window::new(at(101), at(200)).unwrap()));
    hashes.push(hash(&|dataset| dataset.window = Window::new(at(100), at(201)).unwrap()));
    hashes.push(hash(&|dataset| dataset.feature_spec = FeatureSpec::default()));
    let count = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[tokio::test]
async fn the_hash_does_not_change_with_where_the_bars_were_read() {
    let mut dataset = build(fixed(0..200), &request(100, 20)).await.unwrap();
    dataset.origin = "elsewhere".to_owned();
    assert_eq!(dataset_hash(&dataset).unwrap(), dataset.hash);
}
