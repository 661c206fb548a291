//! What lies on this machine: pointer, model, journal, disk, database.

use std::path::Path;
use std::time::Duration;

use walkforward::failure::chain;
use walkforward::live::LiveConfig;
use walkforward_core::{Clock, ModelRef, Timeframe, Timestamp, TradingMode};
use walkforward_live::{
    ACKNOWLEDGE_FILE, PAPER, Recovered, SegmentHeader, admit_model, recover, session_process,
};
use walkforward_policy::load;
use walkforward_store::{ConfirmationReader, Pointer, PointerReader, Store};

use super::report::Report;
use crate::control::waiting_file;

/// Free space below which a person is told, and below which a start would soon fail. A year of minute bars takes about
/// half a gigabyte.
const LITTLE_SPACE_BYTES: u64 = 1 << 30;
const NO_SPACE_BYTES: u64 = 100 << 20;
const MIB: u64 = 1 << 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// What the session on this machine is at.
#[derive(Default)]
pub(super) struct Found {
    /// What its journal comes to; none for a new session.
    pub(super) recovered: Option<Recovered>,
    /// Whether a process runs it.
    pub(super) is_running: bool,
    /// Length of the champion's bars.
    pub(super) champion: Option<Pointer>,
}

/// Checks all of it.
pub(super) fn check(config: &LiveConfig, clock: &dyn Clock, report: &mut Report) -> Found {
    let champion = champion(config, report);
    if let Some((pointer, model)) = &champion {
        bundle(config, pointer, model, report);
        grade(config, pointer, report);
        ages(config, clock.now(), report);
    }
    let is_running = lock(config, report);
    let recovered = journal(config, report);
    for (name, folder) in [("disk of the journal", &config.journal), ("disk of the data", &config.data_dir)] {
        space(name, folder, report);
    }
    database(config, report);
    Found { recovered, is_running, champion: champion.map(|(pointer, _)| pointer) }
}

fn champion(config: &LiveConfig, report: &mut Report) -> Option<(Pointer, ModelRef)> {
    let reader = PointerReader::new(&config.models_dir, config.line.clone());
    match reader.read() {
        Err(error) => {
            report.fail("pointer", chain(&error), "see orchestrate models list, and promote or roll back");
            None
        }
        Ok(None) => {
            let path = reader.path();
            let found = format!("{} does not exist: the session stays flat (no_model)", path.display());
            report.warn("pointer", found, "promote a model, or name another --line or --models-dir");
            None
        }
        Ok(Some((pointer, model))) => {
            report.ok("pointer", format!("{} since {}", pointer.model_id, pointer.promoted_at));
            Some((pointer, model))
        }
    }
}

fn bundle(config: &LiveConfig, pointer: &Pointer, model: &ModelRef, report: &mut Report) {
    let policy = match load(&model.dir, &model.sha256) {
        Ok(policy) => policy,
        Err(error) => return report.fail("model", chain(&error), "promote a model whose weights are sound"),
    };
    report.ok("model", format!("hash {}, its recorded answers come out", &model.sha256[..12]));
    if config.trades_on_made_up_bars(&model.id) {
        let found = "it was trained on made-up bars".to_owned();
        report.fail(
            "model's bars",
            found,
            "train a model on the market's: orchestrate --once --source alpaca",
        );
    }
    let timeframe = config.timeframe.unwrap_or(pointer.timeframe);
    let market = config.session.market;
    let (history, symbol) = (config.history_bars, &config.symbol);
    match admit_model(policy.spec(), symbol, timeframe, history, market) {
        Ok(()) => report.ok("model's market", format!("{symbol} {timeframe}")),
        Err(reason) => {
            report.fail("model's market", reason, "choose its symbol and timeframe, or another line")
        }
    }
}

fn grade(config: &LiveConfig, pointer: &Pointer, report: &mut Report) {
    let share = config.limits.grades.of(pointer.grade);
    let grade = pointer.grade.map_or("none".to_owned(), |grade| format!("{grade:?}").to_lowercase());
    let found = format!("{grade}: it may hold {:.0} % of the allotted position", 100.0 * share);
    match share > 0.0 {
        true => report.ok("grade", found),
        false => report.warn("grade", found, "wait for the evidence of its arm, or set live.grade_caps"),
    }
}

fn ages(config: &LiveConfig, now: Timestamp, report: &mut Report) {
    const NAME: &str = "model's age";
    let reader = ConfirmationReader::new(&config.models_dir, config.line.clone());
    let confirmation = match reader.read() {
        Ok(Some(confirmation)) => confirmation,
        Ok(None) => return,
        Err(error) => return report.warn(NAME, chain(&error), "run a cycle: it confirms the model anew"),
    };
    let age = Duration::from_millis(u64::try_from(now.millis_since(confirmation.since())).unwrap_or(0));
    let hours = age.as_secs() / HOUR.as_secs();
    let found = format!("confirmed {hours} hours ago, trained until {}", confirmation.trained_until);
    let to_do = "look whether orchestrate serve runs and its cycles end well";
    match age {
        age if age >= config.watch.expires_after => {
            report.fail(NAME, format!("{found}: expired, so that {} holds", config.watch.on_expired), to_do);
        }
        age if age >= config.watch.warns_after => report.warn(NAME, found, to_do),
        _ => report.ok(NAME, found),
    }
}

/// Whether a process runs the session.
fn lock(config: &LiveConfig, report: &mut Report) -> bool {
    const NAME: &str = "journal's lock";
    match session_process(&config.journal) {
        Err(error) => report.fail(NAME, chain(&error), "look at the rights on the journal's folder"),
        Ok(None) => report.ok(NAME, "nobody writes the journal"),
        Ok(Some(process)) => {
            let pid = process.pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let found = format!("a trader runs with this journal{pid}");
            report.fail(NAME, found, "stop it first, or name another --journal for a second session");
            return true;
        }
    }
    false
}

fn journal(config: &LiveConfig, report: &mut Report) -> Option<Recovered> {
    const NAME: &str = "journal";
    if config.journal.exists() && !config.journal.is_dir() {
        let found = format!("{} is no folder", config.journal.display());
        report.fail(NAME, found, "name another --journal");
        return None;
    }
    match recover(&config.journal) {
        Err(error) => {
            let to_do = "move the folder away to begin anew, and keep it: live-trader verify says more";
            report.fail(NAME, chain(&error), to_do);
            None
        }
        Ok(None) => {
            report.ok(NAME, format!("{}: a new session begins", config.journal.display()));
            None
        }
        Ok(Some(recovered)) => {
            recorded(config, &recovered, report);
            Some(recovered).filter(|_| config.resume)
        }
    }
}

fn recorded(config: &LiveConfig, recovered: &Recovered, report: &mut Report) {
    const NAME: &str = "journal";
    let session = recovered.desk.session();
    let torn = match recovered.torn_bytes {
        0 => String::new(),
        bytes => format!(", {bytes} bytes of a torn record that a start cuts off"),
    };
    let found = format!(
        "{} bars, equity {:.2}, position {}{torn}",
        recovered.bars,
        session.equity(),
        session.position()
    );
    match other_session(config, &recovered.header).filter(|_| config.resume) {
        Some(found) => report.fail(NAME, found, "name another --journal"),
        None if config.resume => report.ok(NAME, found),
        None => report.ok(NAME, format!("{found}; a new session begins beside it")),
    }
    mode(config, recovered, report);
}

/// What the session may do when it goes on, and what a file tells any session that begins.
fn mode(config: &LiveConfig, recovered: &Recovered, report: &mut Report) {
    let risk = recovered.desk.risk();
    let to_do = "live-trader resume --ack REASON ends it";
    if let Some(path) = waiting_file(&config.journal) {
        let found = |does| format!("{} {does} at the next start", path.display());
        return match path.ends_with(ACKNOWLEDGE_FILE) {
            true => report.ok("mode", found("ends a halt")),
            false => report.warn("mode", found("halts the session"), to_do),
        };
    }
    if !config.resume {
        return;
    }
    match risk.restriction() {
        Some(restriction) => {
            report.warn("mode", format!("{}: {}", restriction.mode, restriction.reason), to_do);
        }
        None if risk.mode() != TradingMode::Active => {
            report.warn("mode", risk.mode().to_string(), "live-trader resume, where somebody paused it");
        }
        None => report.ok("mode", risk.mode().to_string()),
    }
}

/// What the journal of another session has that this one has not.
fn other_session(config: &LiveConfig, header: &SegmentHeader) -> Option<String> {
    let venue = config.venue.as_ref().map_or(PAPER, |venue| venue.name);
    let timeframe = config.timeframe.unwrap_or(header.timeframe);
    // A service's feed gives minutes; a file says by itself what it has.
    let base = if config.source.is_service() { Timeframe::MINUTE } else { header.base };
    let pairs = [
        ("line", header.line.to_string(), config.line.to_string()),
        ("symbol", header.symbol.to_string(), config.symbol.to_string()),
        ("timeframe", header.timeframe.to_string(), timeframe.to_string()),
        ("venue", header.venue.clone(), venue.to_owned()),
        ("bars of", header.base.to_string(), base.to_string()),
    ];
    let other = pairs.into_iter().find(|(_, recorded, wanted)| recorded != wanted);
    other.map(|(what, recorded, wanted)| {
        format!("it is the journal of a session with {what} {recorded}, and this one has {wanted}")
    })
}

fn space(name: &'static str, folder: &Path, report: &mut Report) {
    // What is not there yet is made where its nearest folder is.
    let there = std::path::absolute(folder).ok();
    let there = there.as_deref().and_then(|path| path.ancestors().find(|path| path.is_dir()));
    let stat = there.map(rustix::fs::statvfs);
    let to_do = "make room: a trader that can't write its journal stops";
    match stat {
        None => report.fail(name, format!("{} has no folder above it", folder.display()), "name another"),
        Some(Err(error)) => report.warn(name, error.to_string(), "look at the disk by hand"),
        Some(Ok(stat)) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let found = format!("{} MiB free", free / MIB);
            match free {
                ..NO_SPACE_BYTES => report.fail(name, found, to_do),
                NO_SPACE_BYTES..LITTLE_SPACE_BYTES => report.warn(name, found, to_do),
                _ => report.ok(name, found),
            }
        }
    }
}

fn database(config: &LiveConfig, report: &mut Report) {
    const NAME: &str = "database";
    let clock = std::sync::Arc::new(walkforward::clock::SystemClock::start());
    match Store::attach(&config.data_dir, &config.models_dir, clock) {
        Ok(Some(_)) => report.ok(NAME, "its schema is this program's"),
        Ok(None) => {
            let found =
                format!("there is none in {}: nobody can take a champion back", config.data_dir.display());
            report.warn(NAME, found, "name --data-dir, or run orchestrate once");
        }
        // The trade does not wait for it.
        Err(error) => report.warn(NAME, chain(&error), "mend it: until then nobody can take a champion back"),
    }
}
