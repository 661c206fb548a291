//! Tells people what happened, wherever they are, and never holds up who tells it.
//!
//! The principal type is [`NotifyService`]: it is opened over a file, takes [`Notice`]s in batches through its
//! [`Notifier`], each batch with the cursor of what it was made of, and sends them to every [`Sink`]. What was taken and
//! not yet sent is on the disk with the cursor, so that a restart neither loses a notice nor tells it again. The rules
//! (which kinds, once for each cause, so many an hour, quiet hours) are an [`Outbox`], which does no I/O. A [`Heartbeat`]
//! tells an outside watcher that the process lives.
//!
//! ```
//! use walkforward_core::Timestamp;
//! use walkforward_notify::{Notice, NoticeKind, Outbox, Rules};
//!
//! let (rules, sinks) = (Rules::default(), ["slack".to_owned()]);
//! let now: Timestamp = "2024-01-01T00:00:00Z".parse()?;
//! let halt = Notice::new(NoticeKind::Halted, "default", "the largest drawdown was reached", now);
//!
//! let mut outbox = Outbox::default();
//! outbox.take(halt.clone(), now, &rules, &sinks);
//! outbox.take(halt, now, &rules, &sinks);
//! outbox.settle(now, &rules, &sinks);
//! let (number, notice) = outbox.next_for("slack").ok_or("nothing to send")?;
//! assert_eq!(notice.title(), "[critical] halted: default");
//! outbox.delivered(number, "slack");
//! assert!(outbox.next_for("slack").is_none(), "the same cause is told once");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod heartbeat;
mod notice;
mod outbox;
mod quiet;
mod service;
mod sink;

pub use error::NotifyError;
pub use heartbeat::Heartbeat;
pub use notice::{MAX_SUBJECT_CHARS, MAX_TEXT_CHARS, Notice, NoticeKind, Severity, UnknownKind};
pub use outbox::{MAX_AGE, MAX_RECENT, MAX_WAITING, Outbox, Rules};
pub use quiet::{QuietHours, QuietHoursError, zone};
pub use service::{Batch, Gone, Notifier, NotifyOptions, NotifyService, Patience};
pub use sink::{
    CommandSink, Format, HttpOptions, MAX_COMMAND_OUTPUT_BYTES, Retry, Sink, SinkFailure, TelegramSink,
    WebhookSink,
};
