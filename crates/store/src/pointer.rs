//! Reading pointers, with every check that stands between a file and a model that trades.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use walkforward_core::{LineName, ModelId, ModelRef};
use walkforward_durable::{Error, Step, read_bounded};

use crate::backup::refuse_unfinished_restore;
use crate::layout::{METADATA_FILE, POLICY_FILE, pointer_path};
use crate::models::read_record;
use crate::stamp::Stamp;
use crate::{Champion, ModelRecord, Pointer, PointerProblem, Store, StoreError, sha256_file};

/// Longest `latest.json`, bytes.
pub(crate) const MAX_POINTER_BYTES: u64 = 1 << 20;

impl Store {
    /// The pointer of `line`, checked together with its model; none when the line has no champion. A pointer that
    /// can't be trusted is an error, and stays as it is.
    pub fn pointer(&self, line: &LineName) -> Result<Option<Pointer>, StoreError> {
        Ok(read_pointer(&self.layout.models_dir, line)?.map(|(pointer, _)| pointer))
    }

    /// The champion of `line`; none when the line has none.
    ///
    /// Pointer and record are checked, and an error when they can't be trusted. Weights that are gone or changed are no
    /// error: [`Champion::damage`] names what happened to them, so that a line can get a new champion.
    pub fn champion(&self, line: &LineName) -> Result<Option<Champion>, StoreError> {
        let models_dir = &self.layout.models_dir;
        let Some(pointer) = parse_pointer(models_dir, line)? else {
            return Ok(None);
        };
        let path = pointer_path(models_dir, line);
        let damage = match check_weights(models_dir, &pointer) {
            Ok(()) => None,
            Err(Failure::Problem(problem)) if problem.is_damage() => Some(problem),
            Err(failure) => return Err(failure.into_error(&path)),
        };
        // Where the record does not fit either, the pointer is not to be trusted.
        let record = check_record(models_dir, &pointer).map_err(|failure| match &damage {
            Some(problem) => StoreError::pointer(&path, problem.clone()),
            None => failure.into_error(&path),
        })?;
        self.check_lineage(&record)?;
        let damage = damage.map(|problem| match (&problem, record.weights_removed) {
            (PointerProblem::MissingFile { .. }, Some(removed)) => removed.to_string(),
            _ => problem.to_string(),
        });
        let dir = models_dir.join(pointer.model_id.as_str());
        Ok(Some(Champion::new(pointer, record, dir, damage)))
    }
}

/// Reads a line's pointer without the database.
#[derive(Debug)]
pub struct PointerReader {
    models_dir: PathBuf,
    line: LineName,
    /// The file when it was last looked at; none before the first look.
    seen: Option<Option<Stamp>>,
}

impl PointerReader {
    /// A reader of the pointer of `line` in `models_dir`.
    pub fn new(models_dir: impl Into<PathBuf>, line: LineName) -> Self {
        Self { models_dir: models_dir.into(), line, seen: None }
    }

    /// The pointer's file.
    pub fn path(&self) -> PathBuf {
        pointer_path(&self.models_dir, &self.line)
    }

    /// Where a model of the same models folder lies, whether or not it is there.
    pub fn model_dir(&self, model: &ModelId) -> PathBuf {
        self.models_dir.join(model.as_str())
    }

    /// The pointer and the model that it names, with all checks of [`Store::pointer`]; none when the line has no
    /// champion.
    pub fn read(&self) -> Result<Option<(Pointer, ModelRef)>, StoreError> {
        let Some((pointer, record)) = read_pointer(&self.models_dir, &self.line)? else {
            return Ok(None);
        };
        let dir = self.model_dir(&pointer.model_id);
        let champion = Champion::new(pointer, record, dir, None);
        Ok(Some((champion.pointer, champion.model_ref)))
    }

    /// Whether the file is another one than at the last call; always so at the first. Costs one look at the folder,
    /// reads nothing. Call it before [`read`](Self::read), so that no change is missed.
    pub fn changed(&mut self) -> Result<bool, StoreError> {
        let stamp = Stamp::of(&self.path())?;
        Ok(self.seen.replace(stamp) != Some(stamp))
    }
}

/// The pointer as it stands in its file: its form and its line are checked, its model is not.
pub(crate) fn parse_pointer(models_dir: &Path, line: &LineName) -> Result<Option<Pointer>, StoreError> {
    refuse_unfinished_restore(models_dir)?;
    let path = pointer_path(models_dir, line);
    let bytes = match read_bounded(&path, MAX_POINTER_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let pointer: Pointer = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::pointer(&path, PointerProblem::Malformed(error.to_string())))?;
    if pointer.line != *line {
        return Err(StoreError::pointer(&path, PointerProblem::OtherLine(pointer.line)));
    }
    Ok(Some(pointer))
}

/// The pointer of `line` and the record of its model, every check passed.
fn read_pointer(models_dir: &Path, line: &LineName) -> Result<Option<(Pointer, ModelRecord)>, StoreError> {
    let Some(pointer) = parse_pointer(models_dir, line)? else {
        return Ok(None);
    };
    let checked = check_weights(models_dir, &pointer).and_then(|()| check_record(models_dir, &pointer));
    let record = checked.map_err(|failure| failure.into_error(&pointer_path(models_dir, line)))?;
    Ok(Some((pointer, record)))
}

enum Failure {
    Problem(PointerProblem),
    Other(StoreError),
}

impl Failure {
    fn into_error(self, path: &Path) -> StoreError {
        match self {
            Self::Problem(problem) => StoreError::pointer(path, problem),
            Self::Other(error) => error,
        }
    }
}

impl From<PointerProblem> for Failure {
    fn from(problem: PointerProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error.into())
    }
}

fn check_weights(models_dir: &Path, pointer: &Pointer) -> Result<(), Failure> {
    let weights = check_path(models_dir, pointer, "modelPath", &pointer.model_path, POLICY_FILE)?;
    let actual = sha256_file(&weights)?;
    if actual != pointer.sha256 {
        let (model, expected) = (pointer.model_id.clone(), pointer.sha256.clone());
        return Err(PointerProblem::OtherHash { model, file: weights, expected, actual }.into());
    }
    Ok(())
}

fn check_record(models_dir: &Path, pointer: &Pointer) -> Result<ModelRecord, Failure> {
    check_path(models_dir, pointer, "metadataPath", &pointer.metadata_path, METADATA_FILE)?;
    let other_record = |reason: String| PointerProblem::OtherRecord {
        model: pointer.model_id.clone(),
        file: models_dir.join(&pointer.metadata_path),
        reason,
    };
    let record = match read_record(models_dir, &pointer.model_id) {
        Ok(record) => record,
        Err(StoreError::BadModel { reason, .. }) => return Err(other_record(reason).into()),
        Err(other) => return Err(Failure::Other(other)),
    };
    if record.sha256 != pointer.sha256 {
        return Err(other_record(format!("its sha256 is {}", record.sha256)).into());
    }
    if record.line != pointer.line || record.market() != pointer.market() {
        return Err(
            other_record(format!("it is a {} model of line '{}'", record.market(), record.line)).into()
        );
    }
    Ok(record)
}

/// Where a path of the pointer leads, refused when it is not the named file of its model in the models folder.
fn check_path(
    models_dir: &Path,
    pointer: &Pointer,
    key: &'static str,
    path: &str,
    file: &str,
) -> Result<PathBuf, Failure> {
    let outside = || PointerProblem::OutsideModels { key, path: path.to_owned() };
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(outside().into());
    }
    let expected = format!("{}/{file}", pointer.model_id);
    if path != expected {
        return Err(PointerProblem::OtherPath { key, path: path.to_owned(), expected }.into());
    }
    let full = models_dir.join(path);
    let real = |path: &Path| match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let model = pointer.model_id.clone();
            Err(Failure::from(PointerProblem::MissingFile { model, file: full.clone() }))
        }
        Err(source) => Err(Error::Io { step: Step::Read, path: path.to_owned(), source }.into()),
    };
    if !real(&full)?.starts_with(real(models_dir)?) {
        return Err(outside().into());
    }
    Ok(full)
}
