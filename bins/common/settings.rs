//! Every setting of the product in one table, and where each value came from.
//!
//! Precedence: flag, then environment, then file, then default. A value is a text until [`Settings::get`] parses
//! it, and an error names the origin that it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::failure::Failure;
use crate::secrets::Secrets;
pub use table::SETTINGS;

mod table;

/// Which binary has a flag for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `orchestrate`.
    Orchestrate,
    /// `live-trader`.
    LiveTrader,
}

/// What the person or the script at the other end wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Words and tables and, on a terminal, progress bars.
    Human,
    /// One JSON line per result.
    Json,
    /// Nothing.
    Quiet,
}

impl Output {
    /// The output that the flags `--json` and `--quiet` ask for.
    pub fn choose(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) => Self::Human,
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Where it stands in the file: `section.name`.
    pub key: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Its flag, without dashes; none for settings that only file and environment have.
    pub flag: Option<&'static str>,
    /// What stands for the value in help.
    pub value_name: &'static str,
    /// Its default; none when it is optional or derived from others.
    pub default: Option<&'static str>,
    /// What it means, for help and for `config show`.
    pub help: &'static str,
    /// Whether `live-trader` has it too.
    pub live: bool,
}

const fn setting(
    key: &'static str,
    env: &'static str,
    flag: Option<&'static str>,
    value_name: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { key, env, flag, value_name, default, help, live: false }
}

impl Setting {
    const fn in_both(mut self) -> Self {
        self.live = true;
        self
    }
}

impl Setting {
    const fn live_only(mut self) -> Self {
        self.live = true;
        self
    }

    fn belongs_to(&self, binary: Binary) -> bool {
        match binary {
            Binary::Orchestrate => !self.key.starts_with("live."),
            Binary::LiveTrader => self.live,
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// The record of something that is made again.
    Record(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Record(name) => write!(f, "the record of {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The values of all settings of one binary.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) values: BTreeMap<&'static str, (String, Origin)>,
    pub(crate) pack: toml::Table,
    pub(crate) features: Option<toml::Value>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) secrets: Secrets,
}

/// Largest configuration file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The table of the file that goes to the trainer as it is.
const PACK: &str = "pack";
/// The list of the file that says what policies see of the bars.
const FEATURES: &str = "features";

/// The arguments of `binary` for its settings.
pub fn arguments(command: Command, binary: Binary) -> Command {
    let settings = SETTINGS.iter().filter(|setting| setting.belongs_to(binary));
    let command = command.arg(
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .global(true)
            .help("Settings file, in the form of walkforward.toml [env: WALKFORWARD_CONFIG]"),
    );
    settings.fold(command, |command, setting| match setting.flag {
        Some(flag) => command.arg(argument(setting, flag)),
        None => command,
    })
}

fn argument(setting: &Setting, flag: &'static str) -> Arg {
    let default = setting.default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
    let arg = Arg::new(setting.key)
        .long(flag)
        .value_name(setting.value_name)
        .global(true)
        .allow_hyphen_values(true)
        .action(ArgAction::Set)
        .help(format!("{}{default}", setting.help));
    match setting.value_name {
        "BOOL" => arg.num_args(0..=1).default_missing_value("true").require_equals(true),
        _ => arg,
    }
}

impl Settings {
    /// Collects the settings of `binary` from its arguments, the environment and the file.
    pub fn collect(
        binary: Binary,
        flags: &ArgMatches,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let file = flags
            .get_one::<String>("config")
            .cloned()
            .map(PathBuf::from)
            .or_else(|| environment("WALKFORWARD_CONFIG").map(PathBuf::from));
        let table = file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let FileSettings { values: from_file, pack, features } = split_file(table, file.as_deref())?;
        let mut values = BTreeMap::new();
        for setting in SETTINGS.iter().filter(|setting| setting.belongs_to(binary)) {
            let flag = setting.flag.and_then(|flag| {
                let value = flags.try_get_one::<String>(setting.key).ok().flatten()?;
                Some((value.clone(), Origin::Flag(flag)))
            });
            let from_environment = environment(setting.env)
                .map(|value| text_from(setting.env, value))
                .transpose()?
                .map(|value| (value, Origin::Environment(setting.env)));
            let from_file = || {
                let value = from_file.get(setting.key)?;
                Some((value.clone(), Origin::File(file.clone().unwrap_or_default())))
            };
            let default = || setting.default.map(|value| (value.to_owned(), Origin::Default));
            if let Some(value) = flag.or(from_environment).or_else(from_file).or_else(default) {
                values.insert(setting.key, value);
            }
        }
        let secrets = Secrets::collect(environment)?;
        Ok(Self { values, pack, features, file, secrets })
    }

    /// The value of `key`, if it is set.
    pub fn get<T>(&self, key: &'static str) -> Result<Option<T>, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some((text, origin)) = self.values.get(key) else { return Ok(None) };
        let value = text.trim().parse().map_err(|error: T::Err| {
            Failure::input(format!("{}: '{text}' from {origin} can't be used: {error}", name(key, origin)))
        })?;
        Ok(Some(value))
    }

    /// The value of `key`, which has a default.
    pub fn require<T>(&self, key: &'static str) -> Result<T, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.get(key)?.ok_or_else(|| Failure::input(format!("{key} is not set and has no default")))
    }

    /// A number of `key` inside `range`; NaN and infinity are never inside.
    pub fn number(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f64>, Failure> {
        let Some(value) = self.get::<f64>(key)? else { return Ok(None) };
        if value.is_finite() && range.contains(&value) {
            return Ok(Some(value));
        }
        Err(self.refuse(key, &format!("expected a number from {} to {}", range.start(), range.end())))
    }

    /// An error about the value of `key`.
    pub fn refuse(&self, key: &'static str, expected: &str) -> Failure {
        match self.values.get(key) {
            Some((text, origin)) => Failure::input(format!(
                "{}: '{text}' from {origin} can't be used: {expected}",
                name(key, origin)
            )),
            None => Failure::input(format!("{key} is not set: {expected}")),
        }
    }

    /// Whether somebody set `key`, so that its value is not the default.
    pub fn is_set(&self, key: &'static str) -> bool {
        self.values.get(key).is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// Whether the value of `key` is another than its default, wherever it comes from.
    pub fn is_changed(&self, key: &'static str) -> bool {
        let default = SETTINGS.iter().find(|setting| setting.key == key).and_then(|setting| setting.default);
        self.values.get(key).map(|(text, _)| text.trim()) != default
    }

    /// Whether somebody set `key` in so many words: by a flag, the environment or a record in any case, in a file where it
    /// is another than the default, because a file may list them all.
    pub fn is_explicit(&self, key: &'static str) -> bool {
        match self.values.get(key).map(|(_, origin)| origin) {
            None | Some(Origin::Default) => false,
            Some(Origin::File(_)) => self.is_changed(key),
            Some(Origin::Flag(_) | Origin::Environment(_) | Origin::Record(_)) => true,
        }
    }

    /// These settings with other defaults, by key, where nobody set a value.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &[(&'static str, &str)]) -> Self {
        for (key, value) in defaults {
            if !self.is_set(key) {
                self.values.insert(key, ((*value).to_owned(), Origin::Default));
            }
        }
        self
    }

    /// The file's table `[pack]`, for the trainer.
    pub fn pack(&self) -> &toml::Table {
        &self.pack
    }

    /// The file's list `[[features]]`, if it has one.
    pub fn features(&self) -> Option<&toml::Value> {
        self.features.as_ref()
    }

    /// What stands in the environment alone.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The settings file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every setting of `binary`: key, value, origin; settings without a value say what stands for it.
    pub fn rows(&self, binary: Binary) -> Vec<(&'static str, Option<&str>, &Origin)> {
        let listed = SETTINGS.iter().filter(|setting| setting.belongs_to(binary));
        listed
            .map(|setting| match self.values.get(setting.key) {
                Some((value, origin)) => (setting.key, Some(value.as_str()), origin),
                None => (setting.key, None, &Origin::Default),
            })
            .collect()
    }
}

/// A value that is no text is refused, not passed over: what it was meant to forbid would be allowed.
fn text_from(name: &str, value: OsString) -> Result<String, Failure> {
    value.into_string().map_err(|value| {
        Failure::input(format!("{name}: {} from the environment is not UTF-8", value.to_string_lossy()))
    })
}

/// How a person who set `key` calls it.
fn name(key: &'static str, origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) => format!("--{flag}"),
        Origin::Environment(name) => (*name).to_owned(),
        Origin::File(_) | Origin::Record(_) | Origin::Default => key.to_owned(),
    }
}

fn read_file(path: &Path) -> Result<toml::Table, Failure> {
    let refuse = |problem: &dyn fmt::Display| {
        Failure::input(format!("the settings file {} can't be used: {problem}", path.display()))
    };
    let file = std::fs::metadata(path).map_err(|error| refuse(&error))?;
    if !file.is_file() {
        return Err(refuse(&"it is no regular file"));
    }
    let size = file.len();
    if size > MAX_FILE_BYTES {
        return Err(refuse(&format!("it has {size} bytes, the limit is {MAX_FILE_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    text.parse().map_err(|error: toml::de::Error| refuse(&error))
}

/// What stands in a file.
#[derive(Default)]
struct FileSettings {
    /// By key.
    values: BTreeMap<String, String>,
    pack: toml::Table,
    features: Option<toml::Value>,
}

fn split_file(table: toml::Table, path: Option<&Path>) -> Result<FileSettings, Failure> {
    let path = path.unwrap_or_else(|| Path::new("")).display();
    let mut split = FileSettings::default();
    for (section, content) in table {
        if section == FEATURES {
            split.features = Some(content);
            continue;
        }
        let toml::Value::Table(content) = content else {
            return Err(Failure::input(format!(
                "{path}: '{section}' stands outside a section such as [data]"
            )));
        };
        if section == PACK {
            split.pack = content;
            continue;
        }
        for (name, value) in content {
            let key = format!("{section}.{name}");
            if !SETTINGS.iter().any(|setting| setting.key == key) {
                return Err(Failure::input(format!(
                    "{path}: there is no setting '{key}': `orchestrate config show` lists them{}",
                    nearest(&key)
                )));
            }
            split.values.insert(
                key.clone(),
                text_of(&value).ok_or_else(|| {
                    Failure::input(format!("{path}: '{key}' has to be a text, a number or true/false"))
                })?,
            );
        }
    }
    Ok(split)
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// A setting that was probably meant.
fn nearest(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let similar = SETTINGS.iter().find(|setting| {
        let known = setting.key.rsplit('.').next().unwrap_or(setting.key);
        known == name || known.contains(name) || name.contains(known)
    });
    similar.map(|setting| format!("; did you mean '{}'?", setting.key)).unwrap_or_default()
}
