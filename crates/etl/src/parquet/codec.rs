//! Bars as the columns of a Parquet file of our own: `open_time`, the four prices, `volume`, and for the cache
//! `learnt_at`.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use walkforward_core::{BarColumns, Timestamp, Window};

use super::guard::guarded;

/// Rows of a row group: what is read at once to find a few bars.
const GROUP_ROWS: usize = 65_536;
/// Most rows of a file that are read: 38 years of minutes.
pub(crate) const MAX_ROWS: usize = 20_000_000;
const OPEN_TIME: &str = "open_time";
const LEARNT_AT: &str = "learnt_at";
const NUMBERS: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// Bars and, in the cache, when each was learnt.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns {
    pub(crate) bars: BarColumns,
    /// As long as the bars, or empty in a file without the column.
    pub(crate) learnt_at: Vec<Timestamp>,
}

/// The file's bytes; `metadata` goes into its footer.
pub(crate) fn encode(columns: &Columns, metadata: Vec<KeyValue>) -> Result<Vec<u8>, ParquetError> {
    let has_learnt_at = !columns.learnt_at.is_empty();
    let schema = Arc::new(parse_message_type(&message_type(has_learnt_at))?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties(metadata)?)?;
    for from in (0..columns.bars.len()).step_by(GROUP_ROWS) {
        let rows = from..columns.bars.len().min(from + GROUP_ROWS);
        let mut group = writer.next_row_group()?;
        let BarColumns { open_time, open, high, low, close, volume } = &columns.bars;
        write_column::<Int64Type>(&mut group, &millis(&open_time[rows.clone()]))?;
        for numbers in [open, high, low, close, volume] {
            write_column::<DoubleType>(&mut group, &numbers[rows.clone()])?;
        }
        if has_learnt_at {
            write_column::<Int64Type>(&mut group, &millis(&columns.learnt_at[rows]))?;
        }
        group.close()?;
    }
    writer.into_inner()
}

fn message_type(has_learnt_at: bool) -> String {
    let time = |name| format!("required int64 {name} (TIMESTAMP(MILLIS,true));");
    let numbers: String = NUMBERS.iter().map(|name| format!("required double {name};")).collect();
    let learnt_at = if has_learnt_at { time(LEARNT_AT) } else { String::new() };
    format!("message bars {{ {} {numbers} {learnt_at} }}", time(OPEN_TIME))
}

fn properties(metadata: Vec<KeyValue>) -> Result<WriterPropertiesPtr, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(ColumnPath::from(LEARNT_AT), true)
        .set_column_encoding(ColumnPath::from(OPEN_TIME), Encoding::DELTA_BINARY_PACKED)
        .set_created_by("walkforward".to_owned())
        .set_key_value_metadata(Some(metadata));
    Ok(Arc::new(properties.build()))
}

fn millis(times: &[Timestamp]) -> Vec<i64> {
    times.iter().map(|time| time.as_millis()).collect()
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than are written".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// Rows of the groups that hold any bar which starts in `window`; bars outside may come with them. The bytes are those
/// of a file that [`encode`] made: whoever hands in others has checked them.
pub(crate) fn decode(bytes: Bytes, window: Window) -> Result<Columns, ParquetError> {
    guarded(|| decode_whole(bytes, window))
}

fn decode_whole(bytes: Bytes, window: Window) -> Result<Columns, ParquetError> {
    let reader = SerializedFileReader::new(bytes)?;
    let has_learnt_at = check_schema(&reader)?;
    let metadata = reader.metadata();
    let is_wanted = |group: &usize| may_overlap(metadata.row_group(*group).column(0).statistics(), window);
    let wanted: Vec<usize> = (0..reader.num_row_groups()).filter(is_wanted).collect();
    let rows = wanted.iter().map(|&group| usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0));
    let rows = rows.fold(0, usize::saturating_add).min(MAX_ROWS);
    let mut columns = Columns { bars: BarColumns::with_capacity(rows), learnt_at: Vec::with_capacity(rows) };
    for index in wanted {
        let group = reader.get_row_group(index)?;
        let BarColumns { open_time, open, high, low, close, volume } = &mut columns.bars;
        append_times(group.as_ref(), 0, open_time)?;
        for (at, numbers) in [open, high, low, close, volume].into_iter().enumerate() {
            append::<DoubleType>(group.as_ref(), at + 1, numbers)?;
        }
        if has_learnt_at {
            append_times(group.as_ref(), NUMBERS.len() + 1, &mut columns.learnt_at)?;
        }
    }
    Ok(columns)
}

/// The footer's value of `key`.
pub(crate) fn metadata_value(bytes: Bytes, key: &str) -> Result<Option<String>, ParquetError> {
    guarded(|| {
        let reader = SerializedFileReader::new(bytes)?;
        let pairs = reader.metadata().file_metadata().key_value_metadata();
        let pair = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == key));
        Ok(pair.and_then(|pair| pair.value.clone()))
    })
}

/// Whether the file has the cache's column; an error when it has other columns than [`encode`] writes.
fn check_schema(reader: &SerializedFileReader<Bytes>) -> Result<bool, ParquetError> {
    let file = reader.metadata().file_metadata();
    let rows = usize::try_from(file.num_rows()).unwrap_or(usize::MAX);
    if rows > MAX_ROWS {
        return Err(ParquetError::General(format!("{rows} rows: expected at most {MAX_ROWS}")));
    }
    let found = file.schema_descr().root_schema();
    for has_learnt_at in [false, true] {
        let own = parse_message_type(&message_type(has_learnt_at))?;
        let same_columns = found.is_group() && own.get_fields() == found.get_fields();
        if same_columns {
            return Ok(has_learnt_at);
        }
    }
    Err(ParquetError::General("the columns are not those of a file of bars".to_owned()))
}

fn may_overlap(statistics: Option<&Statistics>, window: Window) -> bool {
    let Some(Statistics::Int64(statistics)) = statistics else { return true };
    let (Some(&first), Some(&last)) = (statistics.min_opt(), statistics.max_opt()) else { return true };
    last >= window.start().as_millis() && first < window.end().as_millis()
}

fn append_times(
    group: &dyn RowGroupReader,
    column: usize,
    times: &mut Vec<Timestamp>,
) -> Result<(), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut millis: Vec<i64> = Vec::with_capacity(rows.min(GROUP_ROWS));
    append::<Int64Type>(group, column, &mut millis)?;
    for ms in millis {
        let outside = || ParquetError::General(format!("{ms} is no time in milliseconds since 1970"));
        times.push(Timestamp::from_millis(ms).ok_or_else(outside)?);
    }
    Ok(())
}

/// Appends the values of a column whose physical type is `T` and which has no nulls.
pub(crate) fn append<T: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    values: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let before = values.len();
    let reader = group.get_column_reader(column)?;
    let mut reader = parquet::column::reader::get_typed_column_reader::<T>(reader);
    let mut defined = Vec::new();
    loop {
        let left = rows.saturating_sub(values.len() - before);
        if left == 0 {
            return Ok(());
        }
        let (records, read, _) = reader.read_records(left, Some(&mut defined), None, values)?;
        if records != read {
            return Err(ParquetError::General("a value is missing".to_owned()));
        }
        if records == 0 {
            let (found, expected) = (values.len() - before, rows);
            return Err(ParquetError::General(format!("{found} values in a row group of {expected} rows")));
        }
        defined.clear();
    }
}
