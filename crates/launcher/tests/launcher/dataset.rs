//! What is written is what is read.

use std::path::Path;

use proptest::prelude::*;
use walkforward_core::{
    AbsentMeans, Dataset, FeatureKind, FeatureSpec, GapKind, MarketCalendar, QualityFigures, SessionCalendar,
};
use walkforward_durable::Files;
use walkforward_engine::feature_matrix;
use walkforward_launcher::{
    BARS_FILE, DATASET_FILE, Error, FEATURES_FILE, JobFile, read_dataset, read_features, write_dataset,
};

use crate::support::dataset;

fn bits(dataset: &Dataset) -> Vec<u64> {
    let bars = &dataset.bars;
    let columns = [bars.opens(), bars.highs(), bars.lows(), bars.closes(), bars.volumes()];
    columns.iter().flat_map(|column| column.iter().map(|it| it.to_bits())).collect()
}

fn gap_kind() -> impl Strategy<Value = GapKind> {
    prop::sample::select(vec![GapKind::Present, GapKind::NoTrade, GapKind::Missing, GapKind::Revised])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_dataset_reads_back_bit_for_bit(
        rows in prop::collection::vec((1e-6_f64..1e9, gap_kind()), 8..80),
        embargo_bars in 0_usize..2,
        has_sessions in any::<bool>(),
        share in prop::num::f64::NORMAL,
    ) {
        let (closes, gap_kinds): (Vec<f64>, Vec<GapKind>) = rows.into_iter().unzip();
        let mut written = Dataset { gap_kinds, embargo_bars, ..dataset(&closes) };
        written.absent = if has_sessions { AbsentMeans::NoTrade } else { AbsentMeans::Missing };
        if has_sessions {
            written.calendar = MarketCalendar::Sessions(SessionCalendar::new(vec![written.window]).unwrap());
        }
        written.quality.file = Some(QualityFigures { rows: 3, ..QualityFigures::default() });
        written.feature_spec = FeatureSpec::new(vec![
            FeatureKind::Returns { periods: vec![1, 3] },
            FeatureKind::BollingerPosition { period: 3, deviations: share.abs().clamp(1e-3, 99.0) },
        ]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let sha256 = write_dataset(&Files::default(), dir.path(), &written).unwrap();
        let (read, shape) = read_dataset(dir.path(), &sha256).unwrap();
        prop_assert_eq!(bits(&read), bits(&written));
        prop_assert_eq!(&read, &written);
        let features = read_features(dir.path(), &shape).unwrap();
        let expected = feature_matrix(&written.feature_spec, &written.bars).unwrap();
        prop_assert_eq!(&shape.columns, &written.feature_spec.columns());
        prop_assert_eq!(features, expected);
    }
}

fn written(dir: &Path) -> String {
    let closes: Vec<f64> = (0..20).map(f64::from).map(|bar| 100.0 + bar).collect();
    write_dataset(&Files::default(), dir, &dataset(&closes)).unwrap()
}

#[test]
fn a_file_that_was_changed_is_refused_by_name() {
    for (name, is_features) in [(DATASET_FILE, false), (BARS_FILE, false), (FEATURES_FILE, true)] {
        let dir = tempfile::tempdir().unwrap();
        let sha256 = written(dir.path());
        let (_, shape) = read_dataset(dir.path(), &sha256).unwrap();
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let last_digit = bytes.iter().rposition(|it| is_features || it.is_ascii_digit()).unwrap();
        bytes[last_digit] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = match is_features {
            true => read_features(dir.path(), &shape).unwrap_err(),
            false => read_dataset(dir.path(), &sha256).unwrap_err(),
        };
        assert!(matches!(error, Error::Hash { .. }) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn features_of_another_length_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let sha256 = written(dir.path());
    let (_, shape) = read_dataset(dir.path(), &sha256).unwrap();
    let path = dir.path().join(FEATURES_FILE);
    let bytes = std::fs::read(&path).unwrap();
    for changed in [bytes[..bytes.len() - 1].to_vec(), [&bytes[..], &[0]].concat()] {
        std::fs::write(&path, changed).unwrap();
        let error = read_features(dir.path(), &shape).unwrap_err().to_string();
        assert!(error.contains("bytes, as dataset.json says"), "{error}");
    }
}

#[test]
fn a_job_of_another_version_or_of_no_form_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("job.json");
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        JobFile::read(&path).unwrap_err()
    };
    let error = refused(r#"{"protocol": 2}"#);
    assert!(matches!(error, Error::Protocol { found: 2, .. }), "{error}");
    assert!(error.to_string().contains("version 2") && error.to_string().contains("expected 1"), "{error}");
    for (text, expected) in
        [("", "a job in JSON"), ("{}", "a protocol version"), (r#"{"protocol": 1}"#, "missing field")]
    {
        let error = refused(text).to_string();
        assert!(error.contains(expected) && error.contains("job.json"), "{error}");
    }
    assert!(JobFile::read(&dir.path().join("absent.json")).is_err());
}
