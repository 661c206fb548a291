//! One session, and the check of its journal.

use std::sync::Arc;
use std::time::Duration;

use walkforward::clock::SystemClock;
use walkforward::config::LiveConfig;
use walkforward::failure::{Failure, chain};
use walkforward::settings::Output;
use walkforward::signals;
use walkforward_core::{
    Bar, BarFeed, BarRequest, CancelToken, ErrorKind, ModelRef, SourceBars, Timeframe, Timestamp,
};
use walkforward_engine::FillModel;
use walkforward_etl::{ReplayFeed, SyntheticFeed, SyntheticSource};
use walkforward_live::{
    LiveError, PaperBroker, SessionSummary, Trader, TraderHandle, TraderOptions, TraderPorts, TraderStatus,
    replay_journal,
};
use walkforward_policy::load;
use walkforward_store::{Pointer, PointerReader};

use crate::print;

/// Bars of a synthetic session that names no number.
const DEFAULT_SYNTHETIC_BARS: usize = 1_000;
/// How often a person sees where a paced session is.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// The bars of a session: those that warm features up, and the feed.
struct Market {
    timeframe: Timeframe,
    warm_up: Vec<Bar>,
    feed: Box<dyn BarFeed>,
}

/// Trades until the bars end or a signal comes.
pub(crate) fn run(config: &LiveConfig, output: Output) -> Result<(), Failure> {
    let pointer = PointerReader::new(&config.models_dir, config.line.clone());
    let champion = champion(&pointer)?;
    let seen_until = champion.as_ref().map(|(_, model)| model.lineage_until);
    let Market { timeframe, warm_up, feed } = market(config, seen_until)?;
    match &champion {
        Some((champion, _)) => check_market(champion, config, timeframe)?,
        None => print::no_champion(&pointer.path(), output)?,
    }
    let options = TraderOptions {
        session: config.session,
        speed: config.speed,
        warm_up,
        ..TraderOptions::new(config.symbol.clone(), timeframe, config.journal.clone())
    };
    let ports = TraderPorts {
        feed,
        broker: Box::new(PaperBroker::new(FillModel::new(&config.session))),
        champion: Box::new(pointer),
        clock: Arc::new(SystemClock::start()),
    };
    let cancel = CancelToken::default();
    let trader = Trader::new(options, ports, cancel.clone()).map_err(failure)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let summary = runtime.block_on(trade(trader, cancel, output))?;
    print::summary(&summary, &config.journal, output)
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
    let stop = signals::stop_requested().map_err(|error| Failure::stage(format!("{error:#}")))?;
    let handle = trader.handle();
    let session = trader.run();
    let watch = show_status(handle, output);
    tokio::pin!(session, stop, watch);
    let mut stopping = false;
    loop {
        tokio::select! {
            summary = &mut session => return summary.map_err(failure),
            () = &mut stop, if !stopping => {
                stopping = true;
                cancel.cancel();
            }
            () = &mut watch => {}
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

fn market(config: &LiveConfig, seen_until: Option<Timestamp>) -> Result<Market, Failure> {
    let all = BarRequest::new(config.symbol.clone(), usize::MAX);
    let request = BarRequest { timeframe: config.timeframe, ..all };
    let Some(answer) = config.source.read_file(&request) else {
        return synthetic(config, seen_until);
    };
    let SourceBars { bars, origin, .. } = answer?;
    let timeframe = bars.timeframe();
    let first = config.from.map_or(0, |from| bars.index_at_or_after(from));
    let last = config.bars.map_or(bars.len(), |count| first.saturating_add(count).min(bars.len()));
    if first >= last {
        return Err(no_bars(config, &origin));
    }
    let warm_up = bars.slice(first.saturating_sub(TraderOptions::DEFAULT_HISTORY_BARS)..first);
    let feed = Box::new(ReplayFeed::new(bars.slice(first..last)));
    Ok(Market { timeframe, warm_up: warm_up.iter().collect(), feed })
}

fn no_bars(config: &LiveConfig, origin: &str) -> Failure {
    let from = config.from.map_or_else(String::new, |from| format!(" at or after --from {from}"));
    Failure::input(format!("{origin} has no bars{from}"))
}

/// Bars after the end of the built-in training window and of what the champion has seen, unless `--from` says
/// otherwise.
fn synthetic(config: &LiveConfig, seen_until: Option<Timestamp>) -> Result<Market, Failure> {
    let source = SyntheticSource::new(config.seed);
    let timeframe = config.timeframe.unwrap_or(Timeframe::HOUR);
    let after_training = Some(SyntheticSource::default_as_of()).max(seen_until);
    let start = config.from.or(after_training).unwrap_or_else(SyntheticSource::default_as_of);
    let request = BarRequest {
        timeframe: Some(timeframe),
        as_of: Some(start),
        ..BarRequest::new(config.symbol.clone(), TraderOptions::DEFAULT_HISTORY_BARS)
    };
    let before = source.read(&request).map_err(|error| Failure::input(chain(&error)))?.bars;
    let bars = config.bars.unwrap_or(DEFAULT_SYNTHETIC_BARS);
    let span_ms = timeframe.millis().saturating_mul(i64::try_from(bars).unwrap_or(i64::MAX));
    let end = timeframe.floor(start).plus_millis(span_ms);
    let feed = Box::new(SyntheticFeed::new(&source, timeframe, start, Some(end)));
    Ok(Market { timeframe, warm_up: before.iter().collect(), feed })
}

/// Decides the journal's bars again.
pub(crate) fn verify(config: &LiveConfig, output: Output) -> Result<(), Failure> {
    if !config.journal.is_file() {
        return Err(Failure::input(format!(
            "there is no journal {}: name it with --journal",
            config.journal.display()
        )));
    }
    let report = replay_journal(&config.journal, &config.models_dir).map_err(failure)?;
    print::verified(&report, &config.journal, output)?;
    if report.is_identical() {
        return Ok(());
    }
    Err(Failure::stage(format!("{} decisions came out differently", report.mismatch_count)))
}

fn failure(error: LiveError) -> Failure {
    match error.kind() {
        ErrorKind::BadInput => Failure::input(chain(&error)),
        _ => Failure::from_error(&error),
    }
}
