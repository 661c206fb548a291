//! One session, the check of its journal, and what somebody tells it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use walkforward::clock::SystemClock;
use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward::settings::Output;
use walkforward::signals::{HaltRequests, stop_requested};
use walkforward_core::{CancelToken, Clock, ErrorKind, ModelRef, RunId, TradingMode};
use walkforward_durable::Error as FilesError;
use walkforward_live::{
    Command, FeedTime, LiveError, Recovered, SessionSummary, Speed, Trader, TraderHandle, TraderOptions,
    TraderPorts, TraderStatus, halt_session, recover, verify_journal,
};
use walkforward_store::{Pointer, PointerReader};

use crate::champion::{Champion, champion, check_market};
use crate::control::Listening;
use crate::followers::Followers;
use crate::market::{ChampionBars, Market, market};
use crate::metrics;
use crate::print;
use crate::venue::{Account, account};
use crate::view;

/// The reason of a halt by the kill switch.
const SIGNAL: &str = "SIGUSR1";
/// How often a person sees where a paced session is.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Trades until the bars end or a signal comes.
pub(crate) fn run(config: &LiveConfig, output: Output) -> Result<(), Failure> {
    let pointer = PointerReader::new(&config.models_dir, config.line.clone());
    let champion = champion(config, &pointer)?;
    if champion.is_none() {
        print::no_champion(&pointer.path(), output)?;
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let summary = runtime.block_on(session(config, champion.as_ref(), output))?;
    print::summary(&summary, &config.journal, output)
}

async fn session(
    config: &LiveConfig,
    champion: Option<&(Pointer, ModelRef)>,
    output: Output,
) -> Result<SessionSummary, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let before = if config.resume { recover(&config.journal).map_err(failure)? } else { None };
    let bars = champion.map(|(pointer, model)| ChampionBars {
        timeframe: pointer.timeframe,
        seen_until: model.lineage_until,
    });
    let Market { timeframe, warm_up, feed, backfill, time } =
        market(config, bars, before.as_ref(), &clock).await?;
    if let Some((champion, _)) = champion {
        check_market(champion, config, timeframe)?;
    }
    tell_of_resumption(before.as_ref(), output)?;
    let deployment = format!("{}-{}", RunId::at(clock.now()), std::process::id());
    let options = TraderOptions {
        line: config.line.clone(),
        session: config.session,
        limits: config.limits,
        swap: config.swap,
        time,
        closing: config.closing,
        watch: config.watch,
        speed: config.speed,
        bounds: config.bounds,
        resume: config.resume,
        deployment: Some(deployment),
        history_bars: config.history_bars,
        warm_up,
        ..TraderOptions::new(config.symbol.clone(), timeframe, config.journal.clone())
    };
    let Account { execution, locks } = account(config, &clock)?;
    let champion = Box::new(Champion::of(config));
    let ports = TraderPorts { feed, backfill, execution, champion, clock: Arc::clone(&clock) };
    let cancel = CancelToken::default();
    let served = metrics::serve(config)?;
    let trader = Trader::new(options, ports, cancel.clone()).map_err(failure)?;
    let trader = trader.with_metrics(served.metrics.clone());
    let (trader, followers) = Followers::start(config, trader, &clock, &served.metrics);
    let listening = Listening::start(trader.handle(), config.data_dir.clone(), config.journal.clone());
    // A replay at full speed is over before anybody has looked.
    let is_shown = output == Output::Human && (time == FeedTime::Clock || config.speed != Speed::Max);
    let mut switch = KillSwitch::listen(trader.handle(), &config.journal)?;
    let ended = trade(trader, cancel, Shown { output, is_shown }, &mut switch).await;
    switch.end(ended.is_err());
    let ending = async {
        listening.end().await;
        followers.end().await;
    };
    tokio::select! {
        () = ending => {}
        () = switch.watch() => {}
    }
    drop(locks);
    ended
}

fn tell_of_resumption(before: Option<&Recovered>, output: Output) -> Result<(), Failure> {
    match before {
        Some(before) if output == Output::Human => print::resumed(before),
        _ => Ok(()),
    }
}

/// What a person sees of the session.
struct Shown {
    output: Output,
    /// Whether it goes slowly enough to be looked at.
    is_shown: bool,
}

impl Shown {
    async fn show(self, handle: TraderHandle, cancel: CancelToken) {
        if self.is_shown && view::is_wanted() {
            return view::show(handle, cancel).await;
        }
        show_status(handle, self.output).await;
    }
}

fn cannot_listen(error: anyhow::Error) -> Failure {
    Failure::stage(format!("{error:#}"))
}

async fn trade(
    trader: Trader,
    cancel: CancelToken,
    shown: Shown,
    switch: &mut KillSwitch,
) -> Result<SessionSummary, Failure> {
    let stop = stop_requested().map_err(cannot_listen)?;
    let handle = trader.handle();
    let session = trader.run();
    let watch = shown.show(handle.clone(), cancel.clone());
    tokio::pin!(session, stop, watch);
    let mut stopping = false;
    loop {
        tokio::select! {
            summary = &mut session => return summary.map_err(failure),
            () = &mut stop, if !stopping => {
                stopping = true;
                cancel.cancel();
            }
            () = switch.watch() => {}
            () = &mut watch => {}
        }
    }
}

/// Halts the session on SIGUSR1, as long as its process lives.
struct KillSwitch {
    requests: HaltRequests,
    handle: TraderHandle,
    journal: PathBuf,
    /// Whether the session was asked and has taken that.
    is_asked: bool,
    has_ended: bool,
}

impl KillSwitch {
    fn listen(handle: TraderHandle, journal: &Path) -> Result<Self, Failure> {
        let requests = HaltRequests::listen().map_err(cannot_listen)?;
        Ok(Self { requests, handle, journal: journal.to_owned(), is_asked: false, has_ended: false })
    }

    /// Halts it each time, and never ends. Cancel safe.
    async fn watch(&mut self) {
        loop {
            self.requests.next().await;
            self.halt();
        }
    }

    fn halt(&mut self) {
        let asked = self.handle.command(Command::Halt { reason: SIGNAL.to_owned(), flatten: false });
        match asked {
            Ok(()) if !self.has_ended => self.is_asked = true,
            _ => self.halt_by_file(),
        }
    }

    /// What the session does not take, its folder says: it is read as soon as it can be, or by the next start.
    fn halt_by_file(&self) {
        match halt_session(&self.journal, SIGNAL, false) {
            Ok(()) => {
                tracing::warn!("SIGUSR1: a file in the journal's folder halts the session, or its next start")
            }
            Err(error) => tracing::error!(%error, "SIGUSR1 did not halt the session"),
        }
    }

    /// The session has ended. A halt that it took and could not journal any more, because it failed, its folder says.
    fn end(&mut self, has_failed: bool) {
        self.has_ended = true;
        let is_halted = |recovered: Recovered| recovered.desk.risk().mode() == TradingMode::Halted;
        if has_failed && self.is_asked && !recover(&self.journal).ok().flatten().is_some_and(is_halted) {
            self.halt_by_file();
        }
    }
}

/// A line a second about a session that takes longer than that. A thread of its own writes it: whoever stops reading
/// stops the lines and nothing else.
async fn show_status(handle: TraderHandle, output: Output) {
    if output != Output::Human {
        return std::future::pending().await;
    }
    let (lines, shown) = std::sync::mpsc::sync_channel::<TraderStatus>(1);
    std::thread::spawn(move || shown.iter().try_for_each(|status| print::status(&status)));
    let mut last = 0;
    loop {
        tokio::time::sleep(STATUS_INTERVAL).await;
        let status = handle.status();
        if status.bars != last {
            last = status.bars;
            let _ = lines.try_send(status);
        }
    }
}

/// Runs the journal's sessions again.
pub(crate) fn verify(config: &LiveConfig, output: Output) -> Result<(), Failure> {
    let report = verify_journal(&config.journal, &config.models_dir).map_err(failure)?;
    print::verified(&report, &config.journal, output)?;
    if report.is_identical() {
        return Ok(());
    }
    Err(Failure::stage(format!("{} segments came out differently", report.difference_count)))
}

fn failure(error: LiveError) -> Failure {
    if let LiveError::Journal(FilesError::Held { path, holder }) = &error {
        let process = holder.as_ref().map_or_else(String::new, |holder| format!(" (process {})", holder.pid));
        return Failure::stage(format!(
            "another trader{process} holds {}: stop it with `live-trader stop`, or name another --journal",
            path.display()
        ));
    }
    match error.kind() {
        ErrorKind::BadInput => Failure::input(chain(&error)),
        _ => Failure::from_error(&error),
    }
}
