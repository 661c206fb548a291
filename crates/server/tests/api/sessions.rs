//! Traders that only answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use walkforward_core::{
    Cash, ControlCommand, ControlError, ErrorKind, LoadedModel, Quantity, SessionControl, SessionEvents,
    SessionId, SessionRestriction, SessionStatus, Timestamp, TradingMode,
};
use walkforward_server::{Refusal, RefusalKind, RunningSessions, StartPaper};

/// What a session was told, and how it is.
pub(crate) struct FakeSession {
    pub(crate) told: Mutex<Vec<ControlCommand>>,
    status: Mutex<SessionStatus>,
    /// It listens and does not answer.
    is_gone: bool,
}

fn start() -> Timestamp {
    "2024-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn status(id: &SessionId) -> SessionStatus {
    let cash = Cash::new(10_000.0).unwrap();
    SessionStatus {
        session: id.clone(),
        line: "btc".parse().unwrap(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        started_at: start(),
        mode: TradingMode::Active,
        restriction: None,
        bars: 7,
        missed: 1,
        last_bar: Some(start()),
        equity: cash,
        cash,
        position: Quantity::from_nanos(500_000_000),
        position_value: cash,
        model: Some(LoadedModel {
            model_id: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
            sha256: "ab".repeat(32),
            model_version: 2,
            grade: None,
            trained_until: None,
            confirmed_at: None,
        }),
        open_orders: 0,
        is_feed_up: true,
        last_data_at: Some(start()),
        last_event: 3,
    }
}

#[async_trait]
impl SessionControl for FakeSession {
    async fn ask(&self, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        if self.is_gone {
            return Err(ControlError::Gone { reason: "nobody listens (/secret/place.sock)".to_owned() });
        }
        self.told.lock().unwrap().push(command.clone());
        let mut status = self.status.lock().unwrap();
        match command {
            ControlCommand::Kill { reason, .. } => {
                status.mode = TradingMode::Halted;
                let needs_acknowledgement = true;
                status.restriction =
                    Some(SessionRestriction { reason, since: start(), until: None, needs_acknowledgement });
            }
            ControlCommand::Resume { acknowledge: None } if status.restriction.is_some() => {
                let reason = "it was halted: say why it may go on".to_owned();
                return Err(ControlError::Refused { kind: ErrorKind::BadInput, reason });
            }
            ControlCommand::Resume { .. } => {
                (status.mode, status.restriction) = (TradingMode::Active, None);
            }
            ControlCommand::Reload {} => {
                let reason = "its queue is full".to_owned();
                return Err(ControlError::Refused { kind: ErrorKind::Retry, reason });
            }
            _ => {}
        }
        Ok(status.clone())
    }

    async fn subscribe(
        &self,
        _after: Option<u64>,
    ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError> {
        Err(ControlError::Gone { reason: "it tells nothing".to_owned() })
    }
}

/// Sessions that a test lets run.
#[derive(Default)]
pub(crate) struct FakeSessions(Mutex<BTreeMap<SessionId, Arc<FakeSession>>>);

impl FakeSessions {
    /// From now on a session runs.
    pub(crate) fn run(&self, id: &str, is_gone: bool) -> Arc<FakeSession> {
        let id: SessionId = id.parse().unwrap();
        let session =
            Arc::new(FakeSession { told: Mutex::default(), status: Mutex::new(status(&id)), is_gone });
        self.0.lock().unwrap().insert(id, Arc::clone(&session));
        session
    }
}

#[async_trait]
impl RunningSessions for FakeSessions {
    async fn list(&self) -> Vec<(SessionId, Arc<dyn SessionControl>)> {
        let sessions = self.0.lock().unwrap();
        let one = |(id, session): (&SessionId, &Arc<FakeSession>)| {
            let control: Arc<dyn SessionControl> = Arc::<FakeSession>::clone(session);
            (id.clone(), control)
        };
        sessions.iter().map(one).collect()
    }

    async fn find(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>> {
        let session = self.0.lock().unwrap().get(id).cloned()?;
        Some(session)
    }

    async fn start(&self, wanted: StartPaper) -> Result<SessionId, Refusal> {
        let refuse = |kind, detail: &str| Err(Refusal::new(kind, detail));
        match wanted.source.as_deref() {
            Some("csv") => refuse(RefusalKind::Unusable, "source: 'csv' is none"),
            Some("busy") => refuse(RefusalKind::Conflict, "one trades this already"),
            _ => {
                self.run("btc-new", false);
                Ok("btc-new".parse().unwrap())
            }
        }
    }
}
