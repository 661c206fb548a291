//! Following a session: the journal is the truth and the queue.
//!
//! Whoever wants to know what a session does reads its journal, in a task of its own, and never touches the bar loop. A
//! [`JournalTail`] gives the records in order; a [`Follower`] takes them in batches; [`follow`] lets one work for as long as
//! the session runs, and tries again where it fails, with growing waits. In the trader's process the journal tells how far
//! it is on the disk; a tail of its own reads what is whole.

mod access;
mod drive;
mod headers;
mod tail;

pub use access::StoreAccess;
pub use drive::{Advance, FollowError, FollowOptions, Follower, Patience, Tell, follow};
pub(crate) use headers::{JournalHeaders, JournalSession, read_header};
pub use tail::{JournalTail, Tailed};
