//! The real files, oldest bar first.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use walkforward_core::{BarSeries, FeatureSpec};

use super::{SHARED, series, shared_folder_is_there};
use crate::features::{FeatureEngine, feature_matrix};

/// Name and where open, high, low, close and volume are.
const FILES: [(&str, [usize; 5]); 7] = [
    ("Coinbase_BTCUSD_1h.csv", [2, 3, 4, 5, 6]),
    ("Coinbase_ETHUSD_1h.csv", [2, 3, 4, 5, 6]),
    ("Coinbase_BTCUSD_d.csv", [2, 3, 4, 5, 6]),
    ("BTCUSDT_1h.csv.gz", [1, 2, 3, 4, 5]),
    ("ETHUSDT_1h.csv.gz", [1, 2, 3, 4, 5]),
    ("bitfinex_BTCUSD_1m_2019.csv.gz", [1, 3, 4, 2, 5]),
    ("btc-perp-20211231-20220201_1m.csv.gz", [1, 2, 3, 4, 5]),
];

/// Rows of the files, all seven together.
const ROWS: usize = 671_822;

/// A text that sorts as the time: `2019-10-17 09-AM` is on a clock of twelve hours.
fn sortable(time: &str) -> String {
    let Some((hour, half)) = time.rsplit_once('-').filter(|(_, half)| matches!(*half, "AM" | "PM")) else {
        return time.to_owned();
    };
    let (day, hour) = hour.split_once(' ').unwrap();
    let hour = hour.parse::<u32>().unwrap() % 12 + if half == "PM" { 12 } else { 0 };
    format!("{day} {hour:02}")
}

fn rows(file: &str, places: [usize; 5]) -> Vec<(String, [f64; 5])> {
    let bytes = std::fs::read(Path::new(SHARED).join("data").join(file)).unwrap();
    let mut text = String::new();
    if file.ends_with(".gz") {
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let values = places.map(|place| cells.get(place).and_then(|cell| cell.parse().ok()));
        let [Some(open), Some(high), Some(low), Some(close), Some(volume)] = values else { return None };
        Some((sortable(cells[0]), [open, high, low, close, volume]))
    };
    let mut rows: Vec<_> = text.lines().filter_map(row).collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows
}

/// Every file with its bars as they are, holes not filled.
pub(super) fn all() -> impl Iterator<Item = (&'static str, BarSeries)> {
    FILES.iter().map(|&(file, places)| (file, series(rows(file, places).into_iter().map(|(_, row)| row))))
}

/// The minutes of 2019 with flat bars in their 12,873 holes, as a dataset has them.
pub(super) fn filled_minutes() -> BarSeries {
    let (file, places) = FILES[5];
    let mut filled: Vec<[f64; 5]> = Vec::with_capacity(525_600);
    let mut expected = None;
    for (time, row) in rows(file, places) {
        let minute = time.parse::<u64>().unwrap() / 60_000;
        for _ in expected.unwrap_or(minute)..minute {
            let close = filled.last().unwrap()[3];
            filled.push([close, close, close, close, 0.0]);
        }
        filled.push(row);
        expected = Some(minute + 1);
    }
    series(filled)
}

#[test]
fn stream_and_batch_agree_to_the_bit_on_every_file_shared_data() {
    if !shared_folder_is_there("stream_and_batch_agree_to_the_bit_on_every_file_shared_data") {
        return;
    }
    let spec = FeatureSpec::catalogue();
    let mut compared = 0;
    for (file, bars) in all().chain([("filled minutes", filled_minutes())]) {
        let matrix = feature_matrix(&spec, &bars).unwrap();
        let mut engine = FeatureEngine::new(&spec).unwrap();
        for (index, bar) in bars.iter().enumerate() {
            let streamed = engine.push(&bar).unwrap();
            let same = match (streamed, matrix.row(index)) {
                (Some(a), Some(b)) => a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
                (None, None) => true,
                _ => false,
            };
            assert!(same, "{file} at bar {index}: {:?}", matrix.row(index));
        }
        assert_eq!(matrix.first_row, spec.warm_up_bars());
        compared += bars.len();
    }
    assert_eq!(compared, ROWS + 525_600);
}
