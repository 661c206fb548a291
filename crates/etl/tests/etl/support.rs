//! Files and requests for tests.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use walkforward_core::{BarRequest, SourceBars};
use walkforward_etl::{CsvOptions, CsvSource, Error};

/// A file in a folder of its own, gone when the value is.
pub(crate) struct BarFile {
    _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl BarFile {
    pub(crate) fn new(content: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.csv");
        std::fs::write(&path, content).unwrap();
        Self { _dir: dir, path }
    }

    pub(crate) fn gzip(content: impl AsRef<[u8]>) -> Self {
        Self::new(gzip(content))
    }

    pub(crate) fn read(&self, options: CsvOptions) -> Result<SourceBars, Error> {
        CsvSource::new(&self.path, options).read(&request("BTC/USD"))
    }
}

pub(crate) fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A request for every bar.
pub(crate) fn request(symbol: &str) -> BarRequest {
    BarRequest::new(symbol.parse().unwrap(), usize::MAX)
}

pub(crate) fn columns(text: &str) -> CsvOptions {
    CsvOptions { columns: Some(text.parse().unwrap()), ..CsvOptions::default() }
}

/// A header and one good row for each hour of 2024-01-01 that is named.
pub(crate) fn hours(hours: &[u32]) -> String {
    let rows = hours.iter().map(|hour| format!("2024-01-01 {hour:02}:00:00,10,12,9,11,{hour}.5\n"));
    format!("date,open,high,low,close,volume\n{}", rows.collect::<String>())
}
