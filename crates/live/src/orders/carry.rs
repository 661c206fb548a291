//! Carrying acts out: the record first, then the disk, then the venue.

use walkforward_core::ClientOrderId;

use super::driver::{DriverError, VenueDriver, VenueTask};
use super::{Booking, OrderAct, OrderRecord, OrderWarning};
use crate::{LiveError, Restriction};
use walkforward_core::Timestamp;

/// Where a desk's acts go besides the venue: journal, ledger, limits, people.
pub trait OrderBooks {
    /// Adds a record to the journal.
    ///
    /// # Errors
    /// The disk fails; then nothing further is done.
    fn append(&mut self, record: &OrderRecord) -> Result<(), LiveError>;

    /// Brings all records to the disk.
    ///
    /// # Errors
    /// The disk fails; then nothing leaves.
    fn sync(&mut self) -> Result<(), LiveError>;

    /// Puts a fill into the session's ledger.
    ///
    /// # Errors
    /// The ledger refuses it.
    fn book(&mut self, booking: &Booking) -> Result<(), LiveError>;

    /// The order of this bar is to be decided again, if there is time.
    fn decide_again(&mut self, bar_open: Timestamp);

    /// Restricts the session.
    ///
    /// # Errors
    /// It can't be written down.
    fn restrict(&mut self, restriction: Restriction) -> Result<(), LiveError>;

    /// Tells a person.
    ///
    /// # Errors
    /// It can't be written down.
    fn warn(&mut self, warning: &OrderWarning) -> Result<(), LiveError>;
}

/// Why acts could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Journal or ledger failed. Nothing that came after was done: start again from the journal.
    #[error(transparent)]
    Books(#[from] LiveError),
    /// The venue could not be asked. The desk asks again.
    #[error("{what}: {source}")]
    Driver {
        /// What was to be asked.
        what: String,
        /// Why it was not.
        source: DriverError,
    },
}

/// Carries `acts` out in their order and empties the list. Nothing goes to the venue while a record is not on the disk.
///
/// # Errors
/// The first failure of the books ends it; a failure of the driver is told when the rest is done.
pub fn carry_out(
    acts: &mut Vec<OrderAct>,
    books: &mut dyn OrderBooks,
    driver: &VenueDriver,
) -> Result<(), CarryError> {
    let (mut is_synced, mut failure) = (true, None);
    for act in acts.drain(..) {
        if let OrderAct::Journal(record) = &act {
            books.append(record)?;
            is_synced = false;
            continue;
        }
        let task = match act {
            OrderAct::Submit(order) => VenueTask::Submit(order),
            OrderAct::LookUp(id) => VenueTask::LookUp(id),
            OrderAct::Cancel(id) => VenueTask::Cancel(id),
            OrderAct::AskPosition => VenueTask::Position,
            OrderAct::AskAccount => VenueTask::Account,
            other => {
                keep(other, books)?;
                continue;
            }
        };
        let changes_something = matches!(task, VenueTask::Submit(_) | VenueTask::Cancel(_));
        if changes_something && !is_synced {
            books.sync()?;
            is_synced = true;
        }
        let what = what_is_asked(&task);
        if let Err(source) = driver.execute(task) {
            failure.get_or_insert(CarryError::Driver { what, source });
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Does what needs no venue.
fn keep(act: OrderAct, books: &mut dyn OrderBooks) -> Result<(), LiveError> {
    match act {
        OrderAct::Book(booking) => books.book(&booking)?,
        OrderAct::DecideAgain { bar_open } => books.decide_again(bar_open),
        OrderAct::Restrict(restriction) => books.restrict(restriction)?,
        OrderAct::Warn(warning) => books.warn(&warning)?,
        _ => {}
    }
    Ok(())
}

fn what_is_asked(task: &VenueTask) -> String {
    let about = |what: &str, id: &ClientOrderId| format!("{what} order {id}");
    match task {
        VenueTask::Submit(order) => about("hand in", order.id()),
        VenueTask::LookUp(id) => about("look up", id),
        VenueTask::Cancel(id) => about("end", id),
        VenueTask::Position => "ask for the position".to_owned(),
        VenueTask::Account => "ask for the account".to_owned(),
    }
}
