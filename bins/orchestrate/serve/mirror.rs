//! The mirror of what the server does in MLflow, where the settings name one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use walkforward::failure::Failure;
use walkforward::mlflow::tracking_server;
use walkforward_mlflow::{Mirror, MirrorOptions};

use crate::home::Home;

/// How long the end of the mirror is waited for: it is in the middle of a request, or reads the database.
const END_WAIT: Duration = Duration::from_secs(1);

/// A thread of its own that mirrors, until this is dropped. Nothing waits for it but its own end, shortly.
pub(super) struct Mirroring(Option<(oneshot::Sender<()>, Receiver<()>)>);

impl Mirroring {
    /// Begins, where the settings of `home` name a server.
    ///
    /// # Errors
    /// The settings can't be used, or the system gives no thread.
    pub(super) fn start(home: &Home) -> Result<Self, Failure> {
        let Some(server) = tracking_server(&home.settings)? else { return Ok(Self(None)) };
        let refuse = |error: &dyn std::fmt::Display| Failure::stage(format!("MLflow: {error}"));
        let options = MirrorOptions::new(home.folders.data_dir.clone());
        let mirror =
            Mirror::new(Arc::clone(&home.store), &server, options).map_err(|error| refuse(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refuse(&error))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (ending, ended) = channel();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    _ = mirror.run() => {}
                }
            });
            drop(ending);
        };
        std::thread::Builder::new().name("mlflow".to_owned()).spawn(work).map_err(|error| refuse(&error))?;
        tracing::info!(%server, "trainings, models and champions are mirrored to MLflow");
        Ok(Self(Some((stop, ended))))
    }
}

impl Drop for Mirroring {
    fn drop(&mut self) {
        if let Some((stop, ended)) = self.0.take() {
            let _ = stop.send(());
            let _ = ended.recv_timeout(END_WAIT);
        }
    }
}
