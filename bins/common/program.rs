//! A training program of one's own: where it lies, and the folder in which it runs.
//!
//! Its words mean what they meant where the command was given: the folder is recorded with them, and the program runs
//! in it, whatever folder a server is started in. A program with a folder in its name, or one that is found in the
//! command's folder alone, is recorded by its whole path; a bare name stays one, and is looked up in `PATH` each time.

use std::path::{Path, PathBuf};

use walkforward_launcher::check_program;

use crate::failure::Failure;
use crate::settings::Settings;

/// The setting with the program and its arguments.
pub(crate) const COMMAND: &str = "training.command";
/// The setting with the folder in which it runs.
pub(crate) const FOLDER: &str = "training.command_dir";

/// A program with its arguments and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserProgram {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Where it runs; absolute.
    pub folder: PathBuf,
}

impl UserProgram {
    /// The program that is set; none when there is none.
    ///
    /// # Errors
    /// The words are no list, or there is no such folder.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, Failure> {
        let words = words(settings)?;
        let Some((program, arguments)) = words.split_first() else { return Ok(None) };
        let folder = settings.get::<PathBuf>(FOLDER)?.unwrap_or_else(|| PathBuf::from("."));
        let folder = std::path::absolute(&folder).ok().filter(|folder| folder.is_dir());
        let folder = folder.ok_or_else(|| settings.refuse(FOLDER, "there is no folder of this name"))?;
        let program = whole_path(program, &folder).unwrap_or_else(|| program.clone());
        let words = std::iter::once(program).chain(arguments.iter().cloned()).collect();
        Ok(Some(Self { words, folder }))
    }

    /// Refuses a program that is not there now.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let program = self.words.first().map(String::as_str).unwrap_or_default();
        if is_bare(program) {
            return match in_path(program) {
                true => Ok(()),
                false => Err(Failure::input(format!(
                    "{COMMAND}: there is no program '{program}' in PATH, nor in '{}'",
                    self.folder.display()
                ))),
            };
        }
        check_program(Path::new(program)).map_err(|error| Failure::input(format!("{COMMAND}: {error}")))
    }

    /// The settings that mean the same in any folder.
    ///
    /// # Errors
    /// The folder's name is no text.
    pub(crate) fn pinned(&self) -> Result<[(&'static str, String); 2], Failure> {
        let folder = self.folder.to_str().ok_or_else(|| {
            Failure::input(format!("{FOLDER}: the name of '{}' is not UTF-8", self.folder.display()))
        })?;
        let words = serde_json::to_string(&self.words).map_err(|error| Failure::stage(error.to_string()))?;
        Ok([(COMMAND, words), (FOLDER, folder.to_owned())])
    }
}

/// The command's words: a JSON list of texts, or a text that is cut at its spaces.
fn words(settings: &Settings) -> Result<Vec<String>, Failure> {
    words_of(settings, COMMAND)
}

/// The words of the command that the setting `key` holds: a JSON list of texts, or a text that is cut at its spaces.
pub(crate) fn words_of(settings: &Settings, key: &'static str) -> Result<Vec<String>, Failure> {
    let text: String = settings.get(key)?.unwrap_or_default();
    if !text.trim_start().starts_with('[') {
        return Ok(text.split_whitespace().map(str::to_owned).collect());
    }
    serde_json::from_str(&text).map_err(|error| {
        let problem =
            format!("expected words, or a JSON list such as [\"python3\", \"my trainer.py\"]: {error}");
        settings.refuse(key, &problem)
    })
}

/// The path of a program that is named by one, or that lies in `folder` and nowhere in `PATH`.
fn whole_path(program: &str, folder: &Path) -> Option<String> {
    let path = folder.join(program);
    let is_named_by_path = !is_bare(program);
    let is_beside = || check_program(&path).is_ok() && !in_path(program);
    // Both parts come from texts, but for a folder that is none; that is refused where it is kept.
    (is_named_by_path || is_beside()).then(|| path.to_str().map(str::to_owned)).flatten()
}

/// Whether `program` is a name without a folder.
fn is_bare(program: &str) -> bool {
    !program.contains('/')
}

/// Whether `program` is found as the system finds programs.
#[expect(clippy::disallowed_methods, reason = "where programs lie is not a setting of this product")]
fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| check_program(&folder.join(program)).is_ok())
}
