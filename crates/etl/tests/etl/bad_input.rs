//! Files and requests that can't be used: the error names the file, the line or the setting.

use walkforward_core::{BarRequest, ErrorKind, SourceError};
use walkforward_etl::{CsvOptions, CsvSource};

use crate::support::{BarFile, columns, gzip, hours, request};

const HEADER: &str = "date,open,high,low,close,volume\n";

fn refuse(file: &BarFile, options: CsvOptions, expected: &str) {
    let error = SourceError::from(file.read(options).unwrap_err());
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert!(error.message.contains("bars.csv"), "names the file: {}", error.message);
    assert!(error.message.contains(expected), "{}", error.message);
}

fn refuse_row(row: &str, expected: &str) {
    let file = BarFile::new(format!(
        "{}{row}\n2024-01-01 04:00:00,10,12,9,11,1\n2024-01-01 05:00:00,10,12,9,11,1\n",
        hours(&[1, 2])
    ));
    refuse(&file, CsvOptions::default(), &format!("line 4: {expected}"));
    let tolerant = CsvOptions { max_rejected_rows: 1, ..CsvOptions::default() };
    let figures = file.read(tolerant).unwrap().file.unwrap();
    assert_eq!((figures.rows, figures.rejected_count, figures.missing_bars), (4, 1, 1));
    assert_eq!(figures.rejected_rows[0].line, 4);
    assert!(figures.rejected_rows[0].reason.contains(expected));
}

#[test]
fn a_missing_file_is_named() {
    let error = CsvSource::new("/nowhere/bars.csv", CsvOptions::default()).read(&request("BTC/USD"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("/nowhere/bars.csv") && error.contains("No such file"), "{error}");
}

#[test]
fn a_folder_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = CsvSource::new(dir.path(), CsvOptions::default()).read(&request("BTC/USD")).unwrap_err();
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
}

#[test]
fn a_pipe_is_refused_without_waiting_for_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.csv");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = CsvSource::new(&path, CsvOptions::default()).read(&request("BTC/USD")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("bars.csv") && error.contains("this is a pipe"), "{error}");
}

#[test]
fn an_empty_file_is_refused() {
    refuse(&BarFile::new(""), CsvOptions::default(), "the file is empty");
    refuse(&BarFile::new("\r\n\n"), CsvOptions::default(), "the file is empty");
    refuse(&BarFile::gzip(""), CsvOptions::default(), "the file is empty");
    refuse(&BarFile::new(""), columns("time,open,high,low,close,volume"), "the file is empty");
}

#[test]
fn a_header_alone_is_refused() {
    refuse(&BarFile::new(HEADER), CsvOptions::default(), "no row that is a bar");
    refuse(&BarFile::new(format!("a banner\n{HEADER}\n")), CsvOptions::default(), "only 2 line(s)");
    refuse(&BarFile::new(HEADER), columns("time,open,high,low,close,volume"), "no row that is a bar");
}

#[test]
fn text_that_is_no_table_is_refused() {
    let prose = "one line of prose\n".repeat(20);
    refuse(&BarFile::new(prose), CsvOptions::default(), "no header and no row of bars in the first 8 lines");
    refuse(&BarFile::new([0_u8, 255, 10, 7].repeat(50)), CsvOptions::default(), "no header and no row");
}

#[test]
fn rows_that_are_no_bars_are_refused_or_tolerated_and_listed() {
    refuse_row("2024-01-01 03:00:00,nan,12,9,11,1", "open is NaN");
    refuse_row("2024-01-01 03:00:00,10,inf,9,11,1", "high is inf");
    refuse_row("2024-01-01 03:00:00,10,12,-9,11,1", "low is -9");
    refuse_row("2024-01-01 03:00:00,10,12,9,0,1", "close is 0");
    refuse_row("2024-01-01 03:00:00,10,9,12,11,1", "high is below low");
    refuse_row("2024-01-01 03:00:00,10,12,9,13,1", "high is below open or close");
    refuse_row("2024-01-01 03:00:00,10,12,9,11,-1", "volume is -1");
    refuse_row("2024-01-01 03:00:00,10,12,9,eleven,1", "close is 'eleven': expected a number");
    refuse_row("2024-01-01 03:00:00,10,12,9,,1", "close is '': expected a number");
    refuse_row("2024-01-01 03:00:00,10,12,9,11", "the row has 5 cells: expected 6");
    refuse_row("2024-01-01 03:00:00,10,12,9,11,1,1", "the row has 7 cells: expected 6");
    refuse_row("yesterday,10,12,9,11,1", "'yesterday' is not a time");
    refuse_row("2024-01-01 03:10:00,10,12,9,11,1", "the bar of 2024-01-01T03:10:00.000Z is off the 1h grid");
}

#[test]
fn more_bad_rows_than_tolerated_are_refused() {
    let file = BarFile::new(format!("{}x,1\ny,2\nz,3\n", hours(&[1, 2])));
    let tolerant = |max_rejected_rows| CsvOptions { max_rejected_rows, ..CsvOptions::default() };
    refuse(&file, tolerant(2), "line 6: the row has 2 cells: expected 6; more than the 2 rows");
    assert_eq!(file.read(tolerant(3)).unwrap().file.unwrap().rejected_count, 3);
}

#[test]
fn the_list_of_rejected_rows_is_bounded() {
    let file = BarFile::new(format!("{}{}", hours(&[1, 2]), "bad\n".repeat(150)));
    let tolerant = CsvOptions { max_rejected_rows: 1_000, ..CsvOptions::default() };
    let figures = file.read(tolerant).unwrap().file.unwrap();
    assert_eq!((figures.rejected_rows.len(), figures.rejected_count), (100, 150));
}

#[test]
fn rejected_rows_alone_make_no_bars() {
    let tolerant = CsvOptions { max_rejected_rows: 9, ..CsvOptions::default() };
    refuse(&BarFile::new(format!("{HEADER}x,1\n")), tolerant, "no row that is a bar");
}

#[test]
fn a_torn_last_line_is_refused_with_a_hint() {
    let whole = hours(&[1, 2, 3]);
    let torn = &whole[..whole.len() - 12];
    refuse(
        &BarFile::new(torn),
        CsvOptions::default(),
        "line 4: the row has 3 cells: expected 6; the file ends",
    );
}

#[test]
fn a_last_line_without_line_end_is_taken_and_told() {
    let whole = hours(&[1, 2, 3]);
    let read = |content: &str, drop_last| {
        let answer = BarFile::new(content).read(CsvOptions { drop_last, ..CsvOptions::default() }).unwrap();
        (answer.bars.len(), answer.file.unwrap().unterminated_last_line)
    };
    assert_eq!(read(&whole, false), (3, false));
    assert_eq!(read(&(whole.clone() + "\n \n"), false), (3, false));
    assert_eq!(read(whole.trim_end(), false), (3, true), "perhaps cut inside its volume: nothing else tells");
    assert_eq!(read(whole.trim_end(), true), (2, true));
}

#[test]
fn a_torn_gzip_file_is_refused() {
    let content: String = hours(&(0..24).collect::<Vec<_>>());
    let mut packed = gzip(content);
    packed.truncate(packed.len() - 9);
    refuse(&BarFile::new(packed), CsvOptions::default(), "can't read the file");
}

#[test]
fn a_line_without_end_is_refused() {
    refuse(&BarFile::new(vec![b'1'; 200_000]), CsvOptions::default(), "line 1: longer than the limit");
}

#[test]
fn declared_columns_that_do_not_fit_are_refused() {
    let file = BarFile::new(hours(&[1, 2]));
    refuse(&file, columns("time,open,high,low,close,-,volume"), "are 7, but line 2 has 6 cells");
    refuse(&file, columns("open,time,high,low,close,volume"), "line 2: '10' is not a time");
    refuse(&file, columns("time,open,low,high,close,volume"), "line 2: high is below low");
}

#[test]
fn a_headerless_file_is_accepted_only_when_one_order_fits() {
    let row = |hour: u32, prices: &str| format!("2024-01-01 {hour:02}:00:00,{prices},1\n");
    let flat = row(1, "5,5,5,5") + &row(2, "6,6,6,6");
    refuse(&BarFile::new(&flat), CsvOptions::default(), "12 orders of columns fit every row");
    refuse(&BarFile::new(&flat), CsvOptions::default(), "pass the order with --columns");
    let none = row(1, "5,9,1,5") + &row(2, "5,1,9,5");
    refuse(
        &BarFile::new(none),
        CsvOptions::default(),
        "no order of open, high, low, close fits every row up to line 2",
    );
    let one = row(1, "5,6,9,1") + &row(2, "5,5,5,5");
    let bars = BarFile::new(one).read(CsvOptions::default()).unwrap().bars;
    assert_eq!((bars.opens()[0], bars.closes()[0], bars.highs()[0], bars.lows()[0]), (5.0, 6.0, 9.0, 1.0));
}

#[test]
fn a_headerless_bad_first_row_is_not_taken_for_a_banner() {
    let rows =
        "2024-01-01 01:00:00,5,x,1,5,1\n2024-01-01 02:00:00,5,9,1,6,1\n2024-01-01 03:00:00,5,9,1,6,1\n";
    refuse(&BarFile::new(rows), CsvOptions::default(), "line 1: high is 'x'");
}

#[test]
fn a_headerless_file_of_another_width_needs_columns() {
    let rows = "1704067200,5,9,1,6,1,77\n1704070800,5,9,1,6,1,77\n";
    refuse(&BarFile::new(rows), CsvOptions::default(), "line 1 has no header above it and 7 cells");
    assert_eq!(BarFile::new(rows).read(columns("time,open,high,low,close,volume,-")).unwrap().bars.len(), 2);
}

#[test]
fn a_timeframe_that_does_not_fit_names_both() {
    let file = BarFile::new(hours(&[1, 2, 3]));
    for asked in ["30m", "90m"] {
        let request = BarRequest { timeframe: Some(asked.parse().unwrap()), ..request("BTC/USD") };
        let error = CsvSource::new(&file.path, CsvOptions::default()).read(&request).unwrap_err().to_string();
        assert!(error.contains("bars of 1h, bars of") && error.contains(asked), "{error}");
    }
}

#[test]
fn rows_seconds_apart_are_refused() {
    let rows = "2024-01-01 00:00:01,1,1,1,1,1\n2024-01-01 00:00:02,1,1,1,1,1\n";
    refuse(&BarFile::new(format!("{HEADER}{rows}")), CsvOptions::default(), "rows are mostly 1 s apart");
}

#[test]
fn one_row_has_a_timeframe_only_when_it_is_asked_for() {
    let file = BarFile::new(hours(&[1]));
    refuse(&file, CsvOptions::default(), "one row alone has no timeframe");
    let request = BarRequest { timeframe: Some("1h".parse().unwrap()), ..request("BTC/USD") };
    assert_eq!(CsvSource::new(&file.path, CsvOptions::default()).read(&request).unwrap().bars.len(), 1);
}

#[test]
fn a_now_before_the_first_close_is_refused() {
    let file = BarFile::new(hours(&[1, 2]));
    let as_of = Some("2024-01-01T01:59:59Z".parse().unwrap());
    let request = BarRequest { as_of, ..request("BTC/USD") };
    let error = CsvSource::new(&file.path, CsvOptions::default()).read(&request).unwrap_err().to_string();
    assert!(error.contains("the first one closes at 2024-01-01T02:00:00.000Z"), "{error}");
}
