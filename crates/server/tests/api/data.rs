//! The bars that runs were made from.

use serde_json::json;
use walkforward_core::{
    Coverage, CoverageStretch, Hole, QualityFigures, QualityReport, RejectedRow, RunId, Window,
};
use walkforward_store::{EtlRecord, Store};

use crate::made::time;
use crate::world::World;

/// The window of a run that begins now, with two of its 24 bars missing.
fn read(store: &Store, source: &str, edit: impl FnOnce(&mut EtlRecord)) -> RunId {
    let run_id = store.allocate_run_id().unwrap();
    let (start, end) = (time("2024-01-01T00:00:00Z"), time("2024-01-02T00:00:00Z"));
    let hole = Hole { from: time("2024-01-01T05:00:00Z"), to: time("2024-01-01T07:00:00Z"), bars: 2 };
    let stretch = CoverageStretch { from: start, bars: 24, missing: 2, no_trade: 1 };
    let mut record = EtlRecord {
        run_id: run_id.clone(),
        collected_at: end,
        source: source.to_owned(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        window: Window::new(start, end).unwrap(),
        rows: 24,
        history_rows: 3,
        quality: QualityReport {
            file: None,
            window: QualityFigures {
                rows: 21,
                missing_bars: 2,
                longest_hole_bars: 2,
                no_trade_bars: 1,
                ..QualityFigures::default()
            },
        },
        hash: "d".repeat(64),
        as_of: end,
        split: time("2024-01-01T18:00:00Z"),
        coverage: Some(Coverage { stretches: vec![stretch], holes: vec![hole], hole_count: 1 }),
    };
    edit(&mut record);
    store.write_etl(&record).unwrap();
    run_id
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_market_and_source_the_newest_window_is_told() {
    let world = World::new().await;
    assert_eq!(world.json("/api/data")["data"], json!([]));
    read(&world.store, "a service", |_| {});
    let file = read(&world.store, "a file", |_| {});
    let minutes = read(&world.store, "a service", |record| record.timeframe = "15m".parse().unwrap());
    let newest = read(&world.store, "a service", |record| record.rows = 25);
    let told = world.json("/api/data");
    let runs: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|row| row["run_id"].as_str().unwrap()).collect();
    assert_eq!(runs, [newest.as_str(), minutes.as_str(), file.as_str()]);
    assert_eq!((&told["looked_at"], &told["has_older"]), (&json!(4), &json!(false)));
    let first = &told["data"][0];
    assert_eq!((&first["bars"], &first["figures"]["missing"]), (&json!(25), &json!(2)));
    let share = first["figures"]["missing_share"].as_f64().unwrap();
    assert!((share - 2.0 / 24.0).abs() < 1e-12, "{share}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_told_with_its_holes_and_the_rows_that_were_refused() {
    let world = World::new().await;
    let rejected_rows = vec![RejectedRow { line: 7, reason: "its high is below its low".to_owned() }];
    let figures = QualityFigures { rows: 30, rejected_count: 1, rejected_rows, ..QualityFigures::default() };
    let run = read(&world.store, "a file", |record| record.quality.file = Some(figures));
    let told = world.json(&format!("/api/data/{run}"));
    assert_eq!((&told["symbol"], &told["history_bars"]), (&json!("BTC/USD"), &json!(3)));
    let coverage = &told["coverage"];
    assert_eq!(
        (&coverage["hole_count"], &coverage["holes"][0]["to"], &coverage["stretches"][0]["no_trade"]),
        (&json!(1), &json!("2024-01-01T07:00:00.000Z"), &json!(1))
    );
    assert_eq!(told["rejected"], json!([{ "line": 7, "reason": "its high is below its low" }]));
    assert_eq!((&told["file"]["rows"], &told["file"]["rejected"]), (&json!(30), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_an_earlier_version_has_no_coverage_and_a_damaged_one_is_counted() {
    let world = World::new().await;
    let old = read(&world.store, "old", |record| record.coverage = None);
    assert_eq!(world.json(&format!("/api/data/{old}"))["coverage"], json!(null));
    let torn = read(&world.store, "torn", |_| {});
    let path = world.store.data_dir().join(format!("etl/etl-{torn}.json"));
    std::fs::write(path, "{\"runId\": \"20").unwrap();
    let told = world.json("/api/data");
    assert_eq!((told["data"].as_array().unwrap().len(), &told["unreadable"]), (1, &json!(1)));
    assert_eq!(world.get(&format!("/api/data/{torn}")).status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_read_nothing_is_unknown_and_what_is_no_run_is_refused() {
    let world = World::new().await;
    assert_eq!(world.get("/api/data/2020-01-01T00-00-00-000Z").status, 404);
    assert_eq!(world.get("/api/data/yesterday").status, 422);
    assert_eq!(world.get("/api/data/%2e%2e%2fowner").status, 422);
}
