//! Windows of bars that are made of shorter ones: what is missing of those counts.

use std::fmt::Write;
use std::sync::Arc;

use walkforward_core::{
    CancelToken, Dataset, DatasetBuilder, DatasetRequest, FeatureSpec, GapKind, ManualClock, NoProgress,
    StageContext, Timestamp,
};
use walkforward_etl::{CsvOptions, CsvSource, EtlConfig, EtlPipeline};

use crate::support::BarFile;

const HOURS: i64 = 60;

/// A file of minutes without those for which `is_missing`.
fn minutes(is_missing: impl Fn(i64) -> bool) -> BarFile {
    let mut content = "timestamp,open,high,low,close,volume\n".to_owned();
    for minute in (0..HOURS * 60).filter(|&minute| !is_missing(minute)) {
        let price = 100 + minute % 7;
        writeln!(content, "{},{price},{price}.5,{price},{price},1", 1_704_067_200 + minute * 60).unwrap();
    }
    BarFile::new(content)
}

async fn build(file: &BarFile, timeframe: &str, window_bars: i64) -> Result<Dataset, String> {
    let source = Arc::new(CsvSource::new(&file.path, CsvOptions::default()));
    let request = DatasetRequest {
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: Some(timeframe.parse().unwrap()),
        as_of: None,
        window_bars: window_bars as usize,
        holdout_bars: 5,
        embargo_bars: 0,
        features: FeatureSpec::default(),
    };
    let ctx = StageContext {
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: "unused".into(),
    };
    let pipeline = EtlPipeline::new(source, EtlConfig::default());
    pipeline.build(&request, &ctx).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_window_of_longer_bars_is_as_strict_as_one_of_the_files_own() {
    for missing_each_hour in [0, 3, 7, 8, 20] {
        let file = minutes(|minute| (1..=missing_each_hour).contains(&(minute % 60)));
        let own = build(&file, "1m", HOURS * 60).await;
        let longer = build(&file, "1h", HOURS).await;
        assert_eq!(own.is_ok(), missing_each_hour <= 7, "12 % of an hour are 7.2 minutes");
        assert_eq!(longer.is_ok(), own.is_ok(), "{missing_each_hour}");
        let (Ok(own), Ok(longer)) = (own, longer) else { continue };
        let (own, longer) = (own.quality.window, longer.quality.window);
        assert_eq!((longer.missing_bars, longer.base_bars_per_bar), (0, 60));
        assert_eq!(longer.missing_base_bars, own.missing_bars);
        assert_eq!(longer.missing_share(), own.missing_share());
    }
}

#[tokio::test]
async fn missing_shorter_bars_are_refused_with_their_numbers() {
    let file = minutes(|minute| (1..=20).contains(&(minute % 60)));
    let error = build(&file, "1h", HOURS).await.unwrap_err();
    let expected =
        "1200 of the 3600 bars of 1m that the window's bars of 1h are made of are missing (33.33 %)";
    assert!(error.contains("bars.csv") && error.contains(expected), "{error}");
}

#[tokio::test]
async fn an_interval_without_half_of_its_bars_is_a_hole() {
    let file = minutes(|minute| (600..635).contains(&minute) || (720..750).contains(&minute));
    let dataset = build(&file, "1h", HOURS).await.unwrap();
    let missing = (0..HOURS as usize).filter(|&hour| dataset.gap_kinds[hour] == GapKind::Missing);
    assert_eq!(missing.collect::<Vec<_>>(), [10]);
    let figures = &dataset.quality.window;
    assert_eq!((figures.missing_bars, figures.longest_hole_bars, figures.missing_base_bars), (1, 1, 65));
    assert_eq!(dataset.bars.opens()[12], 100.0 + f64::from(750 % 7), "the first price that there is");
}

#[tokio::test]
async fn bars_of_the_files_own_timeframe_have_no_shorter_ones() {
    let dataset = build(&minutes(|minute| minute == 9), "1m", 600).await.unwrap();
    assert_eq!((dataset.quality.window.base_bars_per_bar, dataset.quality.window.missing_base_bars), (0, 0));
}

#[tokio::test]
async fn a_file_too_thin_for_any_longer_bar_says_so() {
    let file = minutes(|minute| minute % 60 >= 29);
    let error = build(&file, "1h", HOURS).await.unwrap_err();
    assert!(error.contains("has half of its bars of 1m"), "{error}");
}
