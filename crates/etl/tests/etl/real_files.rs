//! Exchange files as they are, against figures that were counted independently. Skipped where they are absent.

use std::path::PathBuf;
use std::sync::Arc;

use walkforward_core::{
    AbsentMeans, CancelToken, DatasetBuilder, DatasetRequest, FeatureSpec, ManualClock, NoProgress,
    QualityFigures, SourceBars, StageContext, Timestamp,
};
use walkforward_etl::{
    CsvOptions, CsvSource, EtlConfig, EtlPipeline, ParquetOptions, ParquetSource, write_parquet,
};

use crate::support::{columns, request};

/// The file, unless the folder of shared data is absent.
fn shared(test: &str, name: &str) -> Option<PathBuf> {
    eprintln!("shared data test: {test}");
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {name} is not there, {} is absent", path.display());
    None
}

fn read(path: PathBuf, symbol: &str, options: CsvOptions) -> SourceBars {
    CsvSource::new(path, options).read(&request(symbol)).unwrap()
}

/// Rows, missing, longest hole, zero volume, flat, out of order.
fn check(answer: &SourceBars, figures: [usize; 6], first: &str, last: &str, timeframe: &str) {
    let [rows, missing_bars, longest_hole_bars, zero_volume_bars, flat_bars, out_of_order_rows] = figures;
    let expected = QualityFigures {
        rows,
        first_open_time: Some(first.parse().unwrap()),
        last_open_time: Some(last.parse().unwrap()),
        missing_bars,
        longest_hole_bars,
        zero_volume_bars,
        flat_bars,
        out_of_order_rows,
        ..QualityFigures::default()
    };
    assert_eq!(answer.file.as_ref(), Some(&expected));
    assert_eq!(answer.bars.len(), rows);
    assert_eq!(answer.bars.timeframe().to_string(), timeframe);
    assert_eq!(Some(answer.as_of), answer.bars.last_close_time());
}

#[test]
fn coinbase_btc_hours_have_a_banner_a_12_hour_clock_and_interleaved_rows_shared_data() {
    let test = "coinbase_btc_hours_have_a_banner_a_12_hour_clock_and_interleaved_rows_shared_data";
    let Some(path) = shared(test, "Coinbase_BTCUSD_1h.csv") else { return };
    let answer = read(path, "BTC/USD", CsvOptions::default());
    check(&answer, [20_111, 0, 0, 28, 30, 5], "2017-07-01T11:00:00Z", "2019-10-17T09:00:00Z", "1h");
    let last = answer.bars.bar(20_110);
    assert_eq!((last.open(), last.high(), last.low(), last.close()), (8051.0, 8056.83, 8021.23, 8035.88));
    assert_eq!(last.volume(), 61.25, "the base asset's volume");
}

#[test]
fn coinbase_eth_hours_have_another_header_shared_data() {
    let test = "coinbase_eth_hours_have_another_header_shared_data";
    let Some(path) = shared(test, "Coinbase_ETHUSD_1h.csv") else { return };
    for symbol in ["ETH/USD", "BTC/USD"] {
        let answer = read(path.clone(), symbol, CsvOptions::default());
        check(&answer, [16_863, 0, 0, 9, 10, 5], "2017-07-01T11:00:00Z", "2019-06-04T01:00:00Z", "1h");
        assert_eq!(answer.bars.bar(16_862).volume(), 7754.4, "the base asset's volume");
    }
}

#[test]
fn coinbase_btc_days_have_one_hole_shared_data() {
    let test = "coinbase_btc_days_have_one_hole_shared_data";
    let Some(path) = shared(test, "Coinbase_BTCUSD_d.csv") else { return };
    let answer = read(path.clone(), "BTC/USD", CsvOptions::default());
    check(&answer, [1_770, 12, 12, 38, 37, 0], "2014-12-01T00:00:00Z", "2019-10-17T00:00:00Z", "1d");
    let dropped = read(path, "BTC/USD", CsvOptions { drop_last: true, ..CsvOptions::default() });
    assert_eq!(dropped.as_of, "2019-10-17".parse().unwrap());
    assert_eq!((dropped.bars.len(), dropped.file.unwrap().unfinished_dropped), (1_769, 1));
}

#[test]
fn binance_hours_are_gzip_with_a_zone_shared_data() {
    let test = "binance_hours_are_gzip_with_a_zone_shared_data";
    for (name, close) in [("BTCUSDT_1h.csv.gz", 61_953.5), ("ETHUSDT_1h.csv.gz", 3_023.94)] {
        let Some(path) = shared(test, name) else { return };
        let answer = read(path, "BTC/USDT", CsvOptions::default());
        check(&answer, [37_660, 0, 0, 0, 0, 0], "2020-01-01T00:00:00Z", "2024-04-18T03:00:00Z", "1h");
        assert_eq!(answer.bars.bar(37_659).close(), close);
    }
}

#[test]
fn bitfinex_minutes_have_no_header_and_the_close_second_shared_data() {
    let test = "bitfinex_minutes_have_no_header_and_the_close_second_shared_data";
    let Some(path) = shared(test, "bitfinex_BTCUSD_1m_2019.csv.gz") else { return };
    let declared = read(path.clone(), "BTC/USD", columns("time,open,close,high,low,volume"));
    let figures = [512_727, 12_873, 197, 0, 55_195, 0];
    check(&declared, figures, "2019-01-01T00:00:00Z", "2019-12-31T23:59:00Z", "1m");
    let first = declared.bars.bar(0);
    assert_eq!((first.open(), first.close(), first.high()), (3832.6286242, 3833.1, 3834.7));
    let told = read(path, "BTC/USD", CsvOptions::default());
    assert_eq!(told.bars, declared.bars, "one order alone fits every row");
}

#[test]
fn perpetual_minutes_have_a_fraction_and_no_zone_shared_data() {
    let test = "perpetual_minutes_have_a_fraction_and_no_zone_shared_data";
    let Some(path) = shared(test, "btc-perp-20211231-20220201_1m.csv.gz") else { return };
    let answer = read(path, "BTC/USD", CsvOptions::default());
    check(&answer, [45_031, 0, 0, 0, 5, 0], "2021-12-31T23:01:00Z", "2022-02-01T05:31:00Z", "1m");
}

#[tokio::test]
async fn quiet_minutes_of_a_real_year_are_told_from_outages_shared_data() {
    let test = "quiet_minutes_of_a_real_year_are_told_from_outages_shared_data";
    let Some(path) = shared(test, "bitfinex_BTCUSD_1m_2019.csv.gz") else { return };
    let options = CsvOptions { absent: AbsentMeans::NoTrade, ..columns("time,open,close,high,low,volume") };
    let bars = read(path.clone(), "BTC/USD", options.clone()).bars;
    let holes = bars.open_times().windows(2).map(|pair| pair[1].millis_since(pair[0]) / 60_000 - 1);
    let holes: Vec<usize> = holes.map(|hole| hole as usize).collect();
    let longer_than = |limit: usize| holes.iter().filter(|&&hole| hole > limit).sum::<usize>();
    assert_eq!((longer_than(0), longer_than(60)), (12_873, 737));

    let config = EtlConfig::default();
    assert_eq!(config.max_no_trade_run_bars, 60);
    let pipeline = EtlPipeline::new(Arc::new(CsvSource::new(path, options)), config);
    let request = DatasetRequest {
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: None,
        as_of: None,
        window_bars: 525_600,
        holdout_bars: 10_000,
        embargo_bars: 0,
        features: FeatureSpec::default(),
    };
    let context = StageContext {
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: "unused".into(),
    };
    let figures = pipeline.build(&request, &context).await.unwrap().quality.window;
    assert_eq!((figures.present_bars, figures.no_trade_bars, figures.missing_bars), (512_727, 12_136, 737));
    assert_eq!((figures.longest_hole_bars, figures.revised_bars), (197, 0));

    let dir = tempfile::tempdir().unwrap();
    let parquet = dir.path().join("year.parquet");
    write_parquet(&bars, &parquet).unwrap();
    let again =
        ParquetSource::new(&parquet, ParquetOptions::default()).read(&crate::support::request("BTC/USD"));
    assert_eq!(again.unwrap().bars, bars);
}
