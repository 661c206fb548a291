//! Looking again and again, and waiting longer where that fails.

use std::convert::Infallible;
use std::time::Duration;

use crate::Mirror;
use crate::mirror::Looked;

/// Looks that are left out at most where the store has nothing new.
const MAX_SKIPPED: u32 = 60;

impl Mirror {
    /// Mirrors until it is dropped. It asks the store in place, so it wants a thread of its own. What fails is logged
    /// once and tried again, later each time.
    pub async fn run(mut self) -> Infallible {
        let (mut failures, mut seen, mut idle) = (0_u32, None, 0_u32);
        loop {
            let newest = self.store.last_event().ok();
            if newest.is_none() || newest != seen || idle >= MAX_SKIPPED {
                match self.look().await {
                    Ok(Looked { is_open }) => {
                        if std::mem::take(&mut failures) > 0 {
                            tracing::info!("MLflow has everything again");
                        }
                        (seen, idle) = (newest.filter(|_| !is_open), 0);
                    }
                    Err(error) => {
                        if failures == 0 {
                            tracing::warn!(%error, "MLflow is behind; it is tried again, and nothing else waits for it");
                        }
                        failures = failures.saturating_add(1);
                        tokio::time::sleep(self.wait_after(failures)).await;
                        continue;
                    }
                }
            }
            idle += 1;
            tokio::time::sleep(self.options.look).await;
        }
    }

    fn wait_after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
        self.options.first_retry.saturating_mul(doubled).min(self.options.longest_retry)
    }
}
