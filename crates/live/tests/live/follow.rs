//! Following a journal: each record once, in order, wherever one begins and however it is cut.

use proptest::prelude::*;
use walkforward_live::{
    Checkpoint, DecisionJournal, Desk, EventRecord, JournalBounds, JournalRecord, JournalTail, SegmentHead,
    SegmentHeader, SegmentStart, SessionLimits, StampedEvent, Tailed, TraderOptions,
};
use walkforward_store::JournalPosition;

use crate::common::{at, hour};

/// A journal to write to.
struct Writer {
    folder: tempfile::TempDir,
    journal: Option<DecisionJournal>,
    keep_segments: usize,
    events: usize,
}

impl Writer {
    fn new(keep_segments: usize) -> Self {
        let mut writer =
            Self { folder: tempfile::tempdir().unwrap(), journal: None, keep_segments, events: 0 };
        writer.start(SegmentStart::New);
        writer
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    /// Another process takes the journal.
    fn start(&mut self, start: SegmentStart) {
        self.journal = None;
        let bounds = JournalBounds { keep_segments: self.keep_segments, ..JournalBounds::default() };
        let journal = DecisionJournal::open(&self.path(), bounds, at(0), Default::default()).unwrap();
        self.journal = Some(journal);
        self.begin(start);
    }

    fn begin(&mut self, start: SegmentStart) {
        let options = TraderOptions::new("BTC/USD".parse().unwrap(), hour(), self.path());
        let mut header = SegmentHeader::new(&options, hour(), "paper", at(0));
        header.start = start;
        let desk = Desk::new(options.session, SessionLimits::default(), 10).unwrap();
        let checkpoint = Checkpoint::new(desk.checkpoint());
        let head = SegmentHead { header, checkpoint, history: Box::new([].iter()) };
        self.journal.as_mut().unwrap().begin(head).unwrap();
    }

    fn append(&mut self) {
        let event = EventRecord::Warning { reason: format!("event {}", self.events) };
        self.events += 1;
        let record = JournalRecord::Event(StampedEvent { at: at(0), event });
        self.journal.as_mut().unwrap().append(&record).unwrap();
    }

    fn position(&self) -> JournalPosition {
        self.journal.as_ref().unwrap().position().unwrap()
    }
}

/// All that the tail gives now: positions and words of events, and gaps.
fn read(tail: &mut JournalTail, until: Option<JournalPosition>) -> Vec<(JournalPosition, String)> {
    let mut found = Vec::new();
    while let Some(tailed) = tail.next(until).unwrap() {
        found.push(match tailed {
            Tailed::Gap { after, segment } => (after, format!("gap before {segment}")),
            Tailed::Record(at, record) => (at, word(&record)),
        });
    }
    found
}

fn word(record: &JournalRecord) -> String {
    match record {
        JournalRecord::Header(header) => format!("header {}", header.segment),
        JournalRecord::Checkpoint(_) => "checkpoint".to_owned(),
        JournalRecord::Event(StampedEvent { event: EventRecord::Warning { reason }, .. }) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

fn place(segment: u64, record: u64) -> JournalPosition {
    JournalPosition { segment, record }
}

#[test]
fn a_tail_gives_what_comes_and_the_journal_says_how_far_it_is_on_the_disk() {
    let mut writer = Writer::new(400);
    let synced = tokio::sync::watch::Sender::new(None);
    let known = synced.subscribe();
    writer.journal.as_mut().unwrap().publish_to(synced);
    assert_eq!((*known.borrow(), writer.position()), (None, place(1, 2)));
    let mut tail = JournalTail::new(&writer.path());
    assert_eq!(read(&mut tail, None).len(), 2);
    writer.append();
    assert_eq!(read(&mut tail, Some(place(1, 2))), []);
    assert_eq!(read(&mut tail, None), [(place(1, 3), "event 0".to_owned())]);
    assert_eq!(*known.borrow(), None);
    writer.journal.as_mut().unwrap().sync().unwrap();
    assert_eq!(*known.borrow(), Some(place(1, 3)));
    writer.append();
    writer.begin(SegmentStart::Continued);
    assert_eq!(*known.borrow(), Some(place(2, 2)));
    let words: Vec<String> = read(&mut tail, None).into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, ["event 1", "header 2", "checkpoint"]);
    drop(writer);
    assert!(known.has_changed().is_err(), "the channel is closed with the journal");
}

#[test]
fn a_head_that_is_not_whole_is_not_given() {
    let mut writer = Writer::new(400);
    writer.append();
    let mut tail = JournalTail::new(&writer.path());
    assert_eq!(read(&mut tail, None).len(), 3);
    writer.begin(SegmentStart::Continued);
    let second = writer.path().join("00000002.journal");
    let whole = std::fs::read(&second).unwrap();
    let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [0, 10, first_line, first_line + 10] {
        std::fs::write(&second, &whole[..cut]).unwrap();
        assert_eq!(read(&mut tail, None), [], "{cut}");
    }
    std::fs::write(&second, &whole).unwrap();
    assert_eq!(read(&mut tail, None).len(), 2);
}

#[test]
fn a_follower_behind_retention_is_told_what_it_missed() {
    let mut writer = Writer::new(2);
    writer.append();
    let mut slow = JournalTail::new(&writer.path());
    assert!(slow.next(None).unwrap().is_some());
    let mut fresh = JournalTail::behind(&writer.path(), place(1, 2));
    for _ in 0..3 {
        writer.begin(SegmentStart::Continued);
        writer.append();
    }
    let mut expected = vec![(place(1, 2), "gap before 3".to_owned())];
    let rest = read(&mut JournalTail::new(&writer.path()), None);
    assert_eq!(rest.first(), Some(&(place(3, 1), "header 3".to_owned())));
    expected.extend(rest.clone());
    assert_eq!(read(&mut fresh, None), expected);
    // One that has the file open reads it to its end.
    let found = read(&mut slow, None);
    assert_eq!(found[..2], [(place(1, 2), "checkpoint".to_owned()), (place(1, 3), "event 0".to_owned())]);
    assert_eq!(found[2], (place(1, 3), "gap before 3".to_owned()));
    assert_eq!(found[3..], rest);
}

#[derive(Debug, Clone)]
enum Step {
    Append,
    Begin,
    Restart,
    /// A process dies with half a record written.
    Tear,
    Read,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Append), 1 => Just(Step::Begin), 1 => Just(Step::Restart), 1 => Just(Step::Tear),
        3 => Just(Step::Read),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_record_comes_once_and_in_order_whatever_happens_to_the_writer(steps in steps(), from in 0..40_usize) {
        let mut writer = Writer::new(400);
        let (mut tail, mut found) = (JournalTail::new(&writer.path()), Vec::new());
        for step in steps {
            match step {
                Step::Append => writer.append(),
                Step::Begin => writer.begin(SegmentStart::Continued),
                Step::Restart => writer.start(SegmentStart::Resumed),
                Step::Tear => {
                    let newest = writer.path().join(format!("{:08}.journal", writer.position().segment));
                    writer.journal = None;
                    let mut bytes = std::fs::read(&newest).unwrap();
                    bytes.extend_from_slice(b"{\"record\":\"ev");
                    std::fs::write(&newest, bytes).unwrap();
                    found.extend(read(&mut tail, None));
                    writer.start(SegmentStart::Resumed);
                }
                Step::Read => found.extend(read(&mut tail, None)),
            }
        }
        found.extend(read(&mut tail, None));
        let all = read(&mut JournalTail::new(&writer.path()), None);
        prop_assert_eq!(&found, &all);
        prop_assert_eq!(all.last().unwrap().0, writer.position());
        prop_assert!(all.windows(2).all(|pair| pair[0].0.leads_to(pair[1].0)));
        // From any position on it is the rest.
        let from = from.min(all.len() - 1);
        let mut rest = JournalTail::behind(&writer.path(), all[from].0);
        prop_assert_eq!(&read(&mut rest, None)[..], &all[from + 1..]);
    }
}
