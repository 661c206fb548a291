//! The folder of a cache: reading one state, adding to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use walkforward_core::{AbsentMeans, BarSeries, Timestamp, Window};
use walkforward_durable::{FileLock, Files, Step, read_bounded};

use super::key::CacheKey;
use super::manifest::{self, MAX_SEGMENTS, Manifest, ReadError};
use super::segment::{
    FORMAT, MAX_SEGMENT_BYTES, Segment, SegmentMeta, SourceNote, Unusable, encode_segment, parse_file_name,
    read_segment,
};
use super::spans::{Spans, all_time};
use super::versions::{Known, Versions, Which};
use crate::Error;
use crate::parquet::codec::MAX_ROWS;

/// How often a reader looks again after a writer has merged the segment that it was about to read.
pub(super) const READ_ATTEMPTS: usize = 16;
/// A segment with fewer rows is merged into the next one whatever that one's size.
const SMALL_SEGMENT_ROWS: usize = 2_048;
const LOCK_NAME: &str = "lock";
/// How long a writer waits for another one; a write takes well under a second.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// Bars in a folder, by source, symbol and timeframe. Clones and other processes may use the same folder.
#[derive(Debug, Clone)]
pub struct BarCache {
    root: PathBuf,
    files: Files,
}

/// What a cache holds of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheSummary {
    /// Rows, those of older versions too.
    pub rows: usize,
    /// Files.
    pub segments: usize,
    /// Starts of bars that were asked for: what is absent in them is absent at the source.
    pub covered: Vec<Window>,
    /// When the newest row was learnt.
    pub learnt_until: Option<Timestamp>,
}

/// One state of a cache, as far as a window needs it.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    manifest: Option<Manifest>,
    rows: Versions,
}

/// An answer of the source, to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learned<'a> {
    pub(crate) bars: &'a BarSeries,
    /// The starts of bars that were asked for. Those after the newest known bar stay unknown: the source may have them
    /// later.
    pub(crate) span: Window,
    pub(crate) at: Timestamp,
    pub(crate) note: &'a SourceNote,
}

impl State {
    pub(crate) fn covered(&self) -> Spans {
        self.manifest.as_ref().map(Manifest::covered).unwrap_or_default()
    }

    pub(crate) fn note(&self) -> Option<&SourceNote> {
        self.manifest.as_ref().map(|manifest| &manifest.note)
    }

    /// Start of the first bar at or after `time`.
    pub(crate) fn first_start(&self, time: Timestamp) -> Option<Timestamp> {
        let starts = self.rows.starts();
        starts.get(starts.partition_point(|&start| start < time)).copied()
    }

    pub(crate) fn known(self, key: &CacheKey, which: Which) -> Result<Known, Error> {
        let known = self.rows.known(key.timeframe(), which);
        known.map_err(|error| Error::Cache { what: key.to_string(), reason: error.to_string() })
    }
}

impl Learned<'_> {
    /// The part of the span in which an absent bar is absent for good: up to the newest bar that is known, from this
    /// answer or from one before.
    fn settled(&self, covered: &Spans) -> Option<Window> {
        let before = covered.as_slice().last().map(|known| known.end());
        let newest = before.max(self.bars.last_close_time())?;
        Window::new(self.span.start(), self.span.end().min(newest)).ok()
    }
}

impl BarCache {
    /// The cache in `root`; the folder is made at the first write.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), files: Files::default() }
    }

    /// The cache, writing through `files`: tests hand in failures.
    pub fn with_files(self, files: Files) -> Self {
        Self { files, ..self }
    }

    /// What is there of `key`, without reading its bars.
    ///
    /// # Errors
    /// When the manifest can't be read or was written by a later program.
    pub fn summary(&self, key: &CacheKey) -> Result<CacheSummary, Error> {
        let manifest = self.manifest(key)?;
        let covered = manifest.as_ref().map(Manifest::covered).unwrap_or_default();
        Ok(CacheSummary {
            rows: manifest.as_ref().map_or(0, Manifest::rows),
            segments: manifest.as_ref().map_or(0, |manifest| manifest.segments.len()),
            covered: covered.into(),
            learnt_until: manifest.as_ref().and_then(Manifest::learnt_until),
        })
    }

    /// The bars that start in `window`, as they were known at `known_at`: what an ETL of that time had before it.
    ///
    /// # Errors
    /// When a file is damaged or was written by a later program.
    pub fn bars_as_known_at(
        &self,
        key: &CacheKey,
        window: Window,
        known_at: Timestamp,
    ) -> Result<BarSeries, Error> {
        let state = self.load(key, window)?;
        Ok(state.known(key, Which::KnownAt(known_at))?.bars.within(window))
    }

    /// What an absent bar of `key` means, as the source has said; `None` without bars.
    ///
    /// # Errors
    /// As [`summary`](Self::summary).
    pub fn absent(&self, key: &CacheKey) -> Result<Option<AbsentMeans>, Error> {
        Ok(self.manifest(key)?.map(|manifest| manifest.note.absent))
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn folder(&self, key: &CacheKey) -> PathBuf {
        key.folder(&self.root)
    }

    pub(super) fn lock(&self, folder: &Path, at: Timestamp) -> Result<FileLock, Error> {
        self.files.create_dir_all_durable(folder)?;
        self.files.before(Step::Lock, folder)?;
        Ok(FileLock::exclusive_within(&folder.join(LOCK_NAME), at.as_millis(), LOCK_WAIT)?)
    }

    pub(super) fn manifest(&self, key: &CacheKey) -> Result<Option<Manifest>, Error> {
        let folder = self.folder(key);
        let path = || folder.join(manifest::FILE_NAME);
        match Manifest::read(&folder, key) {
            Ok(None) if segment_names(&folder)?.next().is_some() => {
                let reason = "there are segments and no manifest that lists them".to_owned();
                Err(Error::CacheDamaged { path: path(), reason })
            }
            Ok(manifest) => Ok(manifest),
            Err(ReadError::Unusable(unusable)) => Err(unusable_error(path(), unusable)),
            Err(ReadError::Other(error)) => Err(error),
        }
    }

    /// The rows that start in `window`, and perhaps some around them.
    pub(crate) fn load(&self, key: &CacheKey, window: Window) -> Result<State, Error> {
        let folder = self.folder(key);
        let mut attempt = 0;
        'again: loop {
            attempt += 1;
            let Some(manifest) = self.manifest(key)? else { return Ok(State::default()) };
            let mut rows = Versions::default();
            let overlaps = |bars: &Window| bars.start() < window.end() && bars.end() > window.start();
            for segment in
                manifest.segments.iter().filter(|segment| segment.bars.as_ref().is_some_and(overlaps))
            {
                match read_rows(&folder, segment, key, window) {
                    Ok(read) => rows.merge(read),
                    Err(error) if is_not_found(&error) && attempt < READ_ATTEMPTS => continue 'again,
                    Err(error) if is_not_found(&error) => {
                        let (path, reason) = (folder.join(segment.file_name()), "it is not there".to_owned());
                        return Err(Error::CacheDamaged { path, reason });
                    }
                    Err(error) => return Err(error),
                }
            }
            return Ok(State { manifest: Some(manifest), rows });
        }
    }

    /// Adds what a source has said to `state`, which was loaded for `window`.
    pub(crate) fn commit(
        &self,
        key: &CacheKey,
        state: State,
        window: Window,
        learned: &Learned<'_>,
    ) -> Result<State, Error> {
        let folder = self.folder(key);
        let _lock = self.lock(&folder, learned.at)?;
        // Another process may have refreshed since the state was read.
        let manifest = self.manifest(key)?;
        let State { manifest: seen, mut rows } =
            if manifest == state.manifest { state } else { self.load(key, window)? };
        let mut manifest = seen.unwrap_or_else(|| Manifest::new(key.clone(), learned.note.clone()));
        manifest.note = learned.note.clone();
        let news = rows.news(learned.bars, learned.at);
        let covered = manifest.covered();
        let span = learned.settled(&covered);
        if news.len() > 0 || span.is_some_and(|span| !covered.missing_from(span).is_empty()) {
            self.write(&folder, &mut manifest, news.clone(), span, learned.at)?;
        }
        rows.merge(news);
        Ok(State { manifest: Some(manifest), rows })
    }

    /// Writes a segment of `news` and of the small segments before it, then the manifest that names it.
    fn write(
        &self,
        folder: &Path,
        manifest: &mut Manifest,
        news: Versions,
        span: Option<Window>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let key = manifest.key.clone();
        let number = manifest.next_number;
        let (mut first_number, mut spans) = (number, Spans::default());
        let (mut pieces, mut count) = (vec![], news.len());
        span.into_iter().for_each(|span| spans.add(span));
        while let Some(last) = manifest.segments.last() {
            let is_small = last.rows <= 2 * count.max(SMALL_SEGMENT_ROWS / 2);
            if !is_small && manifest.segments.len() < MAX_SEGMENTS {
                break;
            }
            pieces.push(read_rows(folder, last, &key, all_time())?);
            first_number = last.first_number;
            spans.extend(&last.spans);
            count += last.rows;
            manifest.segments.pop();
        }
        if manifest.rows().saturating_add(count) > MAX_ROWS {
            let (asked, limit) = (manifest.rows().saturating_add(count) as u64, MAX_ROWS as u64);
            return Err(Error::TooManyBars { what: "the number of rows in the cache", asked, limit });
        }
        let mut rows = pieces.pop().unwrap_or_default();
        pieces.into_iter().rev().chain([news]).for_each(|newer| rows.merge(newer));
        let note = manifest.note.clone();
        let learnt_until = rows.learnt_until().map_or(at, |until| until.max(at));
        let meta = SegmentMeta { format: FORMAT, key, note, number, first_number, spans, learnt_until };
        let (bytes, segment) = encode_segment(&meta, &rows)?;
        self.files.write_atomic(&folder.join(segment.file_name()), &bytes)?;
        manifest.next_number = number + 1;
        manifest.segments.push(segment);
        self.files.write_json_atomic(&folder.join(manifest::FILE_NAME), manifest)?;
        self.remove_unlisted(folder, manifest);
        Ok(())
    }

    /// Removes segments that were merged into listed ones, and what killed writers have left. A segment that no listed
    /// one has merged may hold what an older manifest, put back from a backup, doesn't know: it is renamed. What can't
    /// be done now is done by the next writer.
    fn remove_unlisted(&self, folder: &Path, manifest: &Manifest) {
        let _ = self.files.remove_stale_temporaries(folder);
        let Ok(names) = segment_names(folder) else { return };
        let is_listed = |name: &String| manifest.segments.iter().any(|segment| segment.file_name() == *name);
        for name in names.filter(|name| !is_listed(name)) {
            let path = folder.join(&name);
            let number = parse_file_name(&name).map(|(number, _)| number);
            let _ = match number.is_some_and(|number| manifest.has_merged(number)) {
                true => self.remove(&path),
                false => self.set_aside(&path, "unlisted").map(drop),
            };
        }
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        self.files.before(Step::Remove, path)?;
        std::fs::remove_file(path).map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

fn read_rows(folder: &Path, segment: &Segment, key: &CacheKey, window: Window) -> Result<Versions, Error> {
    let path = folder.join(segment.file_name());
    let bytes = read_bounded(&path, MAX_SEGMENT_BYTES)?;
    let read = read_segment(bytes, &segment.hash, key, window);
    read.map(|(_, rows)| rows).map_err(|unusable| unusable_error(path, unusable))
}

pub(super) fn unusable_error(path: PathBuf, unusable: Unusable) -> Error {
    match unusable {
        Unusable::Damaged(reason) => Error::CacheDamaged { path, reason },
        Unusable::Newer(found) => Error::CacheNewer { path, found, known: FORMAT },
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Durable(error) if error.is_not_found())
}

/// Names of the files in `folder` that are named as segments are; none without the folder.
pub(super) fn segment_names(folder: &Path) -> Result<impl Iterator<Item = String> + use<>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::Io { path: folder.to_owned(), source }),
    };
    let names = entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| parse_file_name(name).is_some()))
}
