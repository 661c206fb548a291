//! One client, from its first message to its end.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};
use walkforward_store::Store;

use super::Hub;
use super::batch::{Batch, push};
use super::hello::{self, MALFORMED, TOO_LATE};
use super::hub::Phase;
use super::message::Told;
use super::tail::{ask, changes_after};
use crate::app::App;
use crate::views::ScheduleStatusView;

/// Longest message of a client, bytes: a hello has less than 300.
pub(super) const MAX_MESSAGE_BYTES: usize = 4 << 10;
/// A client that is silent for so many questions is gone.
const MAX_UNANSWERED: u32 = 3;
/// How long the last words may take, and their answer.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);
/// The server is stopping.
const GOING_AWAY: u16 = 1_001;
/// It may work later.
const TRY_AGAIN: u16 = 1_013;

/// Why a client is let go.
#[derive(Debug)]
pub(super) enum End {
    /// It went, or does not read.
    Gone,
    /// It is told why.
    Refused {
        /// The close code.
        code: u16,
        /// What was wrong, what was expected.
        detail: &'static str,
    },
    /// The server is stopping.
    Stopping,
}

impl End {
    pub(super) fn refused(code: u16, detail: &'static str) -> Self {
        Self::Refused { code, detail }
    }
}

/// Talks to a client until either has enough. `is_known` says that it has shown a token already; its place is free again
/// afterwards.
pub(super) async fn attend(mut socket: WebSocket, app: App, is_known: bool, place: OwnedSemaphorePermit) {
    let end = match greet(&mut socket, &app, is_known).await {
        Ok(after) => {
            let end = Client::new(&mut socket, app).converse(after).await;
            end.err().unwrap_or(End::Gone)
        }
        Err(end) => end,
    };
    let _ = timeout(FAREWELL_WAIT, farewell(socket, end)).await;
    drop(place);
}

/// Waits until the hub tells, and for the hello: what the client knows already.
async fn greet(socket: &mut WebSocket, app: &App, is_known: bool) -> Result<Option<i64>, End> {
    let hub = &app.parts.hub;
    let (mut phase, wait) = (hub.phase(), hub.options().hello_wait);
    let text = tokio::select! {
        said = timeout(wait, first_text(socket)) => {
            said.map_err(|_| End::refused(TOO_LATE, "no hello came in time"))??
        }
        () = closing(&mut phase) => return Err(End::Stopping),
    };
    let after = hello::read(&text, app, is_known)?;
    match timeout(wait, phase.wait_for(|phase| *phase != Phase::Starting)).await {
        Ok(_) => Ok(after),
        Err(_) => Err(End::refused(TRY_AGAIN, "the events can't be read at present: connect again later")),
    }
}

async fn first_text(socket: &mut WebSocket) -> Result<Utf8Bytes, End> {
    loop {
        if let Some(text) = heard(socket.recv().await)? {
            return Ok(text);
        }
    }
}

async fn closing(phase: &mut watch::Receiver<Phase>) {
    // A sender that is gone is an end as well.
    let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
}

/// What a client said, where it is text. Pings are answered on the way.
fn heard(message: Option<Result<Message, axum::Error>>) -> Result<Option<Utf8Bytes>, End> {
    match message {
        Some(Ok(Message::Text(text))) if text.len() <= MAX_MESSAGE_BYTES => Ok(Some(text)),
        // The stream ends behind the close, when that is answered.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => Ok(None),
        Some(Ok(_)) => Err(End::refused(MALFORMED, "expected text of at most 4096 bytes")),
        Some(Err(_)) => {
            Err(End::refused(MALFORMED, "the message can't be read: expected text of at most 4096 bytes"))
        }
        None => Err(End::Gone),
    }
}

/// Says why, and waits for the answer, so that the last words are not lost on the way.
async fn farewell(mut socket: WebSocket, end: End) {
    let code = match end {
        End::Gone => return,
        End::Refused { code, detail } => {
            let error = json!([{ "type": "error", "code": code, "detail": detail }]);
            if socket.send(Message::Text(error.to_string().into())).await.is_err() {
                return;
            }
            code
        }
        End::Stopping => GOING_AWAY,
    };
    let close = CloseFrame { code, reason: Utf8Bytes::from_static("") };
    if socket.send(Message::Close(Some(close))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

/// A client that was let in.
struct Client<'a> {
    socket: &'a mut WebSocket,
    app: App,
    hub: Hub,
    batches: broadcast::Receiver<Arc<Batch>>,
    /// Number of the last state change that it was sent.
    seq: i64,
}

impl<'a> Client<'a> {
    fn new(socket: &'a mut WebSocket, app: App) -> Self {
        let hub = app.parts.hub.clone();
        let (seq, batches) = hub.join();
        Self { socket, app, hub, batches, seq }
    }

    async fn converse(mut self, after: Option<i64>) -> Result<Infallible, End> {
        self.welcome().await?;
        if let Some(after) = after {
            self.seq = after;
            self.catch_up().await?;
        }
        let options = self.hub.options();
        let (ping_every, mut phase) = (options.ping_every, self.hub.phase());
        let mut ping = interval(ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                () = closing(&mut phase) => return Err(End::Stopping),
                message = self.socket.recv() => {
                    heard_at = Instant::now();
                    if heard(message)?.is_some() {
                        return Err(End::refused(MALFORMED, "nothing is expected behind the hello"));
                    }
                }
                batch = self.batches.recv() => self.pass_on(batch).await?,
                _ = ping.tick() => {
                    if heard_at.elapsed() > ping_every * MAX_UNANSWERED {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    async fn welcome(&mut self) -> Result<(), End> {
        let fields = json!({ "version": env!("CARGO_PKG_VERSION") });
        self.say("welcome", fields).await
    }

    async fn pass_on(&mut self, batch: Result<Arc<Batch>, broadcast::error::RecvError>) -> Result<(), End> {
        let batch = match batch {
            Ok(batch) => batch,
            Err(broadcast::error::RecvError::Lagged(_)) => return self.catch_up().await,
            Err(broadcast::error::RecvError::Closed) => return Err(End::Stopping),
        };
        if batch.after != self.seq {
            return self.catch_up().await;
        }
        let is_behind = self.batches.len() > self.hub.options().lag_batches;
        let text = if is_behind { batch.changes.clone() } else { Some(batch.full.clone()) };
        self.seq = batch.seq;
        match text {
            Some(text) => self.send(Message::Text(text)).await,
            None => Ok(()),
        }
    }

    /// Joins anew, and sends the state changes between the last that was sent and the batches from now on; where the
    /// table does not have them all any more, how everything is now.
    async fn catch_up(&mut self) -> Result<(), End> {
        let (until, batches) = self.hub.join();
        self.batches = batches;
        while self.seq != until {
            let seq = self.seq;
            let read = move |store: &Store| changes_after(store, seq);
            let missed = ask(&self.app.parts.store, read).await;
            let missed = missed.ok_or(End::refused(TRY_AGAIN, "the events can't be read at present"))?;
            let mut list = String::new();
            for change in missed.iter().take_while(|change| change.seq <= until) {
                if change.seq != self.seq + 1 {
                    return self.start_over(until).await;
                }
                change.messages.iter().for_each(|message| push(&mut list, message));
                self.seq = change.seq;
            }
            if list.is_empty() {
                return self.start_over(until).await;
            }
            self.send(Message::Text(format!("[{list}]").into())).await?;
        }
        Ok(())
    }

    /// Sends how everything is now, behind state change number `seq`.
    async fn start_over(&mut self, seq: i64) -> Result<(), End> {
        self.seq = seq;
        let app = self.app.clone();
        let Some(records) = ask(&self.app.parts.store, Store::schedules).await else {
            return Err(End::refused(TRY_AGAIN, "the schedules can't be read at present"));
        };
        let schedules = records.into_iter().map(|record| {
            let view = app.parts.scheduler.status(&record.id).ok();
            let progress = app.parts.operator.progress(&record.id);
            ScheduleStatusView::new(record, view, progress, app.parts.clock.now())
        });
        let schedules: Vec<_> = schedules.collect();
        self.say("snapshot", json!({ "schedules": schedules })).await
    }

    /// Sends a message of this client's own.
    async fn say(&mut self, kind: &str, fields: Value) -> Result<(), End> {
        let time = self.app.parts.clock.now();
        let told = Told { kind, seq: self.seq, time, is_volatile: false, fields };
        let text = told.text().map_err(|error| {
            tracing::error!(kind, %error, "a message can't be written");
            End::refused(TRY_AGAIN, "the message can't be written")
        })?;
        self.send(Message::Text(format!("[{text}]").into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.hub.options().write_wait, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => {
                tracing::info!("a client does not read and is closed");
                Err(End::Gone)
            }
        }
    }
}
