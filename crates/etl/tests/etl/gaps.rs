//! What an absent bar is: missing, without a trade, or expected of nobody.

use std::sync::Arc;

use walkforward_core::{
    AbsentMeans, Bar, BarSeries, CancelToken, Dataset, DatasetBuilder, DatasetRequest, FeatureKind,
    FeatureSpec, GapKind, ManualClock, MarketCalendar, NoProgress, SessionCalendar, StageContext, Timeframe,
    Timestamp, Window,
};
use walkforward_etl::{EtlConfig, EtlPipeline, ReplaySource, dataset_hash, us_equities};

fn bars(open_times: impl IntoIterator<Item = Timestamp>) -> BarSeries {
    let mut bars = BarSeries::new(Timeframe::MINUTE);
    for (index, time) in open_times.into_iter().enumerate() {
        let price = 100.0 + (index % 50) as f64;
        bars.push(Bar::new(time, price, price + 1.0, price - 1.0, price, 1.0).unwrap()).unwrap();
    }
    bars
}

fn at(minute: i64) -> Timestamp {
    Timestamp::EPOCH.plus_millis(minute * 60_000)
}

fn request(timeframe: &str, window_bars: usize) -> DatasetRequest {
    let features = FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1] }]).unwrap();
    DatasetRequest {
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: Some(timeframe.parse().unwrap()),
        as_of: None,
        window_bars,
        holdout_bars: 10,
        embargo_bars: 0,
        features,
    }
}

struct Case {
    bars: BarSeries,
    absent: AbsentMeans,
    config: EtlConfig,
    calendar: MarketCalendar,
}

impl Case {
    fn new(bars: BarSeries, absent: AbsentMeans) -> Self {
        Self { bars, absent, config: EtlConfig::default(), calendar: MarketCalendar::Continuous }
    }

    async fn build(&self, request: &DatasetRequest) -> Result<Dataset, String> {
        let now = self.bars.last_close_time().unwrap();
        let source = Arc::new(ReplaySource::new(self.bars.clone(), self.absent, now));
        let pipeline = EtlPipeline::new(source, self.config).with_calendar(self.calendar.clone());
        let ctx = StageContext {
            clock: Arc::new(ManualClock::at(now)),
            progress: Arc::new(NoProgress),
            cancel: CancelToken::default(),
            work_dir: "unused".into(),
        };
        pipeline.build(request, &ctx).await.map_err(|error| error.to_string())
    }
}

/// 200 minutes, of which 110 to 150 have one in two, and 60 to 60 + `hole` none.
fn thin(hole: i64) -> BarSeries {
    let is_there =
        |minute: &i64| !(60..60 + hole).contains(minute) && (minute % 2 == 0 || !(110..150).contains(minute));
    bars((0..200).filter(is_there).map(at))
}

#[tokio::test]
async fn what_did_not_trade_costs_no_budget_and_takes_no_order() {
    let quiet = Case::new(thin(0), AbsentMeans::NoTrade).build(&request("1m", 150)).await.unwrap();
    let figures = &quiet.quality.window;
    assert_eq!((figures.present_bars, figures.no_trade_bars, figures.missing_bars), (130, 20, 0));
    assert_eq!(figures.missing_share(), 0.0);
    let index = quiet.bars.index_at_or_after(at(111));
    assert_eq!(quiet.gap_kinds[index], GapKind::NoTrade);
    assert!(quiet.is_known(index) && !quiet.can_fill(index) && quiet.can_fill(index + 1));
    assert_eq!(quiet.bars.bar(index), Bar::flat(at(111), quiet.bars.closes()[index - 1]).unwrap());

    let error = Case::new(thin(0), AbsentMeans::Missing).build(&request("1m", 150)).await.unwrap_err();
    let expected = "20 of the window's 150 bars are missing (13.33 %), the longest hole has 1: more than \
                    max_missing_share 0.12 allows (130 present, 0 without a trade, 0 revised)";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn a_silence_that_is_too_long_is_missing_whatever_the_convention() {
    let mut case = Case::new(thin(15), AbsentMeans::NoTrade);
    case.config.max_no_trade_run_bars = 14;
    let figures = case.build(&request("1m", 150)).await.unwrap().quality.window;
    assert_eq!((figures.no_trade_bars, figures.missing_bars, figures.longest_hole_bars), (20, 15, 15));
    case.config.max_no_trade_run_bars = 15;
    assert_eq!(case.build(&request("1m", 150)).await.unwrap().quality.window.missing_bars, 0);
    case.config = EtlConfig { max_no_trade_run_bars: 1, max_longest_hole_bars: Some(14), ..case.config };
    let error = case.build(&request("1m", 150)).await.unwrap_err();
    let expected = "the longest hole of the window's 150 bars has 15: more than max_longest_hole_bars 14 allows \
                    (15 missing, 115 present, 20 without a trade, 0 revised)";
    assert!(error.contains(expected), "{error}");
    case.config.max_longest_hole_bars = Some(15);
    assert!(case.build(&request("1m", 150)).await.is_ok());
}

/// Every minute of the sessions of weeks with two holidays and an early close, and minutes before and after hours.
fn stock_weeks() -> (BarSeries, MarketCalendar) {
    let calendar = us_equities(2024..=2024).unwrap();
    let from: Timestamp = "2024-06-17T00:00:00Z".parse().unwrap();
    let span = Window::new(from, "2024-07-09T00:00:00Z".parse().unwrap()).unwrap();
    let mut minutes: Vec<Timestamp> = calendar.expected(span, Timeframe::MINUTE).collect();
    minutes.push("2024-07-03T12:00:00Z".parse().unwrap());
    minutes.push("2024-07-08T21:30:00Z".parse().unwrap());
    minutes.sort();
    (bars(minutes), calendar)
}

#[tokio::test]
async fn a_closed_market_is_not_missing() {
    let (bars, calendar) = stock_weeks();
    let case = Case { calendar: calendar.clone(), ..Case::new(bars.clone(), AbsentMeans::NoTrade) };
    // Three whole days and the short one: 390 minutes each, and 210.
    let dataset = case.build(&request("1m", 3 * 390 + 210)).await.unwrap();
    assert_eq!(dataset.window.start().to_string(), "2024-07-02T13:30:00.000Z");
    assert_eq!(dataset.window.end().to_string(), "2024-07-08T20:00:00.000Z");
    let figures = &dataset.quality.window;
    assert_eq!((figures.present_bars, figures.no_trade_bars, figures.missing_bars), (1_380, 0, 0));
    assert_eq!(figures.outside_session_bars, 2);
    assert_eq!(dataset.split.to_string(), "2024-07-08T19:50:00.000Z");
    let error = Case::new(bars, AbsentMeans::Missing).build(&request("1m", 1_380)).await.unwrap_err();
    assert!(error.contains("are missing"), "without the calendar a night is a hole: {error}");
}

#[tokio::test]
async fn hours_of_stocks_stand_on_the_clock_and_never_reach_across_a_close() {
    let (bars, calendar) = stock_weeks();
    let case = Case { calendar, ..Case::new(bars, AbsentMeans::Missing) };
    // Thirteen whole days of seven hours, and a short one: 13:30 to 17:00 touches four.
    let error = case.build(&request("1h", 96)).await.unwrap_err();
    assert!(error.contains("has only 95 bars of 1h"), "{error}");
    let dataset = case.build(&request("1h", 94)).await.unwrap();
    let starts: Vec<String> = dataset.bars.open_times().iter().map(Timestamp::to_string).collect();
    let short = starts.iter().filter(|start| start.starts_with("2024-07-03")).map(|start| &start[11..16]);
    assert_eq!(short.collect::<Vec<_>>(), ["13:00", "14:00", "15:00", "16:00"]);
    let figures = &dataset.quality.window;
    assert_eq!((figures.present_bars, figures.missing_base_bars), (94, 0));
    assert_eq!(figures.expected_base_bars, 13 * 390 + 210 - 30, "all but the first half hour");
}

#[tokio::test]
async fn a_calendar_that_ends_before_the_bars_is_refused() {
    let session = Window::new(at(0), at(150)).unwrap();
    let calendar = MarketCalendar::Sessions(SessionCalendar::new(vec![session]).unwrap());
    let minutes = (0..150).chain([150 + 1_440]).map(at);
    let case = Case { calendar, ..Case::new(bars(minutes), AbsentMeans::Missing) };
    let error = case.build(&request("1m", 100)).await.unwrap_err();
    assert!(error.contains("the market calendar ends at 1970-01-01T02:30:00.000Z: extend it"), "{error}");
}

#[tokio::test]
async fn the_fingerprint_tells_the_calendar_and_the_convention() {
    let case = Case::new(bars((0..200).map(at)), AbsentMeans::Missing);
    let dataset = case.build(&request("1m", 150)).await.unwrap();
    let hash = |change: &dyn Fn(&mut Dataset)| {
        let mut changed = dataset.clone();
        change(&mut changed);
        dataset_hash(&changed).unwrap()
    };
    let sessions = |ends: &[i64]| {
        let sessions = ends.iter().map(|&end| Window::new(at(end - 100), at(end)).unwrap()).collect();
        MarketCalendar::Sessions(SessionCalendar::new(sessions).unwrap())
    };
    let mut hashes = vec![
        hash(&|_| {}),
        hash(&|dataset| dataset.absent = AbsentMeans::NoTrade),
        hash(&|dataset| dataset.calendar = sessions(&[100, 200])),
        hash(&|dataset| dataset.calendar = sessions(&[100, 201])),
        hash(&|dataset| dataset.gap_kinds[3] = GapKind::NoTrade),
        hash(&|dataset| dataset.gap_kinds[3] = GapKind::Revised),
    ];
    let later = hash(&|dataset| dataset.calendar = sessions(&[100, 200, 9_000]));
    assert_eq!(later, hashes[2], "sessions after the bars make no difference");
    assert_eq!(hashes[0], dataset.hash);
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
}
