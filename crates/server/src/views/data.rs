//! What runs were made from: windows of bars with what is known about them.

use serde::Serialize;
use utoipa::ToSchema;
use walkforward_core::{Coverage, CoverageStretch, Hole, QualityFigures, RejectedRow, Timestamp};
use walkforward_store::EtlRecord;

/// A window of bars that a run was made from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataView {
    /// The run that it was read for; the id under which `/api/data/{id}` tells more.
    #[schema(example = "2024-01-01T00-00-00-000Z")]
    run_id: String,
    /// What the bars were read from.
    #[schema(example = "synthetic, seed 7")]
    source: String,
    /// What is traded.
    #[schema(example = "BTC/USD")]
    symbol: String,
    /// Length of the bars.
    #[schema(example = "1h")]
    timeframe: String,
    /// When they were read.
    #[schema(value_type = String, format = DateTime)]
    collected_at: Timestamp,
    /// Start of the window's first bar.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Close of its last bar.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Start of the hold-out, on which the run's model was judged.
    #[schema(value_type = String, format = DateTime)]
    split: Timestamp,
    /// Bars that the market's calendar expects in the window.
    bars: usize,
    /// Bars before it that feed features.
    history_bars: usize,
    /// SHA-256 of the dataset, lower-case hex.
    sha256: String,
    /// Figures about the window.
    figures: FiguresView,
}

impl From<&EtlRecord> for DataView {
    fn from(record: &EtlRecord) -> Self {
        Self {
            run_id: record.run_id.to_string(),
            source: record.source.clone(),
            symbol: record.symbol.to_string(),
            timeframe: record.timeframe.to_string(),
            collected_at: record.collected_at,
            from: record.window.start(),
            to: record.window.end(),
            split: record.split,
            bars: record.rows,
            history_bars: record.history_rows,
            sha256: record.hash.clone(),
            figures: FiguresView::from(&record.quality.window),
        }
    }
}

/// All that is known of a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataDetailView {
    /// The window.
    #[serde(flatten)]
    window: DataView,
    /// Where bars are missing; none of a window that was read by a version which did not keep it.
    coverage: Option<CoverageView>,
    /// Figures about the whole file as it was read; none of sources without files.
    file: Option<FiguresView>,
    /// Rows of the file that are no bar, the first of them.
    rejected: Vec<RejectedView>,
}

impl From<EtlRecord> for DataDetailView {
    fn from(record: EtlRecord) -> Self {
        let window = DataView::from(&record);
        let file = record.quality.file.as_ref().map(FiguresView::from);
        let rejected = record.quality.file.map(|file| file.rejected_rows).unwrap_or_default();
        Self {
            window,
            coverage: record.coverage.map(CoverageView::from),
            file,
            rejected: rejected.into_iter().map(RejectedView::from).collect(),
        }
    }
}

/// Figures about a stretch of bars.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FiguresView {
    /// Rows that the source gave.
    rows: usize,
    /// Start of the first of them.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_bar: Option<Timestamp>,
    /// Start of the last of them.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_bar: Option<Timestamp>,
    /// Expected bars that are not there and should be.
    missing: usize,
    /// Share of the expected bars that are missing, 0 to 1; of bars made of shorter ones the share of those.
    missing_share: f64,
    /// Missing bars in the longest hole.
    longest_hole_bars: usize,
    /// Expected bars that are not there because nothing traded.
    no_trade: usize,
    /// Bars that the source has changed since they were first learnt.
    revised: usize,
    /// Bars in which nothing traded although they are there.
    zero_volume: usize,
    /// Bars whose four prices are the same.
    flat: usize,
    /// Rows whose start stood in the file before.
    duplicates: usize,
    /// Rows that stand out of the file's order.
    out_of_order: usize,
    /// Rows that are no bar.
    rejected: usize,
    /// Bars left out because they had not closed.
    unfinished: usize,
    /// Bars left out because the market was closed.
    outside_session: usize,
    /// Whether the file's last line has no end, so that its last number may be cut short.
    unterminated_last_line: bool,
    /// Shorter bars that are missing, also inside bars that are there; 0 where they were not made of shorter ones.
    missing_base_bars: usize,
    /// Shorter bars that are expected; 0 where they were not made of shorter ones.
    expected_base_bars: usize,
}

impl From<&QualityFigures> for FiguresView {
    fn from(figures: &QualityFigures) -> Self {
        Self {
            rows: figures.rows,
            first_bar: figures.first_open_time,
            last_bar: figures.last_open_time,
            missing: figures.missing_bars,
            missing_share: figures.missing_share(),
            longest_hole_bars: figures.longest_hole_bars,
            no_trade: figures.no_trade_bars,
            revised: figures.revised_bars,
            zero_volume: figures.zero_volume_bars,
            flat: figures.flat_bars,
            duplicates: figures.duplicates,
            out_of_order: figures.out_of_order_rows,
            rejected: figures.rejected_count,
            unfinished: figures.unfinished_dropped,
            outside_session: figures.outside_session_bars,
            unterminated_last_line: figures.unterminated_last_line,
            missing_base_bars: figures.missing_base_bars,
            expected_base_bars: figures.expected_base_bars,
        }
    }
}

/// Which bars of a window are there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CoverageView {
    /// The window in at most 120 stretches, in order.
    stretches: Vec<StretchView>,
    /// The longest holes, at most 200, in order of time.
    holes: Vec<HoleView>,
    /// All holes, those that are not listed too.
    hole_count: usize,
}

impl From<Coverage> for CoverageView {
    fn from(coverage: Coverage) -> Self {
        let Coverage { stretches, holes, hole_count } = coverage;
        let stretch =
            |CoverageStretch { from, bars, missing, no_trade }| StretchView { from, bars, missing, no_trade };
        let hole = |Hole { from, to, bars }| HoleView { from, to, bars };
        Self {
            stretches: stretches.into_iter().map(stretch).collect(),
            holes: holes.into_iter().map(hole).collect(),
            hole_count,
        }
    }
}

/// A part of a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StretchView {
    /// Start of its first bar.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Bars that are expected in it.
    bars: usize,
    /// How many of them are missing.
    missing: usize,
    /// How many are not there because nothing traded.
    no_trade: usize,
}

/// Missing bars in a row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoleView {
    /// Start of the first missing bar.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Close of the last one.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Missing bars.
    bars: usize,
}

/// A row of a file that is no bar.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedView {
    /// Line in the file, from 1.
    line: u64,
    /// What is wrong with it.
    reason: String,
}

impl From<RejectedRow> for RejectedView {
    fn from(row: RejectedRow) -> Self {
        let RejectedRow { line, reason } = row;
        Self { line, reason }
    }
}
