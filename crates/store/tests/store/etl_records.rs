//! What runs were made from, read back.

use walkforward_core::{Coverage, QualityFigures, QualityReport, RunId, Window};
use walkforward_store::EtlRecord;

use crate::fixture::{Fixture, time};

/// The record of run `number`, from this source.
fn write(fixture: &Fixture, number: i64, source: i64) -> EtlRecord {
    let (start, end) = (time("2023-01-01T00:00:00Z"), time("2024-01-01T00:00:00Z"));
    let record = EtlRecord {
        run_id: RunId::at(end.plus_millis(number)),
        collected_at: end,
        source: format!("source {source}"),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        window: Window::new(start, end).unwrap(),
        rows: 8_760,
        history_rows: 336,
        quality: QualityReport { file: None, window: QualityFigures::default() },
        hash: "h".to_owned(),
        as_of: end,
        split: end,
        coverage: Some(Coverage::default()),
    };
    // As the store writes it, but for the waits for the disk.
    let path = fixture.data_dir().join(format!("etl/etl-{}.json", record.run_id));
    std::fs::write(path, serde_json::to_string(&record).unwrap()).unwrap();
    record
}

#[test]
fn a_bounded_number_of_records_is_looked_at_and_what_was_not_is_said() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let lonely = write(&fixture, 0, 0);
    (1..512).for_each(|number| drop(write(&fixture, number, 1)));
    let all = store.etl_overview().unwrap();
    assert_eq!((all.looked_at, all.newest.len(), all.has_older), (512, 2, false));
    assert_eq!(all.newest[1], lonely);
    write(&fixture, 512, 1);
    let newest = store.etl_overview().unwrap();
    assert_eq!((newest.looked_at, newest.newest.len(), newest.has_older), (512, 1, true));
}

#[test]
fn a_bounded_number_of_markets_is_told() {
    let fixture = Fixture::new();
    let store = fixture.open();
    (0..101).for_each(|source| drop(write(&fixture, source, source)));
    let overview = store.etl_overview().unwrap();
    assert_eq!((overview.newest.len(), overview.has_older), (100, true));
}
