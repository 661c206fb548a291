//! Listens, serves, and ends.

mod compress;
pub(crate) mod limits;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::{App, Inner, guard, wrong_method};
use crate::audit::record;
use crate::browser::{Hosts, MAX_HOSTS};
use crate::dashboard::page;
use crate::problem::Problem;
use crate::{ServerParts, Tokens, routes, ws};
use limits::Limiter;

/// Longest body of a request, bytes: the longest record of an experiment fits.
pub(crate) const MAX_BODY_BYTES: usize = 256 << 10;
/// Connections at once. Who comes when there are so many waits.
const MAX_CONNECTIONS: u32 = 2_048;
/// A request whose head takes longer is given up, and so is a connection that asks nothing for as long.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// What the system keeps for a connection whose other end does not read, bytes; without a bound it takes megabytes, and a
/// client of the WebSocket that stands still is noticed minutes later.
const SEND_BUFFER_BYTES: u32 = 128 << 10;
/// Connections that the system keeps while none can be taken.
const MAX_UNACCEPTED: u32 = 1_024;
/// Between two tries to accept while the system has no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names that it is reached by besides loopback's and its address, as behind a proxy; at most 16.
    pub hosts: Vec<String>,
    /// What those who ask have to show. None lets everybody on this machine do everything; only on loopback.
    pub tokens: Option<Tokens>,
    /// How long requests and connections get to end after the stop.
    pub stop_grace: Duration,
}

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Everybody could do everything.
    #[error(
        "{address} can be reached from other machines: that needs tokens; listen on 127.0.0.1, or set api.auth = true"
    )]
    Open {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Too many names.
    #[error("{found} hosts are named, at most {MAX_HOSTS} can be")]
    TooManyHosts {
        /// How many there were.
        found: usize,
    },
    /// The system refuses.
    #[error("{address} can't be listened on: {source}; choose another address or port with --listen")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    app: App,
    stop_grace: Duration,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(options: ServerOptions, parts: ServerParts) -> Result<Self, BindError> {
        let ServerOptions { listen: address, hosts, tokens, stop_grace } = options;
        if tokens.is_none() && !address.ip().is_loopback() {
            return Err(BindError::Open { address });
        }
        if hosts.len() > MAX_HOSTS {
            return Err(BindError::TooManyHosts { found: hosts.len() });
        }
        let refuse = |source| BindError::Listen { address, source };
        let listener = listen(address).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let limiter = Limiter::new(Arc::clone(&parts.clock));
        let app = App::new(Inner { parts, tokens, hosts: Hosts::of(address, &hosts), limiter });
        Ok(Self { listener, address, router: router(app.clone()), app, stop_grace })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, then lets those that are being answered end and sends those away who listen.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let (stopping, stops) = watch::channel(false);
        let (hub, _telling) = (self.app.parts.hub.clone(), ws::start(&self.app.parts));
        tokio::pin!(stop);
        loop {
            let next = tokio::select! {
                next = accept(&self.listener, &connections) => next,
                () = &mut stop => break,
            };
            let Some((stream, permit)) = next else { continue };
            serve(stream, permit, &self.router, stops.clone());
        }
        drop(self.listener);
        hub.close();
        stopping.send_replace(true);
        let ended = async { tokio::join!(connections.acquire_many(MAX_CONNECTIONS), hub.emptied()) };
        if tokio::time::timeout(self.stop_grace, ended).await.is_err() {
            tracing::info!("connections that did not end in time are closed");
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart gets the port although connections of before are still being closed.
    socket.set_reuseaddr(true)?;
    // Connections have it from here.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(MAX_UNACCEPTED)
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be taken");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Answers what comes over a connection, HTTP/1.1 alone: what is bounded and timed here would be neither in HTTP/2.
fn serve(stream: TcpStream, permit: OwnedSemaphorePermit, router: &Router, mut stops: watch::Receiver<bool>) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let service = TowerToHyperService::new(router.clone());
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::spawn(async move {
        tokio::pin!(connection);
        let stop = async { drop(stops.wait_for(|&stops| stops).await) };
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = stop => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke off");
        }
        drop(permit);
    });
}

/// All routes, behind what every request passes.
fn router(app: App) -> Router {
    let (router, _) = routes::all().split_for_parts();
    router
        .fallback(page)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), record))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            axum::response::IntoResponse::into_response(Problem::internal(&"a route panicked"))
        }))
        .layer(from_fn_with_state(app.clone(), guard))
        .layer(compress::layer())
        .layer(map_response(compress::settle))
        .with_state(app)
}
