//! The same through a Unix socket.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use walkforward_core::{
    ControlCommand, ControlError, ControlReply, ControlRequest, MAX_CONTROL_LINE_BYTES, SessionControl,
    SessionEvent, TradingMode,
};
use walkforward_live::{
    ControlClient, ControlServer, MAX_CONTROL_CONNECTIONS, MAX_SOCKET_PATH_BYTES, SocketError,
    remove_dead_socket, socket_path,
};

use super::{Session, reason};
use crate::common::Workplace;

/// A session with a socket.
struct Served {
    session: Session,
    path: PathBuf,
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Served {
    async fn start(place: &Workplace) -> Self {
        let session = Session::start(place).await;
        let path = socket_path(place.folder.path(), &session.handle.begun().await.unwrap());
        let server = ControlServer::bind(&path).await.unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let handle = std::sync::Arc::new(session.handle.clone());
        let server = tokio::spawn(async move { server.serve(handle, async { drop(ended.await) }).await });
        Self { session, path, end, server }
    }

    fn client(&self) -> ControlClient {
        ControlClient::new(&self.path)
    }

    async fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(&self.path).await.unwrap())
    }

    async fn end(self) {
        self.session.end().await;
        self.end.send(()).unwrap();
        self.server.await.unwrap();
        assert!(!self.path.exists());
    }
}

/// Sends bytes and reads the line that comes.
async fn converse(stream: &mut BufReader<UnixStream>, bytes: &[u8]) -> Option<ControlReply> {
    stream.write_all(bytes).await.unwrap();
    let mut line = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_until(b'\n', &mut line));
    (read.await.unwrap().unwrap() > 0).then(|| ControlReply::from_line(&line).unwrap())
}

const ASK: &[u8] = b"{\"id\":7,\"command\":\"status\"}\n";

#[tokio::test]
async fn a_client_gets_what_the_handle_gives() {
    let place = Workplace::new();
    let mut served = Served::start(&place).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&served.path), mode(served.path.parent().unwrap())), (0o600, 0o700));
    let client = served.client();
    let (before, mut events) = client.subscribe(None).await.unwrap();
    served.session.bars(10).await;
    for (command, mode) in [
        (ControlCommand::Pause { reason: reason() }, TradingMode::Halted),
        (ControlCommand::ReduceOnly { reason: reason() }, TradingMode::ReduceOnly),
        (ControlCommand::Resume { acknowledge: None }, TradingMode::Active),
        (ControlCommand::Kill { reason: reason(), flatten: true }, TradingMode::Halted),
        (ControlCommand::Reload {}, TradingMode::Halted),
        (ControlCommand::Resume { acknowledge: Some(reason()) }, TradingMode::Active),
    ] {
        let status = client.ask(command.clone()).await.unwrap();
        assert_eq!(status.mode, mode, "{command:?}");
        assert_eq!(status, served.session.status().await, "{command:?}");
    }
    let refused = client.ask(ControlCommand::Kill { reason: reason(), flatten: false }).await;
    assert_eq!(refused.unwrap().mode, TradingMode::Halted);
    let Err(ControlError::Refused { reason: why, .. }) =
        client.ask(ControlCommand::Resume { acknowledge: None }).await
    else {
        panic!("it was not refused")
    };
    assert!(why.contains("acknowledgement"), "{why}");

    let reading = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            seqs.push(event.seq);
            if matches!(event.event, SessionEvent::Ended { .. }) {
                break;
            }
        }
        (seqs, events.next().await)
    });
    client.ask(ControlCommand::Stop {}).await.unwrap();
    let path = served.path.clone();
    served.end().await;
    let (seqs, last) = reading.await.unwrap();
    assert_eq!(seqs, (before.last_event + 1..=before.last_event + seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(last, Ok(None));
    let gone = ControlClient::new(&path).ask(ControlCommand::Status {}).await.unwrap_err();
    assert!(matches!(&gone, ControlError::Gone { reason } if reason.contains("it has no socket")), "{gone}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_next_is_answered() {
    let place = Workplace::new();
    let served = Served::start(&place).await;
    let mut stream = served.connect().await;
    for bad in [&b"\n"[..], b"hello\n", b"{\"command\":\"dance\"}\n", b"{\"command\":\"pause\"}\n"] {
        let reply = converse(&mut stream, bad).await.unwrap();
        assert!(matches!(&reply, ControlReply::Refused { id: 0, .. }), "{reply:?}");
        let reply = converse(&mut stream, ASK).await.unwrap();
        assert!(matches!(&reply, ControlReply::Status { id: 7, .. }), "{reply:?}");
    }
    let mut long = served.connect().await;
    let reply = converse(&mut long, &vec![b'x'; MAX_CONTROL_LINE_BYTES]).await.unwrap();
    assert!(matches!(&reply, ControlReply::Refused { id: 0, .. }), "{reply:?}");
    let mut rest = Vec::new();
    // Closed, with or without the rest of what was sent being read.
    let _ = long.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    served.end().await;
}

#[tokio::test]
async fn a_client_that_never_reads_holds_up_nobody() {
    let place = Workplace::new();
    let mut served = Served::start(&place).await;
    let mut deaf = UnixStream::connect(&served.path).await.unwrap();
    deaf.write_all(b"{\"command\":\"subscribe\"}\n").await.unwrap();
    // As many questions as the system takes before somebody reads.
    let asked = tokio::time::timeout(Duration::from_millis(300), async {
        for _ in 0..100_000 {
            deaf.write_all(ASK).await.unwrap();
        }
    });
    assert!(asked.await.is_err());
    served.session.bars(1_500).await;
    let status = served.client().ask(ControlCommand::Status {}).await.unwrap();
    assert_eq!(status.bars, 1_500);
    served.end().await;
    drop(deaf);
}

#[tokio::test]
async fn connections_have_a_bound_and_a_further_one_is_told_so() {
    let place = Workplace::new();
    let served = Served::start(&place).await;
    let mut taken = Vec::new();
    for _ in 0..MAX_CONTROL_CONNECTIONS {
        let mut stream = served.connect().await;
        assert!(matches!(converse(&mut stream, ASK).await, Some(ControlReply::Status { .. })));
        taken.push(stream);
    }
    let busy = served.client().ask(ControlCommand::Status {}).await.unwrap_err();
    assert!(busy.to_string().contains("32 already"), "{busy}");
    taken.pop();
    let mut tries = 0;
    while served.client().ask(ControlCommand::Status {}).await.is_err() {
        tries += 1;
        assert!(tries < 1_000);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(taken);
    served.end().await;
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live/a.sock");
    let living = ControlServer::bind(&path).await.unwrap();
    let error = ControlServer::bind(&path).await.unwrap_err();
    let ours = i32::try_from(std::process::id()).unwrap();
    assert!(matches!(&error, SocketError::Alive { holder: Some(pid), .. } if *pid == ours), "{error}");
    assert!(error.to_string().contains(&ours.to_string()));
    drop(living);
    assert!(!path.exists());

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(ControlServer::bind(&path).await.unwrap());

    std::fs::write(&path, "a file").unwrap();
    let error = ControlServer::bind(&path).await.unwrap_err();
    assert!(matches!(error, SocketError::NoSocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");

    let long = folder.path().join("x".repeat(MAX_SOCKET_PATH_BYTES)).join("a.sock");
    let error = ControlServer::bind(&long).await.unwrap_err();
    assert!(
        matches!(error, SocketError::TooLong { .. }) && error.to_string().contains("shorter path"),
        "{error}"
    );
}

#[tokio::test]
async fn a_dead_socket_is_removed_and_no_living_one_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live/a.sock");
    let living = ControlServer::bind(&path).await.unwrap();
    assert!(!remove_dead_socket(&path).await && path.exists(), "somebody answers there");
    drop(living);
    assert!(!remove_dead_socket(&path).await, "there is none");

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(remove_dead_socket(&path).await && !path.exists());

    let other = folder.path().join("live/a.journal");
    drop(std::os::unix::net::UnixListener::bind(&other).unwrap());
    std::fs::write(&path, "a file").unwrap();
    for kept in [&path, &other] {
        assert!(!remove_dead_socket(kept).await && kept.exists(), "{}", kept.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_is_sent_the_session_answers_the_next(
        junk in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{\"command\":\"[a-z_]{0,12}\"[,\\}]?".prop_map(String::into_bytes),
        ], 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Workplace::new();
            let served = Served::start(&place).await;
            let mut stream = served.connect().await;
            for bytes in junk {
                stream.write_all(&bytes).await.unwrap();
                stream.write_all(b"\n").await.unwrap();
            }
            let line = (ControlRequest { id: 99, by: Default::default(), command: ControlCommand::Status {} }).to_line().unwrap();
            let mut reply = converse(&mut stream, &line).await.unwrap();
            while matches!(reply, ControlReply::Refused { id: 0, .. }) || !matches!(reply, ControlReply::Status { id: 99, .. }) {
                reply = converse(&mut stream, b"").await.unwrap();
            }
            drop(stream);
            served.end().await;
        });
    }
}
