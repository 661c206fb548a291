//! Who may talk to the server at once. A connection that waits for nothing but its own next request gives its place to
//! a new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A connection keeps its place for so long without a request: the first one is read by then, if there is one.
const KEPT_FOR: Duration = Duration::from_millis(50);

/// A bounded number of places.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    taken: BTreeMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    /// Since when it waits for a request; none while one is carried out.
    idle_since: Option<Instant>,
    close: Arc<Notify>,
}

/// What a new connection finds.
enum Room {
    /// A place.
    Free(Place),
    /// Perhaps one in a moment.
    In(Duration),
    /// Nobody waits for a request.
    None,
}

impl Table {
    /// Which connection has been idle for longest, and for how long.
    fn idlest(&self) -> Option<(u64, Duration)> {
        let idle = self.taken.iter().filter_map(|(id, taken)| Some((taken.idle_since?, *id)));
        idle.min().map(|(since, id)| (id, since.elapsed()))
    }
}

impl Places {
    /// As many as `most`.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default() })
    }

    /// A place for a new connection, that of the idlest one if need be; none when all are busy.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        loop {
            match self.room() {
                Room::Free(place) => return Some(place),
                Room::In(moment) => tokio::time::sleep(moment).await,
                Room::None => return None,
            }
        }
    }

    fn room(self: &Arc<Self>) -> Room {
        let mut table = self.lock();
        if table.taken.len() >= self.most {
            match table.idlest() {
                None => return Room::None,
                Some((_, idle_for)) if idle_for < KEPT_FOR => return Room::In(KEPT_FOR - idle_for),
                Some((id, _)) => {
                    let _ = table.taken.remove(&id).inspect(|taken| taken.close.notify_one());
                }
            }
        }
        let (id, close) = (table.next_id, Arc::new(Notify::new()));
        table.next_id += 1;
        table.taken.insert(id, Taken { idle_since: Some(Instant::now()), close: Arc::clone(&close) });
        Room::Free(Place { places: Arc::clone(self), id, close })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, until it is dropped or given to another.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    close: Arc<Notify>,
}

impl Place {
    /// The connection waits for a request from now on.
    pub(super) fn idle(&self) {
        if let Some(taken) = self.places.lock().taken.get_mut(&self.id) {
            taken.idle_since = Some(Instant::now());
        }
    }

    /// A request is being carried out. False when the place was given away before it had come.
    pub(super) fn busy(&self) -> bool {
        let mut table = self.places.lock();
        table.taken.get_mut(&self.id).map(|taken| taken.idle_since = None).is_some()
    }

    /// Returns when the place was given to another connection.
    pub(super) async fn given_away(&self) {
        self.close.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_idlest_gives_way_and_a_busy_one_never_does() {
        let places = Places::new(2);
        let first = places.take().await.unwrap();
        tokio::time::sleep(KEPT_FOR).await;
        let second = places.take().await.unwrap();
        // The first has asked something since the second came.
        tokio::time::sleep(KEPT_FOR).await;
        assert!(first.busy());
        first.idle();
        let third = places.take().await.unwrap();
        second.given_away().await;
        assert!(!second.busy() && first.busy() && third.busy());
        drop(second);
        assert!(places.take().await.is_none());
        third.idle();
        let fourth = places.take().await.unwrap();
        third.given_away().await;
        drop((third, fourth));
        assert!(places.take().await.is_some());
    }

    #[tokio::test]
    async fn a_new_one_keeps_its_place_until_its_first_request_can_have_been_read() {
        let places = Places::new(1);
        let first = places.take().await.unwrap();
        let began = Instant::now();
        assert!(first.busy());
        assert!(places.take().await.is_none());
        first.idle();
        let _second = places.take().await.unwrap();
        assert!(began.elapsed() >= KEPT_FOR && !first.busy());
    }
}
