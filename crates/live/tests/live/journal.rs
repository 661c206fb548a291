//! What the journal is good for.

use walkforward_live::{JournalRecord, LiveError, SessionHeader, replay_journal, replay_journal_with};

use crate::common::{Champion, ListFeed, Workplace, hour, walk};

async fn traded() -> Workplace {
    let place = Workplace::new();
    let champion = Champion::of(&place.model(1));
    place.trade(ListFeed::of(walk(9, 200).iter()), champion).await.unwrap();
    place
}

#[tokio::test]
async fn a_journal_replays_to_identical_decisions() {
    let place = traded().await;
    let report = replay_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical());
    assert_eq!((report.sessions, report.bars, report.decisions), (1, 200, 194));
}

#[tokio::test]
async fn a_replay_with_another_model_finds_the_differences() {
    let place = traded().await;
    let other = place.model(2);
    let load = |_: &_| Ok(walkforward_policy::load(&other.dir, &other.sha256).unwrap());
    let report = replay_journal_with(&place.journal(), load).unwrap();
    assert!(report.mismatch_count > 10 && !report.is_identical());
    assert!(report.mismatches.len() <= 100);
}

#[tokio::test]
async fn a_replay_refuses_a_model_whose_file_has_changed() {
    let place = traded().await;
    let file = place.model(1).dir.join(walkforward_policy::WEIGHTS_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = replay_journal(&place.journal(), &place.models_dir()).unwrap_err();
    assert!(matches!(error, LiveError::Model { .. }), "{error}");
}

#[tokio::test]
async fn a_journal_opens_with_the_session_and_ends_with_its_figures() {
    let place = traded().await;
    let records = place.records();
    let Some(JournalRecord::Session(header)) = records.first() else { panic!("{:?}", records.first()) };
    assert_eq!((header.schema, header.timeframe, header.warm_up_bars), (SessionHeader::SCHEMA, hour(), 0));
    assert_eq!(header.open_position_at_swap, "inherit");
    let Some(JournalRecord::End(summary)) = records.last() else { panic!("{:?}", records.last()) };
    let equity: Vec<f64> = place.bars().iter().map(|bar| bar.equity).collect();
    assert_eq!(summary.equity, *equity.last().unwrap());
    let mut peak = 10_000f64;
    let falls = equity.iter().map(|&equity| {
        peak = peak.max(equity);
        1.0 - equity / peak
    });
    assert_eq!(summary.max_drawdown, falls.fold(0.0, f64::max));
    assert!((summary.total_return - (summary.equity / 10_000.0 - 1.0)).abs() < 1e-15);
}

#[tokio::test]
async fn a_second_session_continues_the_journal() {
    let place = traded().await;
    let champion = Champion::of(&place.model(1));
    place.trade(ListFeed::of(walk(9, 200).iter()), champion).await.unwrap();
    let report = replay_journal(&place.journal(), &place.models_dir()).unwrap();
    assert_eq!((report.sessions, report.decisions), (2, 388));
    let bars = place.bars();
    assert_eq!(bars[..200], bars[200..], "the same bars and model give the same session");
}

#[tokio::test]
async fn a_torn_journal_replays_up_to_its_last_whole_record() {
    let place = traded().await;
    let bytes = std::fs::read(place.journal()).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    std::fs::write(place.journal(), &bytes[..last + 20]).unwrap();
    let report = replay_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical());
    assert_eq!((report.bars, report.decisions, report.torn_bytes), (200, 194, 20));
}

#[tokio::test]
async fn a_journal_that_is_damaged_before_its_end_is_not_replayed() {
    let place = traded().await;
    let text = std::fs::read_to_string(place.journal()).unwrap();
    std::fs::write(place.journal(), text.replacen("\"present\":true", "\"present\":null", 1)).unwrap();
    let error = replay_journal(&place.journal(), &place.models_dir()).unwrap_err();
    assert!(matches!(error, LiveError::Journal(_)), "{error}");
}
