//! The fingerprint of a dataset.

use sha2::{Digest, Sha256};
use walkforward_core::{Dataset, GapKind};

/// Set apart from every other use of SHA-256; changes with the layout below.
const DOMAIN: &str = "walkforward dataset 1";

/// SHA-256, in lower-case hex, over what a model can learn from in `dataset`: timeframe, bars, gap kinds, window,
/// split and feature specification. Numbers are little-endian, lists and texts begin with their length; the field
/// `hash` itself, the origin, the symbol and the quality report don't enter.
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
        }]);
    }
    for time in [dataset.window.start(), dataset.window.end(), dataset.split] {
        hash.update(time.as_millis().to_le_bytes());
    }
    text(&mut hash, &serde_json::to_vec(&dataset.feature_spec)?);
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(hash: &mut Sha256, bytes: &[u8]) {
    length(hash, bytes.len());
    hash.update(bytes);
}

fn length(hash: &mut Sha256, length: usize) {
    hash.update((length as u64).to_le_bytes());
}
