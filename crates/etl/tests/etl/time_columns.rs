//! Files whose start of the bar stands in more than one column, or in one of several.

use walkforward_core::BarSeries;
use walkforward_etl::CsvOptions;

use crate::support::{BarFile, columns};

/// Two days of hours under `header`, each row's time columns by `times(day, hour)`.
fn file(header: &str, times: impl Fn(u32, u32) -> String) -> BarFile {
    let row = |at: u32| format!("{},10,12,9,11,{at}.5\n", times(2 + at / 24, at % 24));
    BarFile::new(header.to_owned() + &(0..48).map(row).collect::<String>())
}

fn check(bars: &BarSeries) {
    assert_eq!((bars.len(), bars.timeframe().to_string().as_str()), (48, "1h"));
    assert_eq!(bars.first_open_time(), Some("2024-01-02T00:00:00Z".parse().unwrap()));
    assert_eq!((bars.volumes()[0], bars.volumes()[47]), (0.5, 47.5));
}

const PRICES: &str = "open,high,low,close,volume\n";

#[test]
fn a_date_and_a_time_column_are_read_as_one_time() {
    let with_dots = |day: u32, hour: u32| format!("2024.01.{day:02},{hour:02}:00");
    let with_seconds = |day: u32, hour: u32| format!("2024-01-{day:02},{hour:02}:00:00");
    let options = CsvOptions::default;
    check(&file(&format!("Date,Time,{PRICES}"), with_dots).read(options()).unwrap().bars);
    check(&file(&format!("<DATE>,<TIME>,{PRICES}"), with_seconds).read(options()).unwrap().bars);
    check(&file("", with_dots).read(columns("date,time,open,high,low,close,volume")).unwrap().bars);
    check(&file("", with_dots).read(options()).unwrap().bars);
}

#[test]
fn a_file_with_date_and_time_and_neither_header_nor_order_is_refused() {
    let flat = file("", |day, hour| format!("2024.01.{day:02},{hour:02}:00"));
    let content = std::fs::read_to_string(&flat.path).unwrap().replace("10,12,9,11", "5,5,5,5");
    let error = BarFile::new(content).read(CsvOptions::default()).unwrap_err().to_string();
    assert!(error.contains("12 orders of columns fit every row ('time,clock,"), "{error}");
}

#[test]
fn a_column_with_the_whole_start_goes_before_a_date_alone() {
    let epoch = |day: u32, hour: u32| 1_704_153_600 + (day - 2) * 86_400 + hour * 3_600;
    let date_then_unix = |day, hour| format!("2024-01-{day:02},{}", epoch(day, hour));
    check(&file(&format!("date,unix,{PRICES}"), date_then_unix).read(CsvOptions::default()).unwrap().bars);
    let stamp_then_date = |day, hour| format!("{}000,2024-01-{day:02} 00:00:00", epoch(day, hour));
    check(
        &file(&format!("timestamp,date,{PRICES}"), stamp_then_date).read(CsvOptions::default()).unwrap().bars,
    );
}

#[test]
fn a_bad_row_below_a_date_and_a_time_column_names_both_cells() {
    let rows = "2024.01.02,15:00,5,9,1,6,1\n2024.01.02,noon,6,7,5,6,1\n";
    let file = BarFile::new(format!("date,time,{PRICES}{rows}"));
    let error = file.read(CsvOptions::default()).unwrap_err().to_string();
    assert!(error.contains("line 3: '2024.01.02' and 'noon' are not a date and a time of day"), "{error}");
}

#[test]
fn columns_that_contradict_each_other_ask_for_the_order() {
    let times = |day: u32, hour: u32| format!("2024-01-{day:02} 00:00:00,{hour:02}:00");
    let error =
        file(&format!("date,time,{PRICES}"), times).read(CsvOptions::default()).unwrap_err().to_string();
    assert!(error.contains("'date', 'time' hold the start of the bar is unclear; pass the order"), "{error}");
}

#[test]
fn many_rows_of_one_start_with_other_values_are_no_file_of_bars() {
    let hidden = file(&format!("date,session,{PRICES}"), |day, hour| format!("2024-01-{day:02},S{hour}"));
    let error = hidden.read(CsvOptions::default()).unwrap_err().to_string();
    assert!(error.contains("46 of 48 rows have the start of another row and other values"), "{error}");
    assert!(error.contains("line 3 (2024-01-02T00:00:00.000Z)") && error.contains("--columns"), "{error}");
}

#[test]
fn repeated_rows_and_a_few_revisions_are_tolerated() {
    let hour = |_: u32, hour: u32| format!("2024-01-02 {hour:02}:00");
    let header = format!("date,{PRICES}");
    let repeated = file(&header, hour);
    let content = std::fs::read_to_string(&repeated.path).unwrap();
    let day: String = content.lines().take(25).map(|line| format!("{line}\n")).collect();
    let again: String = day.lines().skip(1).map(|line| format!("{line}\n")).collect();
    let figures = BarFile::new(day.clone() + &again).read(CsvOptions::default()).unwrap().file.unwrap();
    assert_eq!((figures.rows, figures.duplicates), (48, 24));
    let revised = |rows: usize| {
        let revisions = again.lines().take(rows).map(|line| format!("{line}1\n"));
        BarFile::new(day.clone() + &revisions.collect::<String>()).read(CsvOptions::default())
    };
    assert_eq!(revised(10).unwrap().file.unwrap().duplicates, 10);
    assert!(revised(11).is_err());
}
