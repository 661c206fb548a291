//! Work that does not depend on each other.

use tokio::task::JoinSet;
use walkforward::failure::Failure;

/// What `work` makes of each of `0..count`, in this order, with at most `width` at once. The results do not depend on
/// the width.
///
/// # Errors
/// The first failure; the others are left.
pub(crate) async fn side_by_side<T, F>(
    count: usize,
    width: usize,
    work: impl Fn(usize) -> F,
) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut done = Vec::with_capacity(count);
    let (mut next, width) = (0, width.max(1));
    while done.len() < count {
        while next < count && running.len() < width {
            let (index, work) = (next, work(next));
            running.spawn(async move { (index, work.await) });
            next += 1;
        }
        let Some(ended) = running.join_next().await else { break };
        let (index, result) = ended.map_err(|panic| Failure::stage(panic.to_string()))?;
        done.push((index, result?));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn results_come_in_order_and_no_more_run_than_may() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for width in [0, 1, 3] {
            most.store(0, Ordering::SeqCst);
            let done = side_by_side(20, width, |index| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(std::time::Duration::from_millis(20 - index as u64)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(index)
                }
            });
            assert_eq!(done.await.unwrap(), (0..20).collect::<Vec<_>>());
            assert!(most.load(Ordering::SeqCst) <= width.max(1));
        }
    }

    #[tokio::test]
    async fn a_failure_ends_it() {
        let failing =
            |index| async move { if index == 3 { Err(Failure::stage("third")) } else { Ok(index) } };
        assert_eq!(side_by_side(5, 1, failing).await.unwrap_err().message, "third");
    }
}
