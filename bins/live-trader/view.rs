//! The session on a terminal, as long as it runs.
//!
//! What is drawn is a function of what has been told ([`View::frame`]); the terminal itself is [`terminal::Screen`]. It is
//! plain escape codes: a frame of twenty lines a few times a second needs no library of widgets.

mod terminal;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use walkforward_core::{
    CancelToken, ControlCommand, ControlError, NumberedEvent, SessionControl, SessionEvent, SessionStatus,
};
use walkforward_live::TraderHandle;

use crate::control::{event_line, status_lines};
use terminal::Screen;

pub(crate) use terminal::{give_back, is_wanted};

/// Between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(200);
/// Between two questions for the session's state.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Before events are subscribed to again.
const AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// Events that are remembered for the frame.
const MAX_SHOWN_EVENTS: usize = 200;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing: the key means nothing.
    Nothing,
    /// Another frame.
    Show,
    Stop,
}

/// What is known of the session.
#[derive(Debug, Default)]
struct View {
    status: Option<SessionStatus>,
    decision: Option<String>,
    events: VecDeque<String>,
    asks: bool,
    is_stopping: bool,
}

impl View {
    fn on_event(&mut self, event: &NumberedEvent) {
        let line = event_line(event);
        if matches!(event.event, SessionEvent::Bar { .. }) {
            self.decision = Some(line);
            return;
        }
        if self.events.len() == MAX_SHOWN_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(line);
    }

    fn on_key(&mut self, key: u8) -> Wish {
        let was_asked = std::mem::take(&mut self.asks);
        match key {
            b'y' | b'Y' if was_asked => {
                self.is_stopping = true;
                Wish::Stop
            }
            b'q' | b'Q' if !self.is_stopping => {
                self.asks = true;
                Wish::Show
            }
            // Any other key is a no.
            _ if was_asked => Wish::Show,
            _ => Wish::Nothing,
        }
    }

    /// The lines of a terminal with so many columns and rows: never more, and none wider.
    fn frame(&self, columns: usize, rows: usize) -> Vec<String> {
        let mut lines = match &self.status {
            Some(status) => status_lines(status),
            None => vec!["the session begins".to_owned()],
        };
        lines.extend(self.decision.as_ref().map(|decision| format!("last bar   {decision}")));
        lines.push(String::new());
        let bottom = match (self.asks, self.is_stopping) {
            (_, true) => "stopping after this bar",
            (true, _) => "stop the session? its position stays; y: yes, any other key: no",
            _ => "q: stop",
        };
        let room = rows.saturating_sub(lines.len() + 1);
        lines.extend(self.events.iter().skip(self.events.len().saturating_sub(room)).cloned());
        lines.truncate(rows.saturating_sub(1));
        lines.resize(rows.saturating_sub(1), String::new());
        lines.push(bottom.to_owned());
        lines.truncate(rows);
        lines.into_iter().map(|line| line.chars().take(columns).collect()).collect()
    }
}

/// Shows the session until it is dropped; `cancel` ends the session where the person at the terminal wants that.
pub(crate) async fn show(handle: TraderHandle, cancel: CancelToken) -> Infallible {
    let Some(mut screen) = Screen::enter() else { return std::future::pending().await };
    let mut view = View::default();
    let mut tasks = JoinSet::new();
    let (statuses, mut status) = watch::channel(None);
    let (events, mut happened) = mpsc::channel(MAX_SHOWN_EVENTS);
    tasks.spawn(ask(handle.clone(), statuses));
    tasks.spawn(follow(handle, events));
    let mut frames = tokio::time::interval(FRAME_INTERVAL);
    loop {
        tokio::select! {
            Some(key) = screen.key() => {
                let wish = view.on_key(key);
                if wish == Wish::Stop {
                    cancel.cancel();
                }
                if wish != Wish::Nothing {
                    draw(&view, &screen);
                }
            }
            Some(event) = happened.recv() => view.on_event(&event),
            _ = frames.tick() => {
                view.status.clone_from(&status.borrow_and_update());
                draw(&view, &screen);
            }
        }
    }
}

fn draw(view: &View, screen: &Screen) {
    let (columns, rows) = screen.size();
    screen.draw(&view.frame(columns, rows));
}

/// Asks for the state again and again.
async fn ask(handle: TraderHandle, statuses: watch::Sender<Option<SessionStatus>>) {
    loop {
        if let Ok(status) = handle.ask(ControlCommand::Status {}).await {
            statuses.send_replace(Some(status));
        }
        tokio::time::sleep(STATUS_INTERVAL).await;
    }
}

/// Hands on what happens, and begins anew where it was too slow.
async fn follow(handle: TraderHandle, events: mpsc::Sender<NumberedEvent>) {
    loop {
        let _ = follow_once(&handle, &events).await;
        tokio::time::sleep(AGAIN_PAUSE).await;
    }
}

async fn follow_once(
    handle: &TraderHandle,
    events: &mpsc::Sender<NumberedEvent>,
) -> Result<(), ControlError> {
    let (_, mut from) = handle.subscribe(None).await?;
    while let Some(event) = from.next().await? {
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{Reason, Timestamp};

    use super::*;

    fn warning(seq: u64) -> NumberedEvent {
        let reason = Reason::cut(&format!("something {seq}"));
        NumberedEvent { seq, at: Timestamp::EPOCH, event: SessionEvent::Warning { reason } }
    }

    #[test]
    fn a_session_is_stopped_after_asking_and_by_nothing_else() {
        let mut view = View::default();
        assert_eq!(view.on_key(b'y'), Wish::Nothing);
        assert_eq!(view.on_key(b'q'), Wish::Show);
        assert!(view.frame(80, 24)[23].starts_with("stop the session?"));
        assert_eq!(view.on_key(b'n'), Wish::Show);
        assert_eq!(view.on_key(b'y'), Wish::Nothing);
        view.on_key(b'q');
        assert_eq!(view.on_key(b'y'), Wish::Stop);
        view.on_key(b'q');
        assert_eq!(view.on_key(b'y'), Wish::Nothing);
    }

    #[test]
    fn a_key_that_means_nothing_draws_nothing() {
        let mut view = View::default();
        for key in (0..=u8::MAX).filter(|key| !b"qQ".contains(key)) {
            assert_eq!(view.on_key(key), Wish::Nothing, "{key}");
        }
        view.on_key(b'q');
        view.on_key(b'y');
        for key in 0..=u8::MAX {
            assert_eq!(view.on_key(key), Wish::Nothing, "{key} while it stops");
        }
    }

    #[test]
    fn the_newest_events_stand_above_the_last_line() {
        let mut view = View::default();
        (1..=500).for_each(|seq| view.on_event(&warning(seq)));
        assert_eq!(view.events.len(), MAX_SHOWN_EVENTS);
        let frame = view.frame(200, 10);
        assert!(frame[8].ends_with("something 500") && frame[9] == "q: stop", "{frame:?}");
    }

    proptest! {
        #[test]
        fn a_frame_fits_every_terminal(columns in 0_usize..300, rows in 0_usize..100, events in 0_u64..60) {
            let mut view = View::default();
            (0..events).for_each(|seq| view.on_event(&warning(seq)));
            let frame = view.frame(columns, rows);
            prop_assert_eq!(frame.len(), rows);
            prop_assert!(frame.iter().all(|line| line.chars().count() <= columns));
        }
    }
}
