//! One session, the check of its journal, and what somebody tells it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use walkforward::clock::SystemClock;
use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward::notify::NotifyConfig;
use walkforward::settings::Output;
use walkforward_core::{CancelToken, Clock, ErrorKind, RunId, Timestamp};
use walkforward_durable::Error as FilesError;
use walkforward_live::{
    Execution, FeedTime, LiveError, Recovered, SessionSummary, Speed, Trader, TraderHandle, TraderOptions,
    TraderPorts, TraderStatus, recover, verify_journal,
};
use walkforward_store::PointerReader;

use crate::champion::{AtStart, Champion, champion, check_market};
use crate::control::Listening;
use crate::ending::{Ending, Process};
use crate::followers::Followers;
use crate::market::{ChampionBars, Market, market};
use crate::metrics;
use crate::notices::Notices;
use crate::print;
use crate::switch::KillSwitch;
use crate::venue::{Account, account};
use crate::view;

/// How often a person sees where a paced session is.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Trades until the bars end or a signal comes.
pub(crate) fn run(
    config: &LiveConfig,
    notify: &NotifyConfig,
    output: Output,
    process: Process,
) -> Result<(), Failure> {
    let Process { runtime, halts } = process;
    let ending = Ending::begin(&runtime)?;
    let mut switch = KillSwitch::new(halts, &config.journal);
    let ended = runtime.block_on(async {
        let ended = session(config, notify, output, &ending, &mut switch).await;
        switch.end().await;
        ended
    });
    // Whoever still works in it was waited for, as long as that may take.
    runtime.shutdown_background();
    print::summary(&ended?, &config.journal, output)
}

async fn session(
    config: &LiveConfig,
    notify: &NotifyConfig,
    output: Output,
    ending: &Ending,
    switch: &mut KillSwitch,
) -> Result<SessionSummary, Failure> {
    let pointer = PointerReader::new(&config.models_dir, config.line.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let before = if config.resume { recover(&config.journal).map_err(failure)? } else { None };
    let champion = champion(config, &pointer, before.as_ref())?;
    if matches!(champion, AtStart::None) {
        print::no_champion(&pointer.path(), output)?;
    }
    let bars = bars_of(&champion, before.as_ref());
    let market = tokio::select! {
        biased;
        market = market(config, bars, before.as_ref(), &clock) => market?,
        () = ending.asked() => {
            let left = before.as_ref().map(|before| &before.desk);
            return Ok(SessionSummary::stopped_at_start(&config.session, left));
        }
        never = switch.watch() => match never {},
    };
    if let Some((champion, _)) = champion.usable() {
        check_market(champion, config, market.timeframe)?;
    }
    tell_of_resumption(before.as_ref(), output)?;
    let Account { execution, locks } = account(config, &clock)?;
    // A replay at full speed is over before anybody has looked.
    let is_paced = market.time == FeedTime::Clock || config.speed != Speed::Max;
    let shown = Shown { output, is_shown: output == Output::Human && is_paced };
    let served = metrics::serve(config)?;
    let trader = trader(config, market, execution, &clock, ending)?.with_metrics(served.metrics.clone());
    let (trader, mut followers) = Followers::start(config, trader, &clock, &served.metrics);
    let notices = Notices::start(config, notify, &trader.handle(), &clock)?;
    let listening = Listening::start(trader.handle(), config.data_dir.clone(), config.journal.clone());
    switch.reaches(trader.handle());
    let ended = trade(trader, ending.cancel(), shown, switch).await;
    switch.end().await;
    // Behind the journal's last record, and side by side.
    let ends = ending.wait_for(async { tokio::join!(listening.end(), followers.end(), notices.end()) });
    tokio::select! {
        _ = ends => {}
        never = switch.watch() => match never {},
    }
    followers.tell_what_is_left();
    if let Some(report) = followers.watched().filter(|_| ended.is_ok()) {
        print::watched(&report, output)?;
    }
    drop(locks);
    ended
}

/// What the bars are like: as the champion says, or else as the session before had them.
fn bars_of(champion: &AtStart, before: Option<&Recovered>) -> Option<ChampionBars> {
    match (champion, before) {
        (AtStart::Usable(champion), _) => {
            let (pointer, model) = &**champion;
            Some(ChampionBars { timeframe: pointer.timeframe, seen_until: model.lineage_until })
        }
        (AtStart::Unusable, Some(before)) => Some(ChampionBars {
            timeframe: before.header.timeframe,
            seen_until: before.last_bar.unwrap_or(Timestamp::EPOCH),
        }),
        _ => None,
    }
}

/// The session that `config` asks for, over `market`.
fn trader(
    config: &LiveConfig,
    market: Market,
    execution: Execution,
    clock: &Arc<dyn Clock>,
    ending: &Ending,
) -> Result<Trader, Failure> {
    let Market { timeframe, warm_up, feed, backfill, time } = market;
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
    let champion = Box::new(Champion::of(config));
    let ports = TraderPorts { feed, backfill, execution, champion, clock: Arc::clone(clock) };
    let trader = Trader::new(options, ports, ending.cancel()).map_err(failure)?;
    Ok(trader.ending_by(ending.rules()))
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
    async fn show(self, handle: TraderHandle, cancel: CancelToken) -> Infallible {
        match self.is_shown && view::is_wanted() {
            true => view::show(handle, cancel).await,
            false => show_status(handle, self.output).await,
        }
    }
}

async fn trade(
    trader: Trader,
    cancel: CancelToken,
    shown: Shown,
    switch: &mut KillSwitch,
) -> Result<SessionSummary, Failure> {
    let handle = trader.handle();
    let session = trader.run();
    let watch = shown.show(handle, cancel);
    tokio::select! {
        summary = session => summary.map_err(failure),
        never = switch.watch() => match never {},
        never = watch => match never {},
    }
}

/// A line a second about a session that takes longer than that. A thread of its own writes it: whoever stops reading
/// stops the lines and nothing else.
async fn show_status(handle: TraderHandle, output: Output) -> Infallible {
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
