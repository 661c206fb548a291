//! The account that a session's orders go to, and the locks that keep others away from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward::venue::VenueConfig;
use walkforward_core::Clock;
use walkforward_durable::{Error as FilesError, FileLock, Files};
use walkforward_engine::FillModel;
use walkforward_live::{Execution, PaperBroker};
use walkforward_policy::sha256_hex;

/// Characters of a key's hash in a lock's name.
const HASH_CHARS: usize = 12;

/// Who executes, and what keeps a second trader from the same account and symbol for as long as it is held.
pub(crate) struct Account {
    pub(crate) execution: Execution,
    pub(crate) locks: Vec<FileLock>,
}

/// The account of `config`, or the paper broker.
pub(crate) fn account(config: &LiveConfig, clock: &Arc<dyn Clock>) -> Result<Account, Failure> {
    let Some(venue) = &config.venue else {
        let broker = Box::new(PaperBroker::new(FillModel::new(&config.session)));
        return Ok(Account { execution: broker.into(), locks: Vec::new() });
    };
    let locks = lock(config, venue, clock)?;
    Ok(Account { execution: Execution::Venue(venue.access(clock)?), locks })
}

/// Locks the account and symbol, in the data folder and for all of the machine: two traders there would take each other's
/// orders for a stranger's.
fn lock(config: &LiveConfig, venue: &VenueConfig, clock: &Arc<dyn Clock>) -> Result<Vec<FileLock>, Failure> {
    let name = lock_name(config, venue);
    lock_folders(config).iter().map(|folder| lock_in(folder, &name, config, clock)).collect()
}

fn lock_name(config: &LiveConfig, venue: &VenueConfig) -> String {
    let key = sha256_hex(venue.trading.keys.id.expose_secret().as_bytes());
    let symbol = config.symbol.to_string().replace('/', "-");
    format!("{}-{}-{symbol}.lock", venue.name, &key[..HASH_CHARS])
}

fn lock_folders(config: &LiveConfig) -> [PathBuf; 2] {
    [config.data_dir.join("live"), machine_folder()]
}

/// The other trader that has the account and symbol, as an error says it; none where there is none. Takes nothing.
pub(crate) fn other_trader(config: &LiveConfig, venue: &VenueConfig) -> Option<String> {
    let name = lock_name(config, venue);
    let paths = lock_folders(config).map(|folder| folder.join(&name));
    let held = paths.iter().filter(|path| path.exists()).find_map(|path| {
        FileLock::shared_within(path, Duration::ZERO)
            .err()
            .filter(|error| matches!(error, FilesError::Held { .. }))
    });
    held.map(|error| chain(&error))
}

fn machine_folder() -> PathBuf {
    std::env::temp_dir().join(format!("walkforward-{}", rustix::process::getuid().as_raw()))
}

fn lock_in(
    folder: &Path,
    name: &str,
    config: &LiveConfig,
    clock: &Arc<dyn Clock>,
) -> Result<FileLock, Failure> {
    let failed = |error: FilesError| Failure::from_error(&error);
    Files::default().create_dir_all_durable(folder).map_err(failed)?;
    FileLock::try_exclusive(&folder.join(name), clock.now().as_millis()).map_err(|error| match error {
        FilesError::Held { .. } => Failure::input(format!(
            "another trader trades {} in this account: {}; one account and symbol have one trader",
            config.symbol,
            chain(&error)
        )),
        error => failed(error),
    })
}
