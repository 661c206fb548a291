//! What the journal is good for: the session again, to the last bit.

use walkforward_live::{
    EventRecord, JournalRecord, LiveError, SegmentHeader, SegmentStart, SwapRule, verify_journal,
    verify_journal_with,
};

use crate::common::{Champion, ListFeed, Workplace, hour, walk};
use crate::segments::segment;

async fn traded() -> Workplace {
    let place = Workplace::new();
    let champion = Champion::of(&place.model(1));
    place.trade(ListFeed::of(walk(9, 200).iter()), champion).await.unwrap();
    place
}

#[tokio::test]
async fn a_session_runs_again_from_its_journal_to_the_last_bit() {
    let place = traded().await;
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:?}");
    assert_eq!((report.sessions, report.segments, report.bars, report.decisions), (1, 1, 200, 194));
    assert!(report.fills > 10);
    assert_eq!((report.without_weights, report.on_recorded_observations), (0, 0));
}

#[tokio::test]
async fn with_another_model_the_first_difference_is_named() {
    let place = traded().await;
    let other = place.model(2);
    let load = |_: &_| Ok(Some(walkforward_policy::load(&other.dir, &other.sha256).unwrap()));
    let report = verify_journal_with(&place.journal(), load).unwrap();
    assert!(!report.is_identical());
    assert_eq!((report.difference_count, report.bars), (1, 200));
    let difference = &report.differences[0];
    assert!(difference.reason.contains("its action is"), "{difference:?}");
    assert!(difference.open_time.is_some() && difference.path.ends_with("00000001.journal"));
}

#[tokio::test]
async fn a_model_whose_weights_have_changed_is_refused() {
    let place = traded().await;
    let file = place.model(1).dir.join(walkforward_policy::WEIGHTS_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = verify_journal(&place.journal(), &place.models_dir()).unwrap_err();
    assert!(matches!(error, LiveError::Model { .. }), "{error}");
}

#[tokio::test]
async fn where_the_weights_are_gone_recorded_decisions_are_followed_and_counted() {
    let place = traded().await;
    std::fs::remove_file(place.model(1).dir.join(walkforward_policy::WEIGHTS_FILE)).unwrap();
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:?}");
    assert_eq!((report.decisions, report.without_weights), (0, 194));
    assert!(report.fills > 10, "fills and ledger are made again all the same");
}

#[tokio::test]
async fn a_segment_opens_with_what_the_session_runs_under_and_ends_with_its_figures() {
    let place = traded().await;
    let records = place.records();
    let [JournalRecord::Header(header), JournalRecord::Checkpoint(checkpoint), ..] = &records[..] else {
        panic!("{:?}", &records[..2])
    };
    assert_eq!((header.schema, header.segment, header.start), (SegmentHeader::SCHEMA, 1, SegmentStart::New));
    assert_eq!((header.timeframe, header.swap, header.history_bars), (hour(), SwapRule::Inherit, 0));
    assert_eq!((checkpoint.bars, checkpoint.last_bar, &checkpoint.model), (0, None, &None));
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
    assert!(matches!(place.events()[..], [EventRecord::Swapped { from: None, flatten: false, .. }]));
}

#[tokio::test]
async fn a_second_session_in_the_same_folder_starts_anew_and_keeps_the_deployment() {
    let place = traded().await;
    let champion = Champion::of(&place.model(1));
    place.trade(ListFeed::of(walk(9, 200).iter()), champion).await.unwrap();
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:?}");
    assert_eq!((report.sessions, report.segments, report.decisions), (2, 2, 388));
    let bars = place.bars();
    assert_eq!(bars[..200], bars[200..], "the same bars and model give the same session");
    let deployments: Vec<String> = place.headers().into_iter().map(|header| header.deployment).collect();
    assert_eq!(deployments[0], deployments[1]);
}

#[tokio::test]
async fn a_torn_journal_runs_again_up_to_its_last_whole_record() {
    let place = traded().await;
    let path = segment(&place.journal(), 1);
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    std::fs::write(&path, &bytes[..last + 20]).unwrap();
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical());
    assert_eq!((report.bars, report.decisions, report.torn_bytes), (200, 194, 20));
}

#[tokio::test]
async fn a_journal_that_is_damaged_before_its_end_is_not_run_again() {
    let place = traded().await;
    let path = segment(&place.journal(), 1);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"present\":true", "\"present\":null", 1)).unwrap();
    let error = verify_journal(&place.journal(), &place.models_dir()).unwrap_err();
    assert!(matches!(error, LiveError::Journal(_)), "{error}");
}

#[tokio::test]
async fn what_is_no_journal_is_refused_by_name() {
    let place = Workplace::new();
    let error = verify_journal(&place.journal(), &place.models_dir()).unwrap_err();
    assert!(matches!(error, LiveError::NoJournal { .. }), "{error}");
    std::fs::create_dir_all(place.journal().parent().unwrap()).unwrap();
    std::fs::write(place.journal(), "bars").unwrap();
    for error in [
        verify_journal(&place.journal(), &place.models_dir()).unwrap_err(),
        place.trade(ListFeed::of([]), walkforward_live::NoChampion).await.unwrap_err(),
    ] {
        assert!(matches!(error, LiveError::NotAFolder { .. }), "{error}");
        assert_eq!(error.kind(), walkforward_core::ErrorKind::BadInput);
    }
    assert_eq!(std::fs::read_to_string(place.journal()).unwrap(), "bars");
}
