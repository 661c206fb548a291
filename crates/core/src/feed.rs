//! Bars as they close, and what to ask when some did not come.
//!
//! A stream has no memory: what it did not deliver while it was down has to be fetched. [`MarketFeed`] therefore tells
//! when it came up and when it went down, and [`Backfill`] gives what lies between.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Bar, SourceError, Timeframe, Window};

/// What a feed has to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedEvent {
    /// A bar has closed. The same bar may come again, and an older one after a newer one.
    Bar(Bar),
    /// A bar that came before has other numbers now: a late trade belongs to it.
    Revised(Bar),
    /// Bars come from now on. What closed before is unknown until it is fetched.
    Up,
    /// No bars come until the next [`FeedEvent::Up`]. One outage is told once, however many attempts it takes to end it.
    Down {
        /// What ended the connection, for a person.
        reason: String,
    },
}

/// Gives the events of one symbol as they come.
#[async_trait]
pub trait MarketFeed: Send {
    /// Length of the bars.
    fn base(&self) -> Timeframe;

    /// The next event; `None` when there are no more. Cancel safe: a future that is dropped before it is done loses no
    /// event, and the connection goes on meanwhile.
    ///
    /// # Errors
    /// When no bar can come any more until a person changes something. After that there are no more events.
    async fn next(&mut self) -> Result<Option<FeedEvent>, SourceError>;
}

/// Gives the bars of a span again.
#[async_trait]
pub trait Backfill: Send + Sync {
    /// The bars that open in `span` and have closed, ascending, each once, as the source has them now. An absent bar is
    /// one that the source does not have, now: the latest may come late.
    ///
    /// # Errors
    /// When the source can't be asked; its kind tells whether another attempt may help.
    async fn bars(&self, span: Window) -> Result<Vec<Bar>, SourceError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn an_event_reads_back_as_written() {
        let bar = Bar::flat(Timestamp::EPOCH, 42_283.58).unwrap();
        let down = FeedEvent::Down { reason: "the other side closed".to_owned() };
        for event in [FeedEvent::Bar(bar), FeedEvent::Revised(bar), FeedEvent::Up, down] {
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<FeedEvent>(&text).unwrap(), event, "{text}");
        }
    }
}
