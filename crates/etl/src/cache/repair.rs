//! Setting damaged files aside and going on with the others.

use std::path::{Path, PathBuf};

use walkforward_core::Timestamp;
use walkforward_durable::{Step, read_bounded};

use super::key::CacheKey;
use super::manifest::{self, Manifest, ReadError};
use super::segment::{MAX_SEGMENT_BYTES, Segment, SegmentMeta, Unusable, parse_file_name, read_segment};
use super::spans::all_time;
use super::store::{BarCache, READ_ATTEMPTS, segment_names, unusable_error};
use crate::Error;

/// Files of one name that are kept aside.
const MAX_SET_ASIDE: u32 = 1_000;

impl BarCache {
    /// Checks every file of `key`, renames those that are damaged or another's, and lists the others anew. Returns the
    /// new names; what the files covered is asked for again.
    ///
    /// # Errors
    /// When a file can't be read or renamed, or was written by a later program.
    pub fn repair(&self, key: &CacheKey, now: Timestamp) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder(key);
        let _lock = self.lock(&folder, now)?;
        let mut set_aside = Vec::new();
        let manifest_path = folder.join(manifest::FILE_NAME);
        let listed = match Manifest::read(&folder, key) {
            Ok(manifest) => manifest,
            Err(ReadError::Unusable(Unusable::Damaged(_))) => {
                set_aside.push(self.set_aside(&manifest_path, "damaged")?);
                None
            }
            Err(ReadError::Unusable(newer)) => return Err(unusable_error(manifest_path, newer)),
            Err(ReadError::Other(error)) => return Err(error),
        };
        let whole = self.whole_segments(&folder, key, listed.as_ref(), &mut set_aside)?;
        if let Some(manifest) = rebuilt(key, listed, whole) {
            self.files().write_json_atomic(&manifest_path, &manifest)?;
        }
        Ok(set_aside)
    }

    /// Checks every file of `key` and changes none: what is wrong with each that is damaged or another's.
    ///
    /// # Errors
    /// When a file can't be read or was written by a later program.
    pub fn verify(&self, key: &CacheKey) -> Result<Vec<Error>, Error> {
        let manifest = match self.manifest(key) {
            Err(damaged @ Error::CacheDamaged { .. }) => return Ok(vec![damaged]),
            manifest => manifest?,
        };
        self.verify_listed(key, manifest)
    }

    /// What is wrong with the segments of `manifest`, or of a newer one where a writer has merged some meanwhile.
    fn verify_listed(&self, key: &CacheKey, manifest: Option<Manifest>) -> Result<Vec<Error>, Error> {
        let (mut manifest, mut damaged) = (manifest, Vec::new());
        for attempt in 1.. {
            damaged = self.damaged(key, manifest.as_ref())?;
            let is_gone = |error: &Error| matches!(error, Error::CacheDamaged { path, .. } if !path.exists());
            if attempt == READ_ATTEMPTS || !damaged.iter().any(is_gone) {
                break;
            }
            let newest = self.manifest(key)?;
            if newest == manifest {
                break;
            }
            manifest = newest;
        }
        Ok(damaged)
    }

    fn damaged(&self, key: &CacheKey, manifest: Option<&Manifest>) -> Result<Vec<Error>, Error> {
        let mut damaged = Vec::new();
        for listed in manifest.into_iter().flat_map(|manifest| &manifest.segments) {
            let name = listed.file_name();
            let path = self.folder(key).join(&name);
            match read_whole(&path, &name, key) {
                Ok(Ok(_)) => {}
                Ok(Err(unusable)) => damaged.push(unusable_error(path, unusable)),
                Err(Error::Durable(error)) if error.is_not_found() => {
                    damaged.push(Error::CacheDamaged { path, reason: "it is not there".to_owned() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(damaged)
    }

    /// The segments that can be used, oldest first; the others are set aside. With a manifest those it doesn't list are
    /// left alone: nothing that was committed is in them alone.
    fn whole_segments(
        &self,
        folder: &Path,
        key: &CacheKey,
        listed: Option<&Manifest>,
        set_aside: &mut Vec<PathBuf>,
    ) -> Result<Vec<(SegmentMeta, Segment)>, Error> {
        let is_listed = |name: &String| {
            listed.is_none_or(|manifest| manifest.segments.iter().any(|segment| segment.file_name() == *name))
        };
        let mut names: Vec<String> = segment_names(folder)?.filter(is_listed).collect();
        names.sort();
        let mut whole = Vec::new();
        for name in names {
            let path = folder.join(&name);
            match read_whole(&path, &name, key)? {
                Ok(segment) => whole.push(segment),
                Err(Unusable::Damaged(_)) => set_aside.push(self.set_aside(&path, "damaged")?),
                Err(newer) => return Err(unusable_error(path, newer)),
            }
        }
        Ok(whole)
    }

    /// Renames `path` to its name with `why` and a number behind.
    pub(super) fn set_aside(&self, path: &Path, why: &str) -> Result<PathBuf, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let free = (1..=MAX_SET_ASIDE)
            .map(|number| path.with_file_name(format!("{name}.{why}-{number}")))
            .find(|candidate| !candidate.exists());
        let to = free.ok_or_else(|| Error::CacheDamaged {
            path: path.to_owned(),
            reason: format!("{MAX_SET_ASIDE} {why} files of this name are kept already: remove some"),
        })?;
        self.files().before(Step::Rename, &to)?;
        std::fs::rename(path, &to).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        self.files().sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(to)
    }
}

fn read_whole(
    path: &Path,
    name: &str,
    key: &CacheKey,
) -> Result<Result<(SegmentMeta, Segment), Unusable>, Error> {
    let bytes = match read_bounded(path, MAX_SEGMENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error @ walkforward_durable::Error::TooLarge { .. }) => {
            return Ok(Err(Unusable::Damaged(error.to_string())));
        }
        Err(error) => return Err(error.into()),
    };
    let (number, hash) = parse_file_name(name).unwrap_or_default();
    Ok(match read_segment(bytes, hash, key, all_time()) {
        Ok((meta, _)) if meta.number != number => {
            Err(Unusable::Damaged(format!("its footer says that it is segment {}", meta.number)))
        }
        Ok((meta, rows)) => {
            let segment = Segment::of(&meta, &rows, hash);
            Ok((meta, segment))
        }
        Err(unusable) => Err(unusable),
    })
}

/// The manifest of the segments that are whole and not part of another; none without any.
fn rebuilt(key: &CacheKey, listed: Option<Manifest>, whole: Vec<(SegmentMeta, Segment)>) -> Option<Manifest> {
    let newest = whole.last().map(|(meta, _)| meta.note.clone());
    let mut manifest = listed.or_else(|| Some(Manifest::new(key.clone(), newest?)))?;
    let numbers = whole.iter().map(|(meta, _)| meta.number + 1);
    manifest.next_number = numbers.max().unwrap_or(1).max(manifest.next_number);
    let segments: Vec<Segment> = whole.into_iter().map(|(_, segment)| segment).collect();
    let is_merged = |segment: &Segment| segments.iter().any(|other| other.has_merged(segment.number));
    manifest.segments = segments.iter().filter(|segment| !is_merged(segment)).cloned().collect();
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use walkforward_core::{AbsentMeans, Bar, BarSeries, Timeframe, Window};

    use super::*;
    use crate::cache::segment::SourceNote;
    use crate::cache::store::{Learned, State};

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    fn learn(cache: &BarCache, key: &CacheKey, from: i64, to: i64) {
        let mut bars = BarSeries::new(Timeframe::MINUTE);
        (from..to).for_each(|minute| bars.push(Bar::flat(at(minute), 1.0).unwrap()).unwrap());
        let span = Window::new(at(from), at(to)).unwrap();
        let note = SourceNote { origin: "test".to_owned(), absent: AbsentMeans::Missing };
        let learned = Learned { bars: &bars, span, at: at(to), note: &note };
        cache.commit(key, State::default(), span, &learned).unwrap();
    }

    #[test]
    fn a_segment_that_a_writer_merges_during_a_check_is_not_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BarCache::new(dir.path());
        let key = CacheKey::new("test", "BTC/USD".parse().unwrap(), Timeframe::MINUTE).unwrap();
        learn(&cache, &key, 0, 10);
        let before = cache.manifest(&key).unwrap();
        learn(&cache, &key, 10, 20);
        assert_ne!(cache.manifest(&key).unwrap(), before);
        assert!(cache.verify_listed(&key, before).unwrap().is_empty());
        let listed = cache.manifest(&key).unwrap().unwrap().segments[0].file_name();
        std::fs::remove_file(cache.folder(&key).join(listed)).unwrap();
        let damaged = cache.verify(&key).unwrap();
        assert_eq!(damaged.len(), 1);
        assert!(damaged[0].to_string().contains("it is not there"), "{}", damaged[0]);
    }
}
