//! Which columns of a foreign file are which, and their values as times and numbers.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use walkforward_core::{Symbol, Timestamp};

use crate::csv::header::{BarPlaces, bar_places, normalised};
use crate::csv::time::{epoch_ms, parse_time};
use crate::csv::time_columns::candidates;

/// Columns of a file at most.
const MAX_COLUMNS: usize = 4_096;
/// Bytes of a text that is no time which an error shows.
const MAX_SHOWN_BYTES: usize = 40;
/// Stands for a time that is not there; no count since 1970 is so small.
const NO_TIME: i64 = i64::MIN;

/// The start of a row's bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start(Result<Timestamp, String>);

impl Start {
    /// The time; else what stands there instead.
    pub(super) fn time(&self) -> Result<Timestamp, String> {
        self.0.clone().map_err(|shown| {
            format!("'{shown}' is not a time: expected a timestamp, a count since 1970 or an RFC 3339 text")
        })
    }
}

/// The places of the columns that make a bar; the error says what is missing.
pub(super) fn places(schema: &SchemaDescriptor, symbol: &Symbol) -> Result<BarPlaces, String> {
    if schema.num_columns() > MAX_COLUMNS {
        return Err(format!("{} columns are more than {MAX_COLUMNS}", schema.num_columns()));
    }
    let names: Vec<String> = schema.columns().iter().map(|column| name_of(column)).collect();
    let is_timestamp = |place: &usize| timestamp_unit(&schema.columns()[*place]).is_some();
    let time = match candidates(&names) {
        Ok(places) => places.iter().copied().find(is_timestamp).or_else(|| places.first().copied()),
        Err(_) => None,
    };
    let mut timestamps = (0..names.len()).filter(is_timestamp);
    let time = match (time, timestamps.next(), timestamps.next()) {
        (Some(time), _, _) => time,
        (None, Some(only), None) => only,
        (None, _, _) => {
            return Err(format!("no column is the start of the bar among {}", names.join(", ")));
        }
    };
    bar_places(&names, time, symbol)
}

/// The name of a column as headers are read; none for one inside a group or a list.
fn name_of(column: &ColumnDescriptor) -> String {
    match column.path().parts() {
        [name] if column.max_rep_level() == 0 => normalised(name.as_bytes()),
        _ => String::from("-"),
    }
}

fn timestamp_unit(column: &ColumnDescriptor) -> Option<i64> {
    let per_second = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(timestamp)), _) => match timestamp.unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        },
        (None, ConvertedType::TIMESTAMP_MILLIS) => 1_000,
        (None, ConvertedType::TIMESTAMP_MICROS) => 1_000_000,
        _ => return None,
    };
    (column.physical_type() == Type::INT64).then_some(per_second)
}

/// The starts in the column at `place`.
pub(super) fn starts(group: &dyn RowGroupReader, place: usize) -> Result<Vec<Start>, ParquetError> {
    let descriptor = group.metadata().schema_descr().column(place);
    match (descriptor.physical_type(), timestamp_unit(&descriptor)) {
        (Type::INT64, Some(per_second)) => {
            let ms = |count: i64| (count != NO_TIME).then(|| count.div_euclid(per_second / 1_000));
            let counts = values::<Int64Type>(group, place, NO_TIME)?;
            Ok(counts.into_iter().map(|count| start_at(count, ms(count))).collect())
        }
        (Type::INT64, None) => {
            let ms = |count: i64| u64::try_from(count).ok().and_then(epoch_ms);
            let counts = values::<Int64Type>(group, place, NO_TIME)?;
            Ok(counts.into_iter().map(|count| start_at(count, ms(count))).collect())
        }
        (Type::BYTE_ARRAY, _) => {
            let texts = values::<ByteArrayType>(group, place, ByteArray::from("null"))?;
            Ok(texts.iter().map(|text| start_in(text.data())).collect())
        }
        (other, _) => Err(unusable(&descriptor, other, "a timestamp, a count or a text")),
    }
}

fn start_in(text: &[u8]) -> Start {
    let shown = || String::from_utf8_lossy(&text[..text.len().min(MAX_SHOWN_BYTES)]).into_owned();
    Start(parse_time(text).ok_or_else(shown))
}

fn start_at(count: i64, ms: Option<i64>) -> Start {
    let shown = || if count == NO_TIME { "null".to_owned() } else { count.to_string() };
    Start(ms.and_then(Timestamp::from_millis).ok_or_else(shown))
}

/// The numbers in the column at `place`; NaN where none stands, which no bar takes.
pub(super) fn numbers(group: &dyn RowGroupReader, place: usize) -> Result<Vec<f64>, ParquetError> {
    let descriptor = group.metadata().schema_descr().column(place);
    let is_decimal = matches!(descriptor.logical_type_ref(), Some(LogicalType::Decimal(_)))
        || descriptor.converted_type() == ConvertedType::DECIMAL;
    match descriptor.physical_type() {
        Type::DOUBLE => values::<DoubleType>(group, place, f64::NAN),
        Type::FLOAT => {
            let numbers = values::<FloatType>(group, place, f32::NAN)?;
            Ok(numbers.into_iter().map(f64::from).collect())
        }
        Type::INT64 if !is_decimal => {
            let numbers = values::<Int64Type>(group, place, i64::MIN)?;
            Ok(numbers.into_iter().map(whole).collect())
        }
        Type::INT32 if !is_decimal => {
            let numbers = values::<Int32Type>(group, place, i32::MIN)?;
            Ok(numbers
                .into_iter()
                .map(|number| if number == i32::MIN { f64::NAN } else { number.into() })
                .collect())
        }
        other => Err(unusable(&descriptor, other, "doubles, floats or whole numbers")),
    }
}

fn whole(number: i64) -> f64 {
    if number == i64::MIN { f64::NAN } else { number as f64 }
}

fn unusable(column: &ColumnDescriptor, found: Type, expected: &str) -> ParquetError {
    ParquetError::General(format!(
        "the column '{}' has values of type {found}: expected {expected}",
        column.name()
    ))
}

/// The values of a column, `null` where there is none.
fn values<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
    null: T::T,
) -> Result<Vec<T::T>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let descriptor = group.metadata().schema_descr().column(place);
    if descriptor.max_rep_level() > 0 || descriptor.physical_type() != T::get_physical_type() {
        return Err(ParquetError::General(format!("the column '{}' is a list", descriptor.name())));
    }
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(place)?);
    let (mut levels, mut present, mut read) = (Vec::new(), Vec::new(), 0);
    while read < rows {
        let (records, _, _) = reader.read_records(rows - read, Some(&mut levels), None, &mut present)?;
        if records == 0 {
            return Err(ParquetError::General(format!(
                "{read} values of '{}' in {rows} rows",
                descriptor.name()
            )));
        }
        read += records;
    }
    if descriptor.max_def_level() == 0 {
        return Ok(present);
    }
    let mut present = present.into_iter();
    let is_there = |level: &i16| *level == descriptor.max_def_level();
    let filled = levels.iter().map(|level| match is_there(level) {
        true => present.next().unwrap_or_else(|| null.clone()),
        false => null.clone(),
    });
    Ok(filled.collect())
}
