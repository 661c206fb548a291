//! The fingerprint of a dataset.

use sha2::{Digest, Sha256};
use walkforward_core::{AbsentMeans, Dataset, GapKind, MarketCalendar, Window};

/// Set apart from every other use of SHA-256; changes with the layout below.
const DOMAIN: &str = "walkforward dataset 2";

/// SHA-256, in lower-case hex, over what a model can learn from in `dataset`: timeframe, bars, gap kinds, window,
/// split, embargo, feature specification, what an absent bar means, and the market's sessions as far as the bars
/// reach. Numbers are little-endian, lists and texts begin with their length; the field `hash` itself, the origin, the
/// symbol and the quality report don't enter.
///
/// # Errors
/// When the feature specification can't be written as JSON.
pub fn dataset_hash(dataset: &Dataset) -> Result<String, serde_json::Error> {
    let mut hash = Sha256::new();
    text(&mut hash, DOMAIN.as_bytes());
    let bars = &dataset.bars;
    hash.update(bars.timeframe().minutes().to_le_bytes());
    length(&mut hash, bars.len());
    bars.open_times().iter().for_each(|time| hash.update(time.as_millis().to_le_bytes()));
    for column in [bars.opens(), bars.highs(), bars.lows(), bars.closes(), bars.volumes()] {
        column.iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
    length(&mut hash, dataset.gap_kinds.len());
    for kind in &dataset.gap_kinds {
        hash.update([match kind {
            GapKind::Present => 0_u8,
            GapKind::Missing => 1,
            GapKind::NoTrade => 2,
            GapKind::Revised => 3,
        }]);
    }
    for time in [dataset.window.start(), dataset.window.end(), dataset.split] {
        hash.update(time.as_millis().to_le_bytes());
    }
    length(&mut hash, dataset.embargo_bars);
    text(&mut hash, &serde_json::to_vec(&dataset.feature_spec)?);
    convention(&mut hash, dataset);
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What makes an absent bar missing: the source's convention and the sessions.
fn convention(hash: &mut Sha256, dataset: &Dataset) {
    let absent = match dataset.absent {
        AbsentMeans::Missing => 0_u8,
        AbsentMeans::NoTrade => 1,
    };
    hash.update([absent, u8::from(dataset.calendar != MarketCalendar::Continuous)]);
    let first = dataset.bars.first_open_time().unwrap_or(dataset.window.start());
    let sessions = Window::new(first, dataset.window.end());
    let sessions = sessions.map_or(&[][..], |span| dataset.calendar.sessions_in(span));
    length(hash, sessions.len());
    for session in sessions {
        hash.update(session.start().as_millis().to_le_bytes());
        hash.update(session.end().as_millis().to_le_bytes());
    }
}

fn text(hash: &mut Sha256, bytes: &[u8]) {
    length(hash, bytes.len());
    hash.update(bytes);
}

fn length(hash: &mut Sha256, length: usize) {
    hash.update((length as u64).to_le_bytes());
}
