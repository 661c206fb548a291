//! An MLflow tracking server on this machine, which refuses what MLflow refuses: fields that are missing or of the wrong
//! kind, too many items in a request, keys and names that it does not take, a parameter whose value changes.

mod http;
mod registry;
mod rules;
mod tracking;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use http::Request;
use registry::Registry;
use tracking::Tracking;

pub use registry::FakeVersion;
pub use tracking::FakeRun;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlflowFault {
    /// It is refused with status 503, and nothing is done.
    Unavailable,
    /// It is done, and the answer is lost.
    LoseAnswer,
}

/// A refusal in MLflow's words.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, code: "INVALID_PARAMETER_VALUE", message: message.into() }
    }

    fn missing(message: impl Into<String>) -> Self {
        Self { status: 404, code: "RESOURCE_DOES_NOT_EXIST", message: message.into() }
    }

    fn exists(message: impl Into<String>) -> Self {
        Self { status: 400, code: "RESOURCE_ALREADY_EXISTS", message: message.into() }
    }
}

#[derive(Debug, Default)]
struct State {
    tracking: Tracking,
    registry: Registry,
    /// Who may come: the whole `Authorization` header.
    authorization: Option<String>,
    /// What goes wrong with the requests that come next; none goes well.
    faults: Vec<Option<MlflowFault>>,
    is_down: bool,
    requests: u64,
    /// Requests that MLflow would have refused, with why.
    refused: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tracking server on a free port of this machine. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeMlflow {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

impl Default for FakeMlflow {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeMlflow {
    /// An empty one that lets everybody in.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let sharing = Arc::clone(&shared);
        let serving = std::thread::spawn(move || serve(&listener, &sharing));
        Self { address, shared, serving: Some(serving) }
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets only those in who send this `Authorization` header.
    pub fn wants(&self, authorization: &str) {
        self.shared.lock().authorization = Some(authorization.to_owned());
    }

    /// Lets the next requests go wrong, one for each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Option<MlflowFault>>) {
        let mut faults: Vec<_> = faults.into_iter().collect();
        faults.reverse();
        self.shared.lock().faults = faults;
    }

    /// Answers nothing but 503 from now on, or answers again.
    pub fn set_down(&self, is_down: bool) {
        self.shared.lock().is_down = is_down;
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.shared.lock().requests
    }

    /// What MLflow would have refused besides what is asked for and not there, with why.
    pub fn refused(&self) -> Vec<String> {
        self.shared.lock().refused.clone()
    }

    /// The names of all experiments.
    pub fn experiments(&self) -> Vec<String> {
        self.shared.lock().tracking.experiments.clone()
    }

    /// All runs, in the order in which they were made.
    pub fn runs(&self) -> Vec<FakeRun> {
        self.shared.lock().tracking.runs.clone()
    }

    /// All versions of a registered model, in order.
    pub fn versions(&self, name: &str) -> Vec<FakeVersion> {
        self.shared.lock().registry.versions(name)
    }

    /// The version number that an alias of a registered model names.
    pub fn alias(&self, name: &str, alias: &str) -> Option<u64> {
        self.shared.lock().registry.alias(name, alias)
    }

    /// Deletes a run, as somebody does who looks at them.
    pub fn delete_run(&self, run_id: &str) {
        self.shared.lock().tracking.delete(run_id);
    }

    /// Waits until it is so, however long that takes.
    pub fn wait_until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut seen = None;
        loop {
            if is_so(self) {
                return;
            }
            let mut state = self.shared.lock();
            while seen == Some(state.requests) {
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            seen = Some(state.requests);
        }
    }
}

impl Drop for FakeMlflow {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes who accepts.
        drop(TcpStream::connect(self.address));
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn serve(listener: &TcpListener, shared: &Shared) {
    for socket in listener.incoming() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(mut socket) = socket else { continue };
        let Some(request) = http::read(&socket) else { continue };
        if let Some((status, body)) = answer(shared, &request) {
            http::write(&mut socket, status, &body);
        }
        shared.changed.notify_all();
    }
}

/// The answer; none where it is lost.
fn answer(shared: &Shared, request: &Request) -> Option<(u16, Value)> {
    let mut state = shared.lock();
    state.requests += 1;
    let fault = state.faults.pop().flatten();
    if state.is_down || fault == Some(MlflowFault::Unavailable) {
        return Some((503, json!({ "message": "down" })));
    }
    if state.authorization.is_some() && state.authorization != request.authorization {
        return Some((401, json!({})));
    }
    let done = state.route(request);
    if fault == Some(MlflowFault::LoseAnswer) {
        return None;
    }
    Some(match done {
        Ok(body) => (200, body),
        Err(Refusal { status, code, message }) => {
            if code == "INVALID_PARAMETER_VALUE" {
                state.refused.push(format!("{} {}: {message}", request.method, request.path));
            }
            (status, json!({ "error_code": code, "message": message }))
        }
    })
}

impl State {
    fn route(&mut self, request: &Request) -> Result<Value, Refusal> {
        let path = request.path.strip_prefix("/api/2.0/mlflow/").unwrap_or_default();
        let body = &request.body;
        match (request.method.as_str(), path) {
            ("GET", "experiments/get-by-name") => self.tracking.experiment_by_name(&request.query),
            ("POST", "experiments/create") => self.tracking.create_experiment(body),
            ("POST", "runs/search") => self.tracking.search(body),
            ("POST", "runs/create") => self.tracking.create(body),
            ("POST", "runs/update") => self.tracking.update(body),
            ("POST", "runs/log-batch") => self.tracking.log_batch(body),
            ("POST", "registered-models/create") => self.registry.create(body),
            ("POST", "registered-models/alias") => self.registry.set_alias(body),
            ("DELETE", "registered-models/alias") => self.registry.delete_alias(body),
            ("GET", "model-versions/search") => self.registry.search(&request.query),
            ("POST", "model-versions/create") => {
                let runs = self.tracking.runs.iter().map(|run| run.run_id.clone()).collect();
                self.registry.create_version(body, &runs)
            }
            _ => Err(Refusal { status: 404, code: "ENDPOINT_NOT_FOUND", message: path.to_owned() }),
        }
    }
}

/// Names to texts.
type Texts = BTreeMap<String, String>;
