//! The end of the process: who asks for it, and how long it may take.
//!
//! Whatever is gone or hangs, a process that is asked to end does. Its journal is written record by record, so an end at
//! any moment leaves what the next start needs.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;
use walkforward::failure::{Failure, STAGE_FAILED};
use walkforward::output::complain;
use walkforward::signals::{HaltRequests, StopRequests};
use walkforward_core::CancelToken;
use walkforward_live::EndRules;

use crate::view;

/// From the moment that somebody asks for an end until orders, followers and socket are waited for no more.
const END_BOUND: Duration = Duration::from_secs(5);
/// The part of it that orders may take: what follows the journal has the rest.
const ORDERS_BOUND: Duration = Duration::from_secs(3);
/// How long those who follow a session may take that ended by itself: nobody waits.
const UNASKED_BOUND: Duration = Duration::from_secs(20);
/// When the process ends although it has not come to its end: a disk or a terminal hangs.
const FORCED_AFTER: Duration = Duration::from_secs(10);
/// The same after a second signal, and for the last words.
const FORCED_SOON: Duration = Duration::from_secs(2);
/// How long the words of a forced end may take.
const WORDS_BOUND: Duration = Duration::from_millis(500);
/// A second signal that comes sooner is the first one: some send it to a process and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(250);
/// How often it is looked whether somebody has asked by another way than a signal.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) fn cannot_listen(error: &anyhow::Error) -> Failure {
    Failure::stage(format!("{error:#}"))
}

/// What a process has from its first moment on.
pub(crate) struct Process {
    pub(crate) runtime: Runtime,
    pub(crate) halts: HaltRequests,
}

impl Process {
    /// From here on SIGUSR1 ends no process: it waits for a session that it halts.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let runtime = Runtime::new()
            .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
        let entered = runtime.enter();
        let halts = HaltRequests::listen().map_err(|error| cannot_listen(&error))?;
        drop(entered);
        Ok(Self { runtime, halts })
    }
}

/// How a session's process comes to its end.
pub(crate) struct Ending {
    cancel: CancelToken,
    at_once: CancelToken,
    /// Until when it is waited for something; none while nobody has asked for an end.
    deadline: watch::Receiver<Option<Instant>>,
}

impl Ending {
    /// From here on signals are asked for an end of the session, and end it in order.
    pub(crate) fn begin(runtime: &Runtime) -> Result<Self, Failure> {
        let entered = runtime.enter();
        let requests = StopRequests::listen().map_err(|error| cannot_listen(&error))?;
        drop(entered);
        let (cancel, at_once) = (CancelToken::default(), CancelToken::default());
        let (sender, deadline) = watch::channel(None);
        runtime.spawn(obey(requests, cancel.clone(), at_once.clone(), sender));
        Ok(Self { cancel, at_once, deadline })
    }

    /// Ends the session, whoever sets it.
    pub(crate) fn cancel(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// How the session ends.
    pub(crate) fn rules(&self) -> EndRules {
        EndRules { orders: ORDERS_BOUND, at_once: self.at_once.clone() }
    }

    /// Waits until somebody asks for an end.
    pub(crate) async fn asked(&self) {
        is_set(&self.cancel).await;
    }

    /// Waits for `future`, which is the last that is waited for; none where it takes longer than the end may.
    pub(crate) async fn wait_for<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.over() => None,
        }
    }

    /// Waits until nothing is waited for any more.
    async fn over(&self) {
        let mut deadline = self.deadline.clone();
        let unasked = Instant::now() + UNASKED_BOUND;
        loop {
            let until = deadline.borrow_and_update().map_or(unasked, |asked| asked.min(unasked));
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = deadline.changed() => {}
            }
        }
    }
}

async fn is_set(token: &CancelToken) {
    while !token.is_cancelled() {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Has the session end when a signal asks for that, and the process at once when a second one does.
async fn obey(
    mut requests: StopRequests,
    cancel: CancelToken,
    at_once: CancelToken,
    deadline: watch::Sender<Option<Instant>>,
) {
    let is_signal = tokio::select! {
        () = requests.next() => true,
        () = is_set(&cancel) => false,
    };
    cancel.cancel();
    deadline.send_replace(Some(Instant::now() + END_BOUND));
    let forced = force_end();
    if !is_signal {
        requests.next().await;
    }
    let first = Instant::now();
    loop {
        requests.next_in_earnest().await;
        if first.elapsed() >= SAME_SIGNAL {
            break;
        }
    }
    tracing::warn!("a second signal: the process waits for nothing any more");
    at_once.cancel();
    deadline.send_replace(Some(Instant::now()));
    let _ = forced.send(());
}

/// Ends the process from a thread of its own, whatever the others do: sooner when it is told to or has nothing to do but
/// to say its last words.
fn force_end() -> Sender<()> {
    let (sooner, told) = channel();
    std::thread::spawn(move || {
        match told.recv_timeout(FORCED_AFTER) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => std::thread::sleep(FORCED_SOON),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let (said, heard) = channel();
        std::thread::spawn(move || {
            view::give_back();
            complain(
                "the process did not come to its end in time and is ended: its journal has what the next start needs",
            );
            let _ = said.send(());
        });
        // A terminal that takes nothing holds up the words and nothing else.
        let _ = heard.recv_timeout(WORDS_BOUND);
        std::process::exit(STAGE_FAILED.into())
    });
    sooner
}
