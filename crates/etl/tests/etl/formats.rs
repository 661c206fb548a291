//! The same bars in every spelling, order and packing read back alike.

use proptest::prelude::*;
use walkforward_core::{Bar, BarRequest, BarSeries, Timeframe, Timestamp};
use walkforward_etl::{CsvOptions, CsvSource};

use crate::support::{BarFile, gzip, hours, request};

const ORDERS: [&str; 4] = [
    "time,open,high,low,close,volume",
    "time,open,close,high,low,volume",
    "volume,close,-,low,high,open,time",
    "time,open,high,low,close,volume,-",
];

#[derive(Debug, Clone, Copy)]
struct Spelling {
    time: usize,
    order: usize,
    has_header: bool,
    has_banner: bool,
    line_end: &'static str,
    is_quoted: bool,
    is_gzip: bool,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0_usize..8, 0..ORDERS.len(), flags).prop_map(|(time, order, flags)| Spelling {
        time,
        order,
        has_header: flags.0,
        has_banner: flags.1,
        line_end: if flags.2 { "\r\n" } else { "\n" },
        is_quoted: flags.3,
        is_gzip: flags.4,
    })
}

fn time_text(time: Timestamp, style: usize) -> String {
    let rfc = time.to_string();
    let (date, clock) = (&rfc[..10], &rfc[11..19]);
    let hour: u32 = clock[..2].parse().unwrap();
    match style {
        0 => rfc,
        1 => time.as_millis().to_string(),
        2 => (time.as_millis() / 1_000).to_string(),
        3 => format!("{date} {clock}"),
        4 => format!("{date} {clock}.000000"),
        5 => format!("{date} {clock}+00:00"),
        6 => format!("{date}T{clock}Z"),
        _ => format!("{date} {:02}-{}", (hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" }),
    }
}

fn row(bar: &Bar, spelling: Spelling) -> String {
    let cells = ORDERS[spelling.order].split(',').map(|column| match column {
        "time" => time_text(bar.open_time(), spelling.time),
        "open" => bar.open().to_string(),
        "high" => bar.high().to_string(),
        "low" => bar.low().to_string(),
        "close" => bar.close().to_string(),
        "volume" => bar.volume().to_string(),
        _ => "BTCUSD".to_owned(),
    });
    let quote = |cell: String| if spelling.is_quoted { format!("\"{cell}\"") } else { cell };
    cells.map(quote).collect::<Vec<_>>().join(",")
}

fn file(rows: &[Bar], spelling: Spelling) -> BarFile {
    let mut lines = Vec::new();
    if spelling.has_banner {
        lines.push("All times are UTC,https://example.com".to_owned());
    }
    if spelling.has_header {
        lines.push(ORDERS[spelling.order].replace('-', "Symbol").to_uppercase());
    }
    lines.extend(rows.iter().map(|bar| row(bar, spelling)));
    let content: String = lines.iter().map(|line| format!("{line}{}", spelling.line_end)).collect();
    if spelling.is_gzip { BarFile::gzip(content) } else { BarFile::new(content) }
}

/// Hourly bars, some missing; most steps are an hour, so that the timeframe can be told.
fn bars() -> impl Strategy<Value = BarSeries> {
    let prices = (1e-6_f64..1e6, 0.0_f64..0.1, 0.0_f64..1.0, 0.0_f64..1.0, 0.0_f64..1e4);
    let step = prop_oneof![9 => Just(1_i64), 1 => 2_i64..60];
    let rows = proptest::collection::vec((step, prices), 4..25);
    (rows, 300_000_i64..600_000).prop_map(|(rows, first)| {
        let mut series = BarSeries::new(Timeframe::from_minutes(60).unwrap());
        let mut hour = first;
        for (step, (low, range, at_open, at_close, volume)) in rows {
            hour += step;
            let high = low * (1.0 + range);
            let within = |share: f64| (low + (high - low) * share).clamp(low, high);
            let time = Timestamp::EPOCH.plus_millis(hour * 3_600_000);
            series
                .push(Bar::new(time, within(at_open), high, low, within(at_close), volume).unwrap())
                .unwrap();
        }
        series
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bars_written_in_any_order_and_format_read_back_identically(
        bars in bars(),
        spelling in spelling(),
        shuffle in any::<u64>(),
    ) {
        let mut rows: Vec<Bar> = bars.iter().collect();
        rows.sort_by_key(|bar| (bar.open_time().as_millis() as u64).wrapping_mul(shuffle | 1) >> 7);
        let columns = (!spelling.has_header).then(|| ORDERS[spelling.order].parse().unwrap());
        let file = file(&rows, spelling);
        let request = BarRequest { timeframe: None, ..request("BTC/USD") };
        let source = CsvSource::new(&file.path, CsvOptions { columns, ..CsvOptions::default() });
        let steps = bars.open_times().windows(2).map(|pair| pair[1].millis_since(pair[0]));
        prop_assume!(steps.filter(|step| *step == 3_600_000).count() * 2 > bars.len());
        let answer = source.read(&request).unwrap();
        prop_assert_eq!(answer.bars, bars);
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = BarFile::new(bytes).read(CsvOptions { max_rejected_rows: 5, ..CsvOptions::default() });
    }

    #[test]
    fn arbitrary_tables_never_panic(rows in "(date,open,high,low,close,volume\n)?([0-9:, .-]{0,40}\n){0,12}") {
        let _ = BarFile::new(rows).read(CsvOptions { max_rejected_rows: 5, ..CsvOptions::default() });
    }
}

#[test]
fn gzip_files_joined_end_to_end_are_read_to_the_end() {
    let (first, second) = (hours(&[1, 2]), "2024-01-01 03:00:00,10,12,9,11,1\n");
    let joined = [gzip(first), gzip(second)].concat();
    assert_eq!(BarFile::new(joined).read(CsvOptions::default()).unwrap().bars.len(), 3);
}

#[test]
fn declared_columns_stand_above_the_header() {
    let file = BarFile::new("date,open,close,low,high,volume\n".to_owned() + &hours(&[1, 2])[32..]);
    let columns = Some("time,open,high,low,close,volume".parse().unwrap());
    let answer = file.read(CsvOptions { columns, ..CsvOptions::default() }).unwrap();
    assert_eq!((answer.bars.highs()[0], answer.bars.closes()[0]), (12.0, 11.0));
}

#[test]
fn of_rows_with_one_start_the_last_in_the_file_is_taken() {
    let rows = "2024-01-01 02:00:00,10,12,9,11.5,1\n2024-01-01 01:00:00,10,12,9,11,1.5\n";
    let answer = BarFile::new(hours(&[1, 2, 3]) + rows).read(CsvOptions::default()).unwrap();
    let figures = answer.file.unwrap();
    assert_eq!((figures.rows, figures.duplicates, figures.missing_bars, answer.bars.len()), (5, 2, 0, 3));
    assert_eq!(answer.bars.closes(), [11.0, 11.5, 11.0]);
}

#[test]
fn an_unfinished_bar_is_left_out_and_counted_and_later_ones_are_just_later() {
    let file = BarFile::new(hours(&[1, 2, 3, 4]));
    let read = |as_of: &str, drop_last| {
        let request = BarRequest { as_of: Some(as_of.parse().unwrap()), ..request("BTC/USD") };
        let options = CsvOptions { drop_last, ..CsvOptions::default() };
        let answer = CsvSource::new(&file.path, options).read(&request).unwrap();
        (answer.bars.len(), answer.file.unwrap().unfinished_dropped)
    };
    assert_eq!(read("2024-01-01T05:00:00Z", false), (4, 0));
    assert_eq!(read("2024-01-01T04:59:59.999Z", false), (3, 1));
    assert_eq!(read("2024-01-01T04:00:00Z", false), (3, 0));
    assert_eq!(read("2024-01-01T03:30:00Z", false), (2, 1));
    assert_eq!(read("2024-01-01T09:00:00Z", true), (3, 1));
}

#[test]
fn longer_bars_are_made_of_whole_intervals_that_have_closed() {
    let file = BarFile::new(hours(&[3, 4, 5, 6, 7, 8, 9, 10]));
    let read = |as_of: Option<&str>| {
        let as_of = as_of.map(|text| text.parse().unwrap());
        let request = BarRequest { timeframe: Some("4h".parse().unwrap()), as_of, ..request("BTC/USD") };
        CsvSource::new(&file.path, CsvOptions::default()).read(&request).unwrap().bars
    };
    let bars = read(None);
    let starts: Vec<String> = bars.open_times().iter().map(|time| time.to_string()).collect();
    assert_eq!(starts, ["2024-01-01T04:00:00.000Z"], "03:00 began before the file, 08:00 has not closed");
    assert_eq!(bars.volumes(), [4.5 + 5.5 + 6.5 + 7.5]);
    assert_eq!(read(Some("2024-01-01T12:00:00Z")).len(), 2, "by noon 08:00 has closed without its last hour");
}

#[test]
fn a_request_is_answered_with_the_last_bars_and_one_before_a_hole() {
    let file = BarFile::new(hours(&[1, 2, 3, 6, 7]));
    let read = |bars| {
        let request = BarRequest { bars, ..request("BTC/USD") };
        CsvSource::new(&file.path, CsvOptions::default()).read(&request).unwrap().bars.len()
    };
    assert_eq!((read(1), read(2), read(3), read(5), read(100)), (1, 2, 3, 3, 5));
}
