//! A segment run again up to a bar, and on to what became of its order.

use std::path::Path;

use walkforward_core::Fill;

use super::choice::Place;
use super::fate::{Fates, OrderFate};
use super::fork;
use crate::journal::{
    BarRecord, EventRecord, JournalRecord, ModelStamp, Recovered, Segment, SegmentHeader, SegmentStart,
    close_as_recorded, follow_as_recorded, same_figures, take_order,
};
use crate::{Desk, LiveError};

/// Bars after the one in question for which its orders at a venue are followed: the next bar ends them.
const FOLLOWED_BARS: u32 = 3;

/// A bar, and all that led to it and came of it.
pub(super) struct AtBar {
    pub(super) header: SegmentHeader,
    /// The bar as it was decided last.
    pub(super) record: BarRecord,
    pub(super) decided_again: u32,
    /// The desk after the bar's close, before that decision.
    pub(super) desk: Desk,
    /// The model that the one of the bar took over from in this segment, where that happened in it.
    pub(super) swap: Option<Option<ModelStamp>>,
    pub(super) fills: Vec<Fill>,
    pub(super) orders: Vec<OrderFate>,
}

/// Runs the segment of `place` again up to its bar, and reads on.
pub(super) fn replay(place: &Place) -> Result<AtBar, LiveError> {
    let path = &place.paths[place.segment];
    let segment = Segment::open(path)?;
    let mut segment =
        segment.ok_or_else(|| LiveError::NoBar { path: path.clone(), wanted: "whole head".to_owned() })?;
    let mut session = Recovered::at(&segment)?;
    let (mut bars, mut swaps) = (0, Vec::new());
    while let Some(record) = segment.records.next().transpose()? {
        match record {
            JournalRecord::Bar(record) if bars == place.bar => {
                let read_on = ReadOn { session, swaps, fates: Fates::of(record.open_time) };
                return read_on.from(*record, segment, &place.paths[place.segment + 1..]);
            }
            record => {
                bars += u64::from(matches!(record, JournalRecord::Bar(_)));
                note_swap(&record, &mut swaps);
                session.take(record).map_err(|reason| segment.records.refuse(&reason))?;
            }
        }
    }
    Err(LiveError::NoBar { path: path.clone(), wanted: format!("bar {}", place.bar + 1) })
}

/// The newest swap of a segment; the list keeps no other.
fn note_swap(record: &JournalRecord, swaps: &mut Vec<(Option<ModelStamp>, ModelStamp)>) {
    if let JournalRecord::Event(stamped) = record
        && let EventRecord::Swapped { from, to, .. } = &stamped.event
    {
        swaps.clear();
        swaps.push((from.clone(), to.clone()));
    }
}

/// What is known where the bar in question comes.
struct ReadOn {
    session: Recovered,
    swaps: Vec<(Option<ModelStamp>, ModelStamp)>,
    fates: Fates,
}

/// What is read on for.
struct Following {
    record: BarRecord,
    decided_again: u32,
    desk: Desk,
    fills: Vec<Fill>,
    bars: u32,
}

impl ReadOn {
    fn from(
        mut self,
        record: BarRecord,
        mut segment: Segment,
        later: &[std::path::PathBuf],
    ) -> Result<AtBar, LiveError> {
        let refused = |segment: &Segment, reason: String| segment.records.refuse(&reason);
        let (header, timeframe) = (self.session.header.clone(), self.session.header.timeframe);
        let bar = record.bar().map_err(|error| refused(&segment, error.to_string()))?;
        close_as_recorded(&mut self.session.desk, &record, &bar, timeframe)
            .map_err(|reason| refused(&segment, reason))?;
        let desk = fork(&self.session.desk, &header)?;
        follow_as_recorded(&mut self.session.desk, &record, timeframe)
            .map_err(|reason| refused(&segment, reason))?;
        let mut following = Following { record, decided_again: 0, desk, fills: Vec::new(), bars: 0 };
        let mut goes_on = true;
        while goes_on && let Some(next) = segment.records.next().transpose()? {
            goes_on = self.take(next, &mut following).map_err(|reason| refused(&segment, reason))?;
        }
        if goes_on {
            self.read_later(later, &mut following)?;
        }
        let Self { swaps, fates, .. } = self;
        let is_of_it = |to: &ModelStamp| following.record.model.as_ref() == Some(to);
        let swap = swaps.into_iter().next_back().filter(|(_, to)| is_of_it(to)).map(|(from, _)| from);
        let Following { record, decided_again, desk, fills, .. } = following;
        Ok(AtBar { header, record, decided_again, desk, swap, fills, orders: fates.orders })
    }

    /// Takes a record after the bar; whether there may be more about it.
    fn take(&mut self, record: JournalRecord, following: &mut Following) -> Result<bool, String> {
        let is_paper = self.session.header.is_paper();
        match record {
            JournalRecord::Again(again) if following.bars == 0 => {
                self.decide_again(*again, following)?;
            }
            JournalRecord::Order(order) => {
                if following.bars == 0 {
                    take_order(&mut self.session.desk, self.session.orders.as_mut(), &order)?;
                }
                self.fates.take(&order);
            }
            JournalRecord::Event(event) if following.bars == 0 => {
                self.session.take(JournalRecord::Event(event))?;
            }
            JournalRecord::Bar(next) => {
                if is_paper {
                    following.fills = next.fills;
                }
                following.bars += 1;
            }
            _ => {}
        }
        let is_over = is_paper && following.bars > 0
            || following.bars > FOLLOWED_BARS
            || following.bars > 0 && self.fates.are_over();
        Ok(!is_over)
    }

    fn decide_again(&mut self, again: BarRecord, following: &mut Following) -> Result<(), String> {
        same_figures(&self.session.desk, &again)?;
        following.desk = fork(&self.session.desk, &self.session.header).map_err(|error| error.to_string())?;
        follow_as_recorded(&mut self.session.desk, &again, self.session.header.timeframe)?;
        following.record = again;
        following.decided_again += 1;
        Ok(())
    }

    /// The bar was the last of its segment: the rest stands in those that follow, as far as the same session goes on.
    fn read_later(
        &mut self,
        later: &[std::path::PathBuf],
        following: &mut Following,
    ) -> Result<(), LiveError> {
        for path in later {
            let Some(mut segment) = open_of_same_session(path)? else { return Ok(()) };
            while let Some(next) = segment.records.next().transpose()? {
                if !self.take(next, following).map_err(|reason| segment.records.refuse(&reason))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn open_of_same_session(path: &Path) -> Result<Option<Segment>, LiveError> {
    Ok(Segment::open(path)?.filter(|segment| segment.header.start != SegmentStart::New))
}
