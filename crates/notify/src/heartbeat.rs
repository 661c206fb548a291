//! A sign of life for a watcher outside.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::sink::{HttpTarget, Method, Written};
use crate::{HttpOptions, NotifyError};

const NAME: &str = "heartbeat";
/// Between two signs, however often they are asked for.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Signs of life to one address. Those that are asked for while one is under way become one. They end when this is
/// dropped.
pub struct Heartbeat {
    asked: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// Signs to `url`, which is a secret, each of them a GET that takes as long as `options` allow. Runs on a tokio runtime
    /// with timers.
    ///
    /// # Errors
    /// The address can't be used.
    pub fn start(url: &SecretString, options: &HttpOptions) -> Result<Self, NotifyError> {
        let target = HttpTarget::new(NAME, url, None, options)?;
        let asked = Arc::new(Notify::new());
        let task = tokio::spawn(beat(target, Arc::clone(&asked)));
        Ok(Self { asked, task })
    }

    /// Asks for a sign, and does not wait.
    pub fn ping(&self) {
        self.asked.notify_one();
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat(target: HttpTarget, asked: Arc<Notify>) {
    let mut fails = false;
    loop {
        asked.notified().await;
        match target.send(Method::Get, Written::default()).await {
            Ok(_) if std::mem::take(&mut fails) => tracing::info!("the heartbeat arrives again"),
            Ok(_) => {}
            Err(refused) => {
                let failure = target.failure(refused, |_| String::new());
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!("the heartbeat does not arrive: {failure}; {}", failure.advice);
                }
            }
        }
        tokio::time::sleep(MIN_PAUSE).await;
    }
}
