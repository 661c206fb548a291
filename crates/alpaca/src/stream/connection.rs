//! One connection at a time: made, watched, given up, made again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use walkforward_http::ensure_tls;

use super::watch::{Due, Watch};
use super::{Act, Protocol, StreamCounters, StreamSettings, count};
use crate::refusal::one_line;
use crate::retry::Backoff;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Attempts that count as made when the service says that it still counts an older connection: the wait is then 8 times
/// the first, or more.
const ATTEMPTS_OF_A_BACK_OFF: u32 = 3;
/// Bytes that the socket reads at once.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Longest goodbye.
const CLOSE: Duration = Duration::from_millis(500);

/// What a connection's owner is told.
#[derive(Debug)]
pub(crate) enum Signal<E> {
    /// The subscription stands.
    Up,
    /// It does not any more; told once for each outage.
    Down(String),
    /// Something came.
    Event(E),
    /// Nothing will come any more.
    Failed(String),
}

/// A stream that connects when it is first asked and keeps connected until it is dropped.
pub(crate) enum Connection<P: Protocol> {
    /// Not asked yet.
    Waiting(Option<Box<Driver<P>>>),
    /// A task of its own reads the socket, so that pings are answered while nobody asks. It says goodbye and ends when
    /// the receiver is gone.
    Running(mpsc::Receiver<Signal<P::Event>>),
    /// Nothing comes any more, and the owner knows.
    Over,
}

/// Everything that a connection needs.
pub(crate) struct Driver<P: Protocol> {
    /// Where it connects to.
    pub(crate) url: Url,
    /// Times and bounds.
    pub(crate) settings: StreamSettings,
    /// What is said.
    pub(crate) protocol: P,
    /// What has happened.
    pub(crate) counters: Arc<StreamCounters>,
}

impl<P: Protocol> Connection<P> {
    pub(crate) fn new(driver: Driver<P>) -> Self {
        Self::Waiting(Some(Box::new(driver)))
    }

    /// The next signal; none after [`Signal::Failed`], which is the last. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Signal<P::Event>> {
        if let Self::Waiting(driver) = self {
            let driver = *driver.take()?;
            let (sender, signals) = mpsc::channel(driver.settings.limits.max_waiting);
            drop(tokio::spawn(Run::new(driver, sender).run()));
            *self = Self::Running(signals);
        }
        let Self::Running(signals) = self else { return None };
        // A task that is gone without a word must not look like the end of a feed.
        let next = signals
            .recv()
            .await
            .unwrap_or_else(|| Signal::Failed("its task has ended: this is a bug".to_owned()));
        if matches!(next, Signal::Failed(_)) {
            *self = Self::Over;
        }
        Some(next)
    }
}

/// How a connection ended.
enum End {
    Reconnect(String),
    BackOff(String),
    Fail(String),
    /// Nobody listens any more.
    Gone,
}

/// A running stream.
struct Run<P: Protocol> {
    driver: Driver<P>,
    signals: mpsc::Sender<Signal<P::Event>>,
    backoff: Backoff,
    /// Attempts since the last good connection.
    attempts: u32,
    /// Whether the owner knows that it is down.
    is_told_down: bool,
    /// Whether the owner knows that the service refuses it meanwhile: that comes after whatever ended the last connection.
    is_told_refused: bool,
    ready_at: Option<Instant>,
}

impl<P: Protocol> Run<P> {
    fn new(driver: Driver<P>, signals: mpsc::Sender<Signal<P::Event>>) -> Self {
        let backoff = Backoff::new(driver.settings.waits(), driver.settings.jitter_seed);
        Self {
            driver,
            signals,
            backoff,
            attempts: 0,
            is_told_down: false,
            is_told_refused: false,
            ready_at: None,
        }
    }

    async fn run(mut self) {
        loop {
            let end = self.connection().await;
            let stable_after = self.driver.settings.stable_after;
            if self.ready_at.take().is_some_and(|at| at.elapsed() >= stable_after) {
                self.attempts = 0;
            }
            self.attempts = self.attempts.saturating_add(1);
            let is_refused = matches!(end, End::BackOff(_));
            let reason = match end {
                End::Gone => return,
                End::Fail(reason) => {
                    tracing::error!(host = self.host(), reason, "the stream can't go on");
                    return drop(self.signals.send(Signal::Failed(reason)).await);
                }
                End::Reconnect(reason) => reason,
                End::BackOff(reason) => {
                    self.attempts = self.attempts.max(ATTEMPTS_OF_A_BACK_OFF + 1);
                    reason
                }
            };
            let wait = self.backoff.wait(self.attempts);
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(host = self.host(), reason, wait_ms, "the stream is down");
            let is_news = !self.is_told_down || is_refused && !self.is_told_refused;
            (self.is_told_down, self.is_told_refused) = (true, self.is_told_refused || is_refused);
            if is_news && self.signals.send(Signal::Down(reason)).await.is_err() {
                return;
            }
            tokio::select! {
                () = self.signals.closed() => return,
                () = sleep(wait) => {}
            }
        }
    }

    fn host(&self) -> &str {
        self.driver.url.host_str().unwrap_or_default()
    }

    /// One connection from its first byte to its end. The socket is gone when this returns, so there is never a second.
    async fn connection(&mut self) -> End {
        count(&self.driver.counters.attempts);
        let connected = tokio::select! {
            () = self.signals.closed() => return End::Gone,
            connected = self.connect() => connected,
        };
        let mut socket = match connected {
            Ok(socket) => socket,
            Err(end) => return end,
        };
        let started = Instant::now();
        let mut watch = Watch::new(self.driver.settings);
        let greeting = self.driver.protocol.open();
        let end = match self.perform(greeting, &mut socket, &mut watch, started).await {
            Some(end) => end,
            None => self.talk(&mut socket, &mut watch, started).await,
        };
        // A goodbye frees the service's only slot at once. It is a courtesy: the socket goes in any case.
        drop(timeout(CLOSE, socket.close(None)).await);
        end
    }

    async fn connect(&self) -> Result<Socket, End> {
        ensure_tls();
        let bytes = self.driver.settings.limits.max_message_bytes;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(bytes))
            .max_frame_size(Some(bytes));
        let connecting = connect_async_with_config(self.driver.url.as_str(), Some(config), true);
        match timeout(self.driver.settings.connect, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(answer))) if answer.status() == 401 => {
                Err(End::Fail("the service answers 401 to the connection: check the keys".to_owned()))
            }
            Ok(Err(error)) => Err(End::Reconnect(one_line(&format!("no connection: {error}")))),
            Err(_) => Err(End::Reconnect(format!("no connection within {:?}", self.driver.settings.connect))),
        }
    }

    /// Reads until there is a reason to stop.
    async fn talk(&mut self, socket: &mut Socket, watch: &mut Watch, started: Instant) -> End {
        loop {
            let (due, next) = watch.due(started.elapsed());
            if let Some(end) = self.act_on(due, socket).await {
                return end;
            }
            let message = tokio::select! {
                () = self.signals.closed() => return End::Gone,
                message = socket.next() => message,
                () = sleep_until(started + next) => continue,
            };
            let bytes = match message {
                Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                // The socket answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    watch.frame(started.elapsed(), false);
                    continue;
                }
                Some(Ok(Message::Close(_))) => {
                    return End::Reconnect("the service closes the connection".to_owned());
                }
                Some(Err(error)) => {
                    return End::Reconnect(one_line(&format!("the connection broke: {error}")));
                }
                None => return End::Reconnect("the connection ended".to_owned()),
            };
            watch.frame(started.elapsed(), true);
            let acts = self.driver.protocol.frame(&bytes);
            if let Some(end) = self.perform(acts, socket, watch, started).await {
                return end;
            }
        }
    }

    /// Does what a timer asks for.
    async fn act_on(&self, due: Option<Due>, socket: &mut Socket) -> Option<End> {
        let settings = &self.driver.settings;
        let reason = match due? {
            Due::Ping => return self.send(socket, Message::Ping(Vec::new().into())).await,
            Due::NotReady => format!("the service took no subscription within {:?}", settings.ready),
            Due::HalfOpen => format!("half open: not even a pong for {:?}", settings.pong_wait),
            Due::Silent => {
                format!(
                    "silent: no message for {:?}, though pongs come",
                    settings.silence.unwrap_or_default()
                )
            }
        };
        Some(End::Reconnect(reason))
    }

    /// Does what the protocol asks for.
    async fn perform(
        &mut self,
        acts: Vec<Act<P::Event>>,
        socket: &mut Socket,
        watch: &mut Watch,
        started: Instant,
    ) -> Option<End> {
        for act in acts {
            let signal = match act {
                Act::Send(text) => match self.send(socket, Message::text(text)).await {
                    Some(end) => return Some(end),
                    None => continue,
                },
                Act::Ready => {
                    count(&self.driver.counters.ready);
                    watch.ready(started.elapsed());
                    (self.is_told_down, self.is_told_refused) = (false, false);
                    self.ready_at = Some(Instant::now());
                    Signal::Up
                }
                Act::Event(event) => Signal::Event(event),
                Act::Reconnect(reason) => return Some(End::Reconnect(reason)),
                Act::BackOff(reason) => return Some(End::BackOff(reason)),
                Act::Fail(reason) => return Some(End::Fail(reason)),
            };
            if self.signals.send(signal).await.is_err() {
                return Some(End::Gone);
            }
        }
        None
    }

    async fn send(&self, socket: &mut Socket, message: Message) -> Option<End> {
        match timeout(self.driver.settings.send, socket.send(message)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(End::Reconnect(one_line(&format!("the connection broke: {error}")))),
            Err(_) => Some(End::Reconnect("half open: nothing can be sent".to_owned())),
        }
    }
}
