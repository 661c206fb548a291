//! One session, the check of its journal, and what somebody tells it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use walkforward::clock::SystemClock;
use walkforward::failure::{Failure, chain};
use walkforward::live::LiveConfig;
use walkforward::settings::Output;
use walkforward::signals::{HaltRequests, stop_requested};
use walkforward_core::{CancelToken, Clock, ErrorKind, ModelRef, RunId, Timeframe};
use walkforward_engine::FillModel;
use walkforward_live::{
    Command, LineChampion, LiveError, PaperBroker, Recovered, SessionSummary, Trader, TraderHandle,
    TraderOptions, TraderPorts, TraderStatus, acknowledge_session, halt_session, recover, verify_journal,
};
use walkforward_policy::load;
use walkforward_store::{Pointer, PointerReader};

use crate::market::{ChampionBars, Market, market};
use crate::print;

/// How often a person sees where a paced session is.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Trades until the bars end or a signal comes.
pub(crate) fn run(config: &LiveConfig, output: Output) -> Result<(), Failure> {
    let pointer = PointerReader::new(&config.models_dir, config.line.clone());
    let champion = champion(&pointer)?;
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
    let execution = Box::new(PaperBroker::new(FillModel::new(&config.session))).into();
    let champion = Box::new(LineChampion::new(&config.models_dir, config.line.clone()));
    let ports = TraderPorts { feed, backfill, execution, champion, clock };
    let cancel = CancelToken::default();
    let trader = Trader::new(options, ports, cancel.clone()).map_err(failure)?;
    trade(trader, cancel, output).await
}

fn tell_of_resumption(before: Option<&Recovered>, output: Output) -> Result<(), Failure> {
    match before {
        Some(before) if output == Output::Human => print::resumed(before),
        _ => Ok(()),
    }
}

/// The champion, if there is one. A pointer that can't be trusted stops a session before it starts; later on, the old
/// model would trade on.
fn champion(pointer: &PointerReader) -> Result<Option<(Pointer, ModelRef)>, Failure> {
    let champion = pointer.read().map_err(|error| Failure::from(&error))?;
    if let Some((_, model)) = &champion {
        load(&model.dir, &model.sha256).map_err(|error| Failure::input(chain(&error)))?;
    }
    Ok(champion)
}

/// Refuses bars of another market than the champion's.
fn check_market(champion: &Pointer, config: &LiveConfig, timeframe: Timeframe) -> Result<(), Failure> {
    let Pointer { line, symbol, .. } = champion;
    if *symbol == config.symbol && champion.timeframe == timeframe {
        return Ok(());
    }
    Err(Failure::input(format!(
        "line '{line}' holds {symbol} {} models, the bars are {} {timeframe}: choose bars of its market, or another \
         --line",
        champion.timeframe, config.symbol
    )))
}

async fn trade(trader: Trader, cancel: CancelToken, output: Output) -> Result<SessionSummary, Failure> {
    let cannot_listen = |error: anyhow::Error| Failure::stage(format!("{error:#}"));
    let stop = stop_requested().map_err(cannot_listen)?;
    let mut halts = HaltRequests::listen().map_err(cannot_listen)?;
    let handle = trader.handle();
    let session = trader.run();
    let watch = show_status(handle.clone(), output);
    tokio::pin!(session, stop, watch);
    let mut stopping = false;
    loop {
        tokio::select! {
            summary = &mut session => return summary.map_err(failure),
            () = &mut stop, if !stopping => {
                stopping = true;
                cancel.cancel();
            }
            () = halts.next() => halt_now(&handle),
            () = &mut watch => {}
        }
    }
}

fn halt_now(handle: &TraderHandle) {
    if let Err(error) = handle.command(Command::Halt { reason: "SIGUSR1".to_owned() }) {
        tracing::error!(%error, "SIGUSR1 did not halt the session");
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

/// Ends a halt of the session.
pub(crate) fn acknowledge(config: &LiveConfig, reason: &str, output: Output) -> Result<(), Failure> {
    check_is_session(&config.journal)?;
    acknowledge_session(&config.journal, reason).map_err(failure)?;
    print::told("acknowledged: the session goes on, at once where it runs, else with its next start", output)
}

/// Halts the session.
pub(crate) fn halt(config: &LiveConfig, reason: &str, output: Output) -> Result<(), Failure> {
    check_is_session(&config.journal)?;
    halt_session(&config.journal, reason).map_err(failure)?;
    print::told("halted: no orders until `live-trader resume --ack REASON`", output)
}

fn check_is_session(journal: &Path) -> Result<(), Failure> {
    match journal.is_dir() {
        true => Ok(()),
        false => Err(Failure::input(format!(
            "there is no journal {}: name the session's with --journal",
            journal.display()
        ))),
    }
}

fn failure(error: LiveError) -> Failure {
    match error.kind() {
        ErrorKind::BadInput => Failure::input(chain(&error)),
        _ => Failure::from_error(&error),
    }
}
