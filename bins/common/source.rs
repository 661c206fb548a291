//! Where bars come from, as the settings say.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use walkforward_alpaca::{Adjustment, AlpacaClient, AlpacaConfig, AlpacaSource};
use walkforward_core::{AbsentMeans, BarRequest, Clock, DataSource, SourceBars, Symbol, Timeframe};
use walkforward_etl::{
    BarCache, CacheKey, Cached, CsvOptions, CsvSource, Longer, ParquetOptions, ParquetSource, SyntheticSource,
};

use crate::config::count;
use crate::failure::{Failure, chain};
use crate::settings::Settings;

/// Most known bars that are asked for again: a year of minutes.
const MAX_OVERLAP_BARS: usize = 525_600;
/// Bytes of a host's hash in the name of a cache.
const HOST_HASH_BYTES: usize = 4;
/// Settings that only files have.
const FILE_KEYS: [&str; 5] =
    ["data.path", "data.columns", "data.drop_last", "data.max_rejected_rows", "data.absent_bars"];
/// What a Parquet file begins with.
const PARQUET_MAGIC: &[u8; 4] = b"PAR1";

/// Where bars come from.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// Bars made by a formula.
    Synthetic,
    /// A CSV file.
    Csv {
        /// Its path.
        path: PathBuf,
        /// How it is read.
        options: CsvOptions,
    },
    /// A Parquet file.
    Parquet {
        /// Its path.
        path: PathBuf,
        /// How it is read.
        options: ParquetOptions,
    },
    /// Alpaca's market data service.
    Alpaca {
        /// How it is asked.
        config: Box<AlpacaConfig>,
        /// Where its bars are kept; none asks for everything again.
        cache: Option<CacheConfig>,
    },
}

/// Where the bars of a service are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    /// The folder.
    pub folder: PathBuf,
    /// Known bars that are asked for again with new ones.
    pub overlap_bars: usize,
}

/// Bars of a service that are kept.
#[derive(Debug)]
pub struct Kept {
    /// The cache.
    pub cache: BarCache,
    /// Whose bars.
    pub key: CacheKey,
    /// The cache's folder.
    pub folder: PathBuf,
}

impl SourceConfig {
    /// The source that `settings` name; `file_kind` is one more name for a file of bars.
    pub(crate) fn from_settings(settings: &Settings, file_kind: &str) -> Result<Self, Failure> {
        let path: Option<PathBuf> = settings.get("data.path")?;
        let kind: String = settings.require("data.source")?;
        // A path alone says enough: nobody who names a file wants made-up bars.
        let is_file = [file_kind, "csv", "parquet"].contains(&kind.as_str())
            || (path.is_some() && !settings.is_set("data.source"));
        if is_file {
            return file(settings, path, &kind);
        }
        for key in FILE_KEYS {
            if settings.is_changed(key) {
                let use_file = format!("{kind} bars have no file; use --source {file_kind}");
                return Err(settings.refuse(key, &use_file));
            }
        }
        // Settings of a source that is not asked are checked too: what is misspelt should not wait for its day.
        let service = alpaca(settings, file_kind == "csv")?;
        match kind.as_str() {
            "synthetic" => Ok(Self::Synthetic),
            "alpaca" => Ok(service),
            _ => {
                let files = if file_kind == "csv" { "csv, parquet" } else { file_kind };
                Err(settings.refuse("data.source", &format!("expected synthetic, {files} or alpaca")))
            }
        }
    }

    /// Its name in settings.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Csv { .. } => "csv",
            Self::Parquet { .. } => "parquet",
            Self::Alpaca { .. } => "alpaca",
        }
    }

    /// Whether "now" is the clock's and a timeframe has to be asked for.
    pub fn is_service(&self) -> bool {
        matches!(self, Self::Alpaca { .. })
    }

    /// What is kept of a service for `request`; none where nothing is kept: of other sources, without a cache, and of
    /// adjusted stock prices, which change backwards with every split.
    pub fn kept(&self, request: &BarRequest, clock: &Arc<dyn Clock>) -> Result<Option<Kept>, Failure> {
        let Self::Alpaca { config, cache: Some(CacheConfig { folder, .. }) } = self else { return Ok(None) };
        if !is_kept(config, &request.symbol) {
            return Ok(None);
        }
        let timeframe = request.timeframe.unwrap_or(Timeframe::HOUR);
        let timeframe = AlpacaSource::base(config, &request.symbol, timeframe);
        let id = cache_id(config, &alpaca_source(config, clock)?, &request.symbol);
        let key = CacheKey::new(&id, request.symbol.clone(), timeframe);
        let key = key.map_err(|error| Failure::input(chain(&error)))?;
        Ok(Some(Kept { cache: BarCache::new(folder), key, folder: folder.clone() }))
    }

    /// The bars of a file; none when the source is no file.
    pub fn read_file(&self, request: &BarRequest) -> Option<Result<SourceBars, Failure>> {
        let bars = match self {
            Self::Csv { path, options } => CsvSource::new(path, options.clone()).read(request),
            Self::Parquet { path, options } => ParquetSource::new(path, options.clone()).read(request),
            Self::Synthetic | Self::Alpaca { .. } => return None,
        };
        Some(bars.map_err(|error| Failure::input(chain(&error))))
    }

    /// The source of bars of `symbol`; synthetic ones come from `seed`.
    pub fn open(
        &self,
        symbol: &Symbol,
        seed: u64,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<dyn DataSource>, Failure> {
        Ok(match self {
            Self::Synthetic => Arc::new(SyntheticSource::new(seed)),
            Self::Csv { path, options } => Arc::new(CsvSource::new(path, options.clone())),
            Self::Parquet { path, options } => Arc::new(ParquetSource::new(path, options.clone())),
            Self::Alpaca { config, cache } => {
                let source = alpaca_source(config, clock)?;
                match cache.as_ref().filter(|_| is_kept(config, symbol)) {
                    None => Arc::new(source),
                    Some(CacheConfig { folder, overlap_bars }) => {
                        let (id, cache) = (cache_id(config, &source, symbol), BarCache::new(folder));
                        let cached = Cached::new(source, id, cache, Arc::clone(clock));
                        let cached = cached.with_overlap_bars(*overlap_bars);
                        let config = config.clone();
                        // What the service makes of shorter bars is made here: the shorter ones are kept.
                        Arc::new(Longer::new(cached, Arc::clone(clock), move |symbol, timeframe| {
                            AlpacaSource::base(&config, symbol, timeframe)
                        }))
                    }
                }
            }
        })
    }
}

/// Whether bars of `symbol` are kept: prices that are adjusted change backwards, all of them, with every split.
fn is_kept(config: &AlpacaConfig, symbol: &Symbol) -> bool {
    symbol.is_pair() || config.adjustment == Adjustment::Raw
}

/// What distinguishes the bars of this source from those of others; bars of another host are another source's.
fn cache_id(config: &AlpacaConfig, source: &AlpacaSource, symbol: &Symbol) -> String {
    let id = source.id(symbol);
    if config.base_url == AlpacaConfig::DATA_URL {
        return id;
    }
    let host = Sha256::digest(config.base_url.as_bytes());
    let host: String = host.iter().take(HOST_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{id}-{host}")
}

fn alpaca_source(config: &AlpacaConfig, clock: &Arc<dyn Clock>) -> Result<AlpacaSource, Failure> {
    let client = AlpacaClient::new(config.clone(), Arc::clone(clock));
    Ok(AlpacaSource::new(client.map_err(|error| Failure::input(chain(&error)))?))
}

fn file(settings: &Settings, path: Option<PathBuf>, kind: &str) -> Result<SourceConfig, Failure> {
    let path = path.ok_or_else(|| settings.refuse("data.path", "a file source needs --path FILE"))?;
    if !path.is_file() {
        return Err(settings.refuse("data.path", "there is no regular file of this name"));
    }
    let absent = match settings.require::<String>("data.absent_bars")?.as_str() {
        "missing" => AbsentMeans::Missing,
        "no_trade" => AbsentMeans::NoTrade,
        _ => return Err(settings.refuse("data.absent_bars", "expected missing or no_trade")),
    };
    let drop_last = settings.require("data.drop_last")?;
    let max_rejected_rows = settings.require("data.max_rejected_rows")?;
    if kind == "parquet" || (kind != "csv" && is_parquet(&path)) {
        if settings.is_set("data.columns") {
            return Err(settings.refuse("data.columns", "a Parquet file names its columns"));
        }
        let options = ParquetOptions { drop_last, max_rejected_rows, absent };
        return Ok(SourceConfig::Parquet { path, options });
    }
    let options = CsvOptions { columns: settings.get("data.columns")?, drop_last, max_rejected_rows, absent };
    Ok(SourceConfig::Csv { path, options })
}

/// Whether the file begins as a Parquet file does. One that can't be read is complained about by who reads it.
fn is_parquet(path: &Path) -> bool {
    let mut magic = [0; PARQUET_MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *PARQUET_MAGIC
}

/// The service; `can_keep` what it gives where there is a data folder.
fn alpaca(settings: &Settings, can_keep: bool) -> Result<SourceConfig, Failure> {
    let config = AlpacaConfig {
        base_url: settings.require("alpaca.data_url")?,
        keys: settings.secrets().alpaca_keys()?,
        crypto_location: settings.require("alpaca.location")?,
        stock_feed: settings.require("alpaca.feed")?,
        adjustment: settings.require("alpaca.adjustment")?,
        requests_per_minute: settings.require("alpaca.requests_per_minute")?,
        proxy: settings.secrets().proxy(),
        // Processes of one account should not try again in step.
        jitter_seed: u64::from(std::process::id()),
        ..AlpacaConfig::default()
    };
    let cache = match can_keep && settings.require("data.cache")? {
        true => Some(CacheConfig {
            folder: settings.require::<PathBuf>("paths.data_dir")?.join("cache"),
            overlap_bars: count(settings, "data.cache_overlap_bars", 2..=MAX_OVERLAP_BARS)?,
        }),
        false => None,
    };
    Ok(SourceConfig::Alpaca { config: Box::new(config), cache })
}
