//! The interface and the page of a server.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_orchestrator::Scheduler;
use walkforward_server::{BindError, Server, ServerOptions, ServerParts, Tokens};

use super::desk::ServerDesk;
use super::operator::ServerOperator;
use super::sessions::SocketSessions;
use super::tokens::{FILE, Kept, tokens};
use crate::home::Home;

/// The port that is listened on where nobody says another.
const PORT: u16 = 8_750;
/// Files that a server may need: connections, clients of the socket, bundles and journals.
const FILES: u64 = 8_192;
/// How long answers that are being given get to end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What the settings say about the interface.
pub(super) struct ApiConfig {
    /// Where it listens; none: on the usual port, or a free one.
    listen: Option<SocketAddr>,
    hosts: Vec<String>,
    auth: bool,
}

impl ApiConfig {
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let listen = settings.get::<String>("api.listen")?;
        let listen = listen.map(|text| address(settings, &text)).transpose()?;
        let hosts: String = settings.get("api.hosts")?.unwrap_or_default();
        let hosts = hosts.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self { listen, hosts: hosts.collect(), auth: settings.require("api.auth")? })
    }
}

/// An address with a port, or a port of this machine.
fn address(settings: &Settings, text: &str) -> Result<SocketAddr, Failure> {
    let port = text.parse().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse())
        .map_err(|_| settings.refuse("api.listen", "expected an address with a port, such as 127.0.0.1:8750"))
}

/// The server that listens, until it is ended.
pub(super) struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Begins to answer, and says where.
    pub(super) async fn start(
        home: &Home,
        config: &ApiConfig,
        desk: &Arc<ServerDesk>,
        scheduler: Scheduler,
    ) -> Result<Self, Failure> {
        open_more_files();
        let kept = if config.auth { Some(tokens(&home.folders.data_dir)?) } else { None };
        let parts = ServerParts {
            store: Arc::clone(&home.store),
            scheduler,
            operator: Arc::new(ServerOperator::new(home, Arc::clone(desk))),
            sessions: Arc::new(SocketSessions::new(home)),
            clock: Arc::clone(&home.clock),
            hub: desk.trainings().hub().clone(),
        };
        let server = bind(config, kept.as_ref().map(|kept| kept.tokens.clone()), parts).await?;
        tell(home, server.address(), kept.as_ref());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            // A sender that is gone is a stop as well.
            let _ = stopped.await;
        }));
        Ok(Self { stop, task })
    }

    /// Lets what is being answered end.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Lets this process open as many files as its pages and clients may need, as far as the system allows that.
fn open_more_files() {
    let limits = getrlimit(Resource::Nofile);
    let wanted = limits.maximum.map_or(FILES, |most| most.min(FILES));
    if limits.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limits });
        if let Err(error) = raised {
            tracing::info!(%error, "the process can't open more files than it could: fewer clients can connect");
        }
    }
}

async fn bind(config: &ApiConfig, tokens: Option<Tokens>, parts: ServerParts) -> Result<Server, Failure> {
    let options = |listen| ServerOptions {
        listen,
        hosts: config.hosts.clone(),
        tokens: tokens.clone(),
        stop_grace: STOP_GRACE,
    };
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let bound = Server::bind(options(config.listen.unwrap_or(usual)), parts.clone()).await;
    let is_taken = |source: &std::io::Error| source.kind() == ErrorKind::AddrInUse;
    let bound = match bound {
        // Several servers, each with its own folder, get along when nobody cares for their ports.
        Err(BindError::Listen { source, .. }) if config.listen.is_none() && is_taken(&source) => {
            Server::bind(options(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), parts).await
        }
        bound => bound,
    };
    bound.map_err(|error| Failure::input(error.to_string()))
}

/// Says where the page is. Nobody has to read it.
fn tell(home: &Home, address: SocketAddr, kept: Option<&Kept>) {
    let Some(words) = words(home, address, kept) else { return };
    // A standard output that nobody empties holds up this task alone.
    drop(tokio::task::spawn_blocking(move || {
        if let Err(failure) = say(&words) {
            tracing::warn!(%failure, "where the page is could not be said");
        }
    }));
}

/// The link has the token when that was made just now: it is told once, and to people alone.
fn words(home: &Home, address: SocketAddr, kept: Option<&Kept>) -> Option<String> {
    let (page, file) = (format!("http://{address}/"), home.folders.data_dir.join(FILE));
    let file = file.display();
    match home.output {
        Output::Quiet => None,
        Output::Json => Some(format!("{}\n", json!({ "event": "api_listening", "data": { "page": page } }))),
        Output::Human => Some(match kept {
            Some(kept) if kept.is_new => format!(
                "page: {page}#token={}\n      this is told once; the tokens are in {file}, for you alone\n",
                kept.tokens.trade.reveal()
            ),
            Some(_) => format!("page: {page} (its token is in {file})\n"),
            None => format!("page: {page} (everybody on this machine may do everything)\n"),
        }),
    }
}
