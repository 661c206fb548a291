//! A session that was killed goes on as if it had not been.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;
use walkforward_core::{CancelToken, ModelRef};
use walkforward_live::{
    BarRecord, Command, JournalBounds, LiveError, SegmentStart, SessionLimits, SessionSummary, SwapRule,
    Trader, TraderOptions, recover, verify_journal,
};

use crate::common::{Champion, Counted, EventfulFeed, Walk, Workplace, at, ports};
use crate::segments::segment;

const BARS: usize = 90;
/// Before which bar which model becomes champion, and what somebody says.
const MOVES: [(usize, usize); 3] = [(0, 1), (35, 2), (60, 3)];

fn commands() -> Vec<(usize, Command)> {
    let reason = || "a test".to_owned();
    vec![
        (20, Command::Pause { reason: reason() }),
        (24, Command::Resume { reason: reason() }),
        (45, Command::Flatten { reason: reason() }),
        (50, Command::Resume { reason: reason() }),
        (70, Command::Halt { reason: reason(), flatten: false }),
        (74, Command::Acknowledge { reason: reason() }),
    ]
}

fn options(place: &Workplace, swap: SwapRule) -> TraderOptions {
    let limits = SessionLimits {
        max_daily_loss: Some(0.02),
        max_drawdown: Some(0.5),
        max_orders_per_hour: Some(1),
        ..SessionLimits::default()
    };
    let bounds = JournalBounds { segment_bytes: 30_000, keep_segments: 100 };
    TraderOptions { limits, swap, bounds, resume: true, ..place.options() }
}

/// Trades from bar 0 to the end; what happened before bar `from` has happened.
async fn trade(
    place: &Workplace,
    swap: SwapRule,
    seed: u64,
    from: usize,
) -> Result<SessionSummary, LiveError> {
    let models: Vec<ModelRef> = (0..4).map(|number| place.model(number)).collect();
    let is_done = |bar: usize| bar < from || bar == 0;
    let (_, first) = MOVES.iter().rev().find(|(bar, _)| is_done(*bar)).unwrap();
    let champion = Champion::of(&models[*first]);
    let looks = Arc::new(AtomicU64::new(0));
    let handle: Arc<std::sync::OnceLock<walkforward_live::TraderHandle>> = Arc::default();
    let mut events: Vec<(usize, Box<dyn FnMut() + Send>)> = Vec::new();
    for (bar, model) in MOVES.iter().filter(|(bar, _)| !is_done(*bar)) {
        let (champion, model) = (champion.clone(), models[*model].clone());
        events.push((*bar, Box::new(move || *champion.0.lock().unwrap() = Some(model.clone()))));
    }
    for (bar, command) in commands().into_iter().filter(|(bar, _)| *bar >= from) {
        let handle = Arc::clone(&handle);
        events.push((bar, Box::new(move || handle.get().unwrap().command(command.clone()).unwrap())));
    }
    let feed = EventfulFeed { walk: Walk::new(seed), bars: BARS, events, looks: Arc::clone(&looks) };
    let ports = ports(Box::new(feed), Box::new(Counted(champion, looks)));
    let trader = Trader::new(options(place, swap), ports, CancelToken::default()).unwrap();
    handle.set(trader.handle()).ok().unwrap();
    trader.run().await
}

/// The segments' bytes one after the other, and where each ends.
fn journal_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    (1..)
        .map(|number| segment(folder, number))
        .map_while(|path| {
            let bytes = fs::read(&path).ok()?;
            Some((path, bytes))
        })
        .collect()
}

/// Leaves of the journal what had been written when it was `len` bytes long in all.
fn cut(segments: &[(PathBuf, Vec<u8>)], mut len: usize) {
    for (path, bytes) in segments {
        let kept = len.min(bytes.len());
        len -= kept;
        if kept > 0 {
            fs::write(path, &bytes[..kept]).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Bars with commands at the same places: a command that came between two bars and was not journalled comes again.
fn next_bar(bars: &[BarRecord]) -> usize {
    bars.len()
}

async fn check(seed: u64, swap: SwapRule, cut_share: f64) {
    let place = Workplace::new();
    trade(&place, swap, seed, 0).await.unwrap();
    let whole = place.bars();
    assert_eq!(whole.len(), BARS);
    assert!(whole.iter().any(|bar| !bar.fills.is_empty()));
    let segments = journal_bytes(&place.journal());
    assert!(segments.len() > 2, "{} segments", segments.len());
    let head = segments[0].1.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    let total: usize = segments.iter().map(|(_, bytes)| bytes.len()).sum();
    cut(&segments, head + ((total - head) as f64 * cut_share) as usize);

    let kept = place.bars();
    let before = recover(&place.journal()).unwrap().unwrap();
    assert_eq!(before.bars as usize, kept.len());
    let summary = trade(&place, swap, seed, next_bar(&kept)).await.unwrap();
    let both = place.bars();
    assert_eq!(both[..kept.len()], kept[..]);
    for (index, (bar, expected)) in both.iter().zip(&whole).enumerate() {
        assert_eq!(bar.open_time, at(index), "each bar once, in order");
        assert_eq!(bar, expected, "bar {index}, killed at {}", kept.len());
    }
    assert_eq!(both.len(), BARS);
    assert_eq!(summary.equity.to_bits(), whole.last().unwrap().equity.to_bits());
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:?}");
    assert_eq!((report.sessions, report.on_recorded_observations), (1, 0));
    let starts: Vec<SegmentStart> = place.headers().into_iter().map(|header| header.start).collect();
    assert_eq!(starts.iter().filter(|start| **start == SegmentStart::Resumed).count(), 1, "{starts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn killed_after_any_record_or_inside_one_the_session_goes_on_to_the_same_bits(
        seed in 1u64..1_000,
        cut_share in 0.0f64..1.0,
        flatten in any::<bool>(),
    ) {
        let swap = if flatten { SwapRule::Flatten } else { SwapRule::Inherit };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(seed, swap, cut_share));
    }
}
