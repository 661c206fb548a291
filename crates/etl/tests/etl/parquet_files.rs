//! Parquet files of others and our own, and exports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use walkforward_core::{AbsentMeans, Bar, BarRequest, BarSeries, SourceBars, Timeframe, Timestamp};
use walkforward_etl::{
    CsvOptions, CsvSource, Error, ParquetOptions, ParquetSource, SyntheticSource, write_csv, write_parquet,
};

use crate::support::request;

fn read(path: &Path, options: ParquetOptions) -> Result<SourceBars, Error> {
    ParquetSource::new(path, options).read(&request("BTC/USD"))
}

fn refuse(path: &Path, expected: &str) {
    let error = read(path, ParquetOptions::default()).unwrap_err().to_string();
    assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{error}");
}

/// A column of a file that a test writes.
enum Values {
    Long(Vec<i64>),
    Int(Vec<i32>),
    Double(Vec<f64>),
    Float(Vec<f32>),
    Text(Vec<&'static str>),
}

fn write(path: &Path, fields: &str, columns: &[Values]) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {fields} }}")).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        match values {
            Values::Long(values) => column.typed::<Int64Type>().write_batch(values, None, None),
            Values::Int(values) => column.typed::<Int32Type>().write_batch(values, None, None),
            Values::Double(values) => column.typed::<DoubleType>().write_batch(values, None, None),
            Values::Float(values) => column.typed::<FloatType>().write_batch(values, None, None),
            Values::Text(values) => {
                let texts: Vec<ByteArray> = values.iter().map(|text| (*text).into()).collect();
                column.typed::<ByteArrayType>().write_batch(&texts, None, None)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn two_bars() -> [Values; 5] {
    let column = |numbers: [f64; 2]| Values::Double(numbers.to_vec());
    [
        column([10.0, 11.0]),
        column([12.0, 12.5]),
        column([9.0, 10.5]),
        column([11.0, 12.0]),
        column([1.0, 0.0]),
    ]
}

const NUMBERS: &str = "required double open; required double high; required double low; required double close; required double volume;";

#[test]
fn an_export_reads_back_as_the_same_bars() {
    let bars = SyntheticSource::new(4).read(&request_bars(70_000)).unwrap().bars;
    let dir = tempfile::tempdir().unwrap();
    let (csv, parquet) = (dir.path().join("bars.csv"), dir.path().join("bars.parquet"));
    write_csv(&bars, &csv).unwrap();
    write_parquet(&bars, &parquet).unwrap();
    assert_eq!(CsvSource::new(&csv, CsvOptions::default()).read(&request("BTC/USD")).unwrap().bars, bars);
    let answer = read(&parquet, ParquetOptions::default()).unwrap();
    assert_eq!(answer.bars, bars);
    assert_eq!(answer.file.unwrap().rows, bars.len());
    let empty = BarSeries::new(Timeframe::MINUTE);
    write_parquet(&empty, &parquet).unwrap();
    refuse(&parquet, "no row that is a bar");
}

fn request_bars(bars: usize) -> BarRequest {
    BarRequest { timeframe: Some(Timeframe::MINUTE), ..BarRequest::new("BTC/USD".parse().unwrap(), bars) }
}

/// What pandas writes by default: snappy, dictionaries, nullable columns, a NaN as null.
#[test]
fn a_file_that_pandas_wrote_is_read() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pandas_hours.parquet"));
    refuse(&path, "line 8: close is NaN");
    let answer =
        read(&path, ParquetOptions { max_rejected_rows: 1, drop_last: true, absent: AbsentMeans::NoTrade })
            .unwrap();
    assert_eq!((answer.bars.len(), answer.bars.timeframe().to_string().as_str()), (46, "1h"));
    assert_eq!(
        (answer.absent, answer.as_of.to_string().as_str()),
        (AbsentMeans::NoTrade, "2024-01-02T23:00:00.000Z")
    );
    let start: Timestamp = "2024-01-01T01:00:00Z".parse().unwrap();
    assert_eq!(answer.bars.bar(1), Bar::new(start, 101.0, 102.0, 100.0, 101.5, 1.0).unwrap());
    let file = answer.file.unwrap();
    assert_eq!((file.rows, file.rejected_count, file.missing_bars), (47, 1, 1));
}

#[test]
fn starts_are_read_in_every_type_that_holds_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.parquet");
    let nanos = [1_704_067_200_000_000_000, 1_704_067_260_000_000_000];
    let starts = [
        ("required int64 open_time (TIMESTAMP(NANOS,true));", Values::Long(nanos.to_vec())),
        (
            "required int64 made_up (TIMESTAMP(MICROS,false));",
            Values::Long(nanos.map(|time| time / 1_000).to_vec()),
        ),
        ("required int64 unix;", Values::Long(nanos.map(|time| time / 1_000_000_000).to_vec())),
        ("required int64 timestamp;", Values::Long(nanos.map(|time| time / 1_000_000).to_vec())),
        ("required binary date (UTF8);", Values::Text(vec!["2024-01-01T00:00:00Z", "2024-01-01 00:01"])),
    ];
    for (field, values) in starts {
        let columns: Vec<Values> = std::iter::once(values).chain(two_bars()).collect();
        write(&path, &format!("{field} {NUMBERS}"), &columns);
        let answer = read(&path, ParquetOptions::default()).unwrap();
        assert_eq!(answer.bars.first_open_time().unwrap().to_string(), "2024-01-01T00:00:00.000Z", "{field}");
        assert_eq!((answer.bars.len(), answer.bars.closes()), (2, &[11.0, 12.0][..]), "{field}");
    }
}

#[test]
fn floats_and_whole_numbers_are_prices_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.parquet");
    let fields = "required int64 t; required float o; required int32 h; required int64 l; required double c; required int64 v;";
    let columns = [
        Values::Long(vec![1_704_067_200, 1_704_067_260]),
        Values::Float(vec![10.5, 11.5]),
        Values::Int(vec![12, 13]),
        Values::Long(vec![9, 10]),
        Values::Double(vec![11.0, 12.0]),
        Values::Long(vec![0, 3]),
    ];
    write(&path, fields, &columns);
    let bars = read(&path, ParquetOptions::default()).unwrap().bars;
    assert_eq!(
        (bars.opens(), bars.highs(), bars.volumes()),
        (&[10.5, 11.5][..], &[12.0, 13.0][..], &[0.0, 3.0][..])
    );
}

#[test]
fn what_is_no_file_of_bars_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.parquet");
    std::fs::write(&path, "").unwrap();
    refuse(&path, "the file is empty");
    std::fs::write(&path, "open_time,open\n").unwrap();
    refuse(&path, "expected a Parquet file");
    refuse(dir.path(), "this is a folder");
    let long = || Values::Long(vec![1_704_067_200, 1_704_067_260]);
    let with = |field: &str, values: Values| {
        let columns: Vec<Values> = std::iter::once(values).chain(two_bars()).collect();
        write(&path, &format!("{field} {NUMBERS}"), &columns);
    };
    with("required int64 number;", long());
    refuse(&path, "no column is the start of the bar among number, open");
    with("required int64 time;", Values::Long(vec![7, 1_704_067_260]));
    refuse(&path, "line 1: '7' is not a time");
    with("required double time;", Values::Double(vec![1.0, 2.0]));
    refuse(&path, "the column 'time' has values of type DOUBLE");
    write(&path, "required int64 time; required double open;", &[long(), Values::Double(vec![1.0, 2.0])]);
    refuse(&path, "names no high column");
}
