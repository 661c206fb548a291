//! Months of minutes through one trader: each month has its model, and the journal keeps only its newest segments.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use walkforward_core::{
    Bar, BarFeed, CancelToken, ManualClock, ModelRef, PolicySpec, SourceError, Timeframe,
};
use walkforward_engine::{FillModel, SessionConfig};
use walkforward_live::{
    JournalBounds, LiveError, PaperBroker, ReplayedBars, SessionLimits, SessionSummary, Trader, TraderHandle,
    TraderOptions, TraderPorts, recover,
};
use walkforward_store::sha256_file;

use crate::common::{Champion, Walk, at, features, spec, write_model};

/// Models that take turns.
const MODELS: usize = 5;
/// Prices move as those of minutes do.
const CALM: f64 = 0.02;
/// So small a position, and so low costs, that years of orders neither end the session nor make it own the market.
const CASH: f64 = 1e6;
const MAX_POSITION: f64 = 0.03;
const FEE_BPS: f64 = 2.0;
const SLIPPAGE_BPS: f64 = 1.0;

/// How long it is, and what its journal keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Soak {
    pub(crate) months: usize,
    pub(crate) month_bars: usize,
    pub(crate) bounds: JournalBounds,
    pub(crate) history_bars: usize,
}

/// Called before the first bar of a month, and after the last.
pub(crate) type OnMonth = Box<dyn FnMut(usize) + Send>;

/// Minutes that are always the same.
struct Minutes(Walk);

impl Minutes {
    fn next_bar(&mut self) -> Bar {
        let index = self.0.index;
        let bar = self.0.next_bar();
        let open_time = at(0).plus_millis(index as i64 * Timeframe::MINUTE.millis());
        let [open, high, low, close] =
            [bar.open(), bar.high(), bar.low(), bar.close()].map(|price| 100.0 + CALM * (price - 100.0));
        Bar::new(open_time, open, high, low, close, bar.volume()).unwrap()
    }
}

struct MonthlyFeed {
    minutes: Minutes,
    soak: Soak,
    champion: Champion,
    models: Vec<ModelRef>,
    handle: Arc<OnceLock<TraderHandle>>,
    on_month: OnMonth,
}

impl MonthlyFeed {
    /// Names the model of the month that begins, and waits until it is there: so that it decides from the same bar on
    /// whenever this runs.
    async fn begin_month(&mut self, month: usize) {
        (self.on_month)(month);
        let wanted = self.models[month % MODELS].clone();
        *self.champion.0.lock().unwrap() = Some(wanted.clone());
        let slot = Arc::clone(self.handle.get().unwrap().slot());
        while slot.load().is_none_or(|offered| offered.model_id != wanted.id) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

#[async_trait]
impl BarFeed for MonthlyFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        let Soak { months, month_bars, .. } = self.soak;
        let index = self.minutes.0.index;
        if index == months * month_bars {
            (self.on_month)(months);
            return Ok(None);
        }
        if index.is_multiple_of(month_bars) {
            self.begin_month(index / month_bars).await;
        }
        Ok(Some(self.minutes.next_bar()))
    }
}

fn minute_spec() -> PolicySpec {
    PolicySpec { timeframe: Timeframe::MINUTE, ..spec(features()) }
}

fn options(folder: &Path, soak: &Soak) -> TraderOptions {
    let session = SessionConfig {
        initial_cash: CASH,
        fee_bps: FEE_BPS,
        slippage_bps: SLIPPAGE_BPS,
        ..SessionConfig::default()
    };
    let limits = SessionLimits { max_position: MAX_POSITION, ..SessionLimits::default() };
    let minute = minute_spec();
    TraderOptions {
        session,
        limits,
        bounds: soak.bounds,
        history_bars: soak.history_bars,
        resume: true,
        poll_interval: Duration::from_millis(5),
        ..TraderOptions::new(minute.symbol, minute.timeframe, folder.join("journal"))
    }
}

/// Trades in `folder` to the end of the last month, from the start or from where a process before was ended.
pub(crate) async fn trade(folder: &Path, soak: Soak, on_month: OnMonth) -> Result<SessionSummary, LiveError> {
    let options = options(folder, &soak);
    let done = recover(&options.journal)?.map_or(0, |before| before.bars as usize);
    let models: Vec<ModelRef> =
        (0..MODELS).map(|number| write_model(&folder.join("models"), number, &minute_spec())).collect();
    let mut minutes = Minutes(Walk::new(1));
    for _ in 0..done {
        minutes.next_bar();
    }
    let champion = Champion::of(&models[done / soak.month_bars % MODELS]);
    let handle = Arc::<OnceLock<TraderHandle>>::default();
    let feed = MonthlyFeed {
        minutes,
        soak,
        champion: champion.clone(),
        models,
        handle: Arc::clone(&handle),
        on_month,
    };
    let broker = Box::new(PaperBroker::new(FillModel::new(&options.session)));
    let ports = TraderPorts {
        feed: Box::new(ReplayedBars::new(Box::new(feed), Timeframe::MINUTE)),
        backfill: None,
        execution: broker.into(),
        champion: Box::new(champion),
        clock: Arc::new(ManualClock::at(at(0))),
    };
    let trader = Trader::new(options, ports, CancelToken::default())?;
    let _ = handle.set(trader.handle());
    trader.run().await
}

/// SHA-256 of all that the session in `folder` has come to: ledger, order in flight, limits, model, bars.
pub(crate) fn ledger_hash(folder: &Path) -> String {
    let end = recover(&folder.join("journal")).unwrap().unwrap();
    let all = serde_json::json!({
        "desk": end.desk.checkpoint(),
        "model": end.model,
        "last_bar": end.last_bar,
        "bars": end.bars,
    });
    let file = folder.join("ledger.json");
    std::fs::write(&file, all.to_string()).unwrap();
    sha256_file(&file).unwrap()
}

/// Segments of the journal in `folder`, and their bytes.
pub(crate) fn segments(folder: &Path) -> (usize, u64) {
    let Ok(entries) = std::fs::read_dir(folder.join("journal")) else { return (0, 0) };
    let sizes = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        path.extension().filter(|extension| *extension == "journal")?;
        Some(path.metadata().ok()?.len())
    });
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}
