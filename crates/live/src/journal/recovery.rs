//! Going on with a session: the newest segment's checkpoint, and each record after it through the same desk.

use std::path::Path;

use walkforward_core::{Bar, Target, Timeframe, Timestamp};
use walkforward_engine::EngineError;

use super::reader::Segment;
use super::{
    BarRecord, JournalRecord, ModelStamp, SegmentHeader, SessionCounts, segment_numbers, segment_path,
};
use crate::conditions::apply;
use crate::control::{Teller, events_of};
use crate::{Desk, LiveError, OrderDesk, OrderRecord};

/// A session as its journal left it.
pub struct Recovered {
    /// What it ran under.
    pub header: SegmentHeader,
    /// What it had come to.
    pub desk: Desk,
    /// The model that decided last.
    pub model: Option<ModelStamp>,
    /// Start of its last bar.
    pub last_bar: Option<Timestamp>,
    /// Its bars, over all processes.
    pub bars: u64,
    /// Bars for which a newer model has waited for the position to end.
    pub waited: u32,
    /// Its orders at the venue; none on paper.
    pub orders: Option<OrderDesk>,
    /// Bytes of a record at the end of its newest segment that a crash left unfinished, or a session is writing.
    pub torn_bytes: u64,
    /// What it has counted.
    pub counts: SessionCounts,
    teller: Teller,
}

/// The session that the newest whole segment in `folder` has come to; none where there is none. What a crash left
/// unfinished behind it never counted.
///
/// # Errors
/// A segment that can't be read, or a record that says something else than the session comes to: it is named, and
/// nothing is guessed.
pub fn recover(folder: &Path) -> Result<Option<Recovered>, LiveError> {
    let Some(mut segment) = newest_segment(folder)? else { return Ok(None) };
    let mut recovered = Recovered::at(&segment)?;
    while let Some(record) = segment.records.next().transpose()? {
        recovered.take(record).map_err(|reason| segment.records.refuse(&reason))?;
    }
    recovered.torn_bytes = segment.records.torn_bytes();
    Ok(Some(recovered))
}

/// The newest segment whose head is whole.
fn newest_segment(folder: &Path) -> Result<Option<Segment>, LiveError> {
    for number in segment_numbers(folder)?.into_iter().rev() {
        if let Some(segment) = Segment::open(&segment_path(folder, number))? {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

/// The header of the newest whole segment in `folder`; none where there is none.
pub(crate) fn newest_header(folder: &Path) -> Result<Option<SegmentHeader>, LiveError> {
    Ok(newest_segment(folder)?.map(|segment| segment.header))
}

impl Recovered {
    /// The session where `segment` begins.
    pub(crate) fn at(segment: &Segment) -> Result<Self, LiveError> {
        let checkpoint = &segment.checkpoint;
        let desk = desk_at(segment)?;
        Ok(Self {
            header: segment.header.clone(),
            teller: Teller::new(desk.risk().mode()),
            counts: checkpoint.counts,
            desk,
            model: checkpoint.model.clone(),
            last_bar: checkpoint.last_bar,
            bars: checkpoint.bars,
            waited: checkpoint.waited,
            orders: checkpoint.orders.as_deref().cloned(),
            torn_bytes: 0,
        })
    }

    /// Lets it do what it did at a record, and compares what that comes to.
    pub(crate) fn take(&mut self, record: JournalRecord) -> Result<(), String> {
        self.counts.events += events_of(&record).count() as u64;
        self.carry(record)?;
        self.counts.events += u64::from(self.teller.settled(self.desk.risk().mode()).is_some());
        Ok(())
    }

    fn carry(&mut self, record: JournalRecord) -> Result<(), String> {
        match record {
            JournalRecord::Bar(record) => {
                self.counts.missed += u64::from(record.missed);
                take_bar(&mut self.desk, &record, self.header.timeframe)?;
                self.model = record.model;
                self.waited = record.waited;
                self.last_bar = Some(record.open_time);
                self.bars += 1;
                Ok(())
            }
            JournalRecord::Again(record) => {
                same_figures(&self.desk, &record)?;
                follow_as_recorded(&mut self.desk, &record, self.header.timeframe)
            }
            JournalRecord::Order(record) => take_order(&mut self.desk, self.orders.as_mut(), &record),
            JournalRecord::Event(event) => {
                apply(&mut self.desk, &event.event, event.at);
                Ok(())
            }
            JournalRecord::End(_) => Ok(()),
            JournalRecord::Header(_) | JournalRecord::Checkpoint(_) | JournalRecord::History { .. } => {
                Err("a head stands in the middle of a segment".to_owned())
            }
        }
    }
}

/// The desk that a segment begins with.
pub(super) fn desk_at(segment: &Segment) -> Result<Desk, EngineError> {
    let SegmentHeader { config, limits, kept_bars, .. } = segment.header;
    let mut desk = Desk::resume(config, limits, kept_bars, &segment.checkpoint.desk)?;
    for bar in &segment.history {
        desk.warm_up(bar)?;
    }
    Ok(desk)
}

/// Lets `desk` do what it did at a bar, and compares what that comes to with the record.
fn take_bar(desk: &mut Desk, record: &BarRecord, timeframe: Timeframe) -> Result<(), String> {
    let bar = record.bar().map_err(|error| error.to_string())?;
    close_as_recorded(desk, record, &bar, timeframe)?;
    follow_as_recorded(desk, record, timeframe)
}

/// Goes for what was followed then, and compares the order.
pub(crate) fn follow_as_recorded(
    desk: &mut Desk,
    record: &BarRecord,
    timeframe: Timeframe,
) -> Result<(), String> {
    let at = record.open_time.plus_millis(timeframe.millis());
    // A refusal of the risk checks leaves no order, as it did then.
    let go_for = |target: Target| desk.go_for(target, at, !record.is_retry).ok().flatten();
    let order = record.followed.map(Target::from).and_then(go_for);
    same("order", &record.order, &order.map(|approved| *approved.order()))
}

/// Takes a record about an order; what it booked goes into the ledger.
pub(crate) fn take_order(
    desk: &mut Desk,
    orders: Option<&mut OrderDesk>,
    record: &OrderRecord,
) -> Result<(), String> {
    let orders = orders.ok_or("an order at a venue stands in a session on paper")?;
    let booking = match record {
        OrderRecord::Booked(booking) => Some(booking),
        _ => None,
    };
    let is_refused = booking.is_some_and(|booking| !orders.takes(booking));
    orders.replay(record).map_err(|error| error.to_string())?;
    if is_refused {
        // An earlier version wrote it down and then failed: it never was in the ledger. The position is compared anyway.
        tracing::warn!(?record, "a sale of more than there was never came into the ledger: it is left out");
    } else if let Some(booking) = booking {
        desk.book_between_bars(&booking.fill).map_err(|error| error.to_string())?;
    }
    same("position", &orders.position(), &desk.session().position())
}

/// Books the record's fills and closes its bar, and compares the ledger.
pub(crate) fn close_as_recorded(
    desk: &mut Desk,
    record: &BarRecord,
    bar: &Bar,
    timeframe: Timeframe,
) -> Result<(), String> {
    for fill in &record.fills {
        desk.book(fill).map_err(|error| error.to_string())?;
    }
    let closed = desk.close(bar, bar.close_time(timeframe)).map_err(|error| error.to_string())?;
    let liquidation = closed.liquidation;
    same("liquidation", &record.liquidation, &liquidation)?;
    same_figures(desk, record)
}

/// Compares ledger and mode after the bar's close, bit for bit.
pub(crate) fn same_figures(desk: &Desk, record: &BarRecord) -> Result<(), String> {
    let session = desk.session();
    for (name, recorded, now) in
        [("equity", record.equity, session.equity()), ("cash", record.cash, session.cash())]
    {
        if recorded.to_bits() != now.to_bits() {
            return Err(differs(name, &recorded, &now));
        }
    }
    same("position", &record.position, &session.position())?;
    same("mode", &record.mode, &desk.risk().mode())
}

/// An error where `recorded` is not `now`.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(name: &str, recorded: &T, now: &T) -> Result<(), String> {
    if recorded == now { Ok(()) } else { Err(differs(name, recorded, now)) }
}

fn differs(name: &str, recorded: &impl std::fmt::Debug, now: &impl std::fmt::Debug) -> String {
    format!("its {name} is {recorded:?}, and the session comes to {now:?}")
}
