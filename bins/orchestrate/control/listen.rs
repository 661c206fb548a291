//! The server's end of the socket.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::Mode;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use walkforward::failure::Failure;

use super::places::{Place, Places};
use super::{Answer, MAX_REQUEST_BYTES, Request};

/// Connections at once. A further one takes the place of the idlest; when all are busy it is told to come again.
const MAX_CONNECTIONS: usize = 16;
/// A connection that says nothing for so long is closed.
const READ_WAIT: Duration = Duration::from_secs(10);
/// An answer that nobody takes for so long is dropped.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// Between two tries to accept while the system has no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The socket is for its owner alone.
const OWNER_ALONE: u32 = 0o600;
/// What others may not do while it is made.
const OTHERS: Mode = Mode::from_raw_mode(0o177);

/// Does what is asked.
#[async_trait]
pub(crate) trait Desk: Send + Sync {
    /// Does it, or says why not.
    async fn answer(&self, request: Request) -> Answer;
}

/// The socket, until it is dropped.
pub(crate) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`. The caller holds the run lock of the folder: a socket that lies there is a dead process's.
    pub(crate) fn bind(path: &Path) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| {
            let long = match error.kind() {
                ErrorKind::InvalidInput => {
                    "; a socket's path has at most some 100 bytes: use a shorter --data-dir"
                }
                _ => "",
            };
            Failure::input(format!("the socket '{}' can't be made: {error}{long}", path.display()))
        };
        match fs::symlink_metadata(path) {
            Ok(file) if file.file_type().is_socket() => fs::remove_file(path).map_err(fail)?,
            Ok(_) => {
                let path = path.display();
                return Err(Failure::input(format!(
                    "'{path}' is no socket: move it away, the server listens there"
                )));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let mask = rustix::process::umask(OTHERS);
        let listener = UnixListener::bind(path);
        rustix::process::umask(mask);
        let listener = listener.map_err(fail)?;
        fs::set_permissions(path, fs::Permissions::from_mode(OWNER_ALONE)).map_err(fail)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, desk: Arc<dyn Desk>) {
        let places = Places::new(MAX_CONNECTIONS);
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a command could not connect");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (desk, place) = (Arc::clone(&desk), places.take().await);
            tokio::spawn(async move {
                match place {
                    Some(place) => converse(stream, &place, &*desk).await,
                    None => {
                        let most = MAX_CONNECTIONS;
                        let busy =
                            Failure::stage(format!("the server answers {most} commands already; try again"));
                        let _ = say(&mut BufReader::new(stream), &Answer::refused(busy)).await;
                    }
                }
            });
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers the requests of one connection, line by line.
async fn converse(stream: UnixStream, place: &Place, desk: &dyn Desk) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(MAX_REQUEST_BYTES as u64);
        let read = tokio::time::timeout(READ_WAIT, bounded.read_until(b'\n', &mut line));
        let read = tokio::select! {
            read = read => read,
            () = place.given_away() => return,
        };
        if !matches!(read, Ok(Ok(bytes)) if bytes > 0) || !place.busy() {
            return;
        }
        let is_whole = line.ends_with(b"\n");
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(request) if is_whole => desk.answer(request).await,
            Ok(_) => return,
            Err(_) if !is_whole => Answer::refused(Failure::input(format!(
                "a request is one line of at most {MAX_REQUEST_BYTES} bytes"
            ))),
            Err(error) => Answer::refused(Failure::input(format!("this is no request: {error}"))),
        };
        if !say(&mut stream, &answer).await || !is_whole {
            return;
        }
        place.idle();
    }
}

/// Writes a line; whether it could be.
async fn say(stream: &mut BufReader<UnixStream>, answer: &Answer) -> bool {
    let Ok(mut line) = serde_json::to_vec(answer) else { return false };
    line.push(b'\n');
    matches!(tokio::time::timeout(WRITE_WAIT, stream.write_all(&line)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Write};

    use serde_json::{Value, json};

    use super::*;

    struct Echo;

    #[async_trait]
    impl Desk for Echo {
        async fn answer(&self, request: Request) -> Answer {
            Answer::done(json!({ "asked": request }))
        }
    }

    /// What a server answers to these bytes, line by line.
    async fn answers(sent: Vec<u8>) -> Vec<Value> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orchestrate.sock");
        let listener = Listener::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ALONE);
        let server = tokio::spawn(listener.serve(Arc::new(Echo)));
        let asked = path.clone();
        let answers = tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(asked).unwrap();
            stream.write_all(&sent).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let lines = std::io::BufReader::new(stream).lines();
            lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
        });
        let answers = answers.await.unwrap();
        server.abort();
        let _ = server.await;
        assert!(!path.exists());
        answers
    }

    #[tokio::test]
    async fn every_line_gets_its_answer() {
        let lines = b"{\"command\":\"status\"}\n{\"command\":\"pause\",\"schedule\":\"a\"}\n".to_vec();
        let [first, second] = answers(lines).await.try_into().unwrap();
        assert_eq!(first, json!({ "ok": true, "asked": { "command": "status" } }));
        assert_eq!(second["asked"]["schedule"], "a");
    }

    #[tokio::test]
    async fn what_is_no_request_or_too_long_is_refused() {
        let [answer] = answers(b"{\"command\":\"dance\"}\n".to_vec()).await.try_into().unwrap();
        assert!(answer["ok"] == false && answer["error"].as_str().unwrap().contains("dance"), "{answer}");
        let [answer] = answers(vec![b'x'; MAX_REQUEST_BYTES]).await.try_into().unwrap();
        assert!(answer["error"].as_str().unwrap().contains("65536 bytes"), "{answer}");
        assert!(answers(b"{\"command\":\"status\"}".to_vec()).await.is_empty());
    }

    /// Carries out nothing until it is told to, and counts what it was asked.
    struct Slow(tokio::sync::Semaphore, tokio::sync::Semaphore);

    #[async_trait]
    impl Desk for Slow {
        async fn answer(&self, _request: Request) -> Answer {
            self.1.add_permits(1);
            let _told = self.0.acquire().await;
            Answer::done(json!({}))
        }
    }

    /// Asks for the status and waits at most a second for the answer.
    async fn ask(stream: &mut BufReader<UnixStream>) -> Value {
        stream.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(1), stream.read_line(&mut line)).await;
        read.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    #[tokio::test]
    async fn idle_connections_do_not_hold_up_a_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orchestrate.sock");
        let server = tokio::spawn(Listener::bind(&path).unwrap().serve(Arc::new(Echo)));
        let connect = async || BufReader::new(UnixStream::connect(&path).await.unwrap());
        let mut used = connect().await;
        let mut idle = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            // One that asks now and then is not the idlest.
            assert_eq!(ask(&mut used).await["ok"], true);
            idle.push(connect().await);
        }
        // A request that never ends is no work either.
        idle[0].write_all(b"{\"command\"").await.unwrap();
        for _ in 0..MAX_CONNECTIONS {
            assert_eq!(ask(&mut connect().await).await["ok"], true);
        }
        assert_eq!(ask(&mut used).await["ok"], true);
        server.abort();
    }

    #[tokio::test]
    async fn a_command_that_finds_all_busy_is_told_so_and_takes_nobodys_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orchestrate.sock");
        let desk = Arc::new(Slow(tokio::sync::Semaphore::new(0), tokio::sync::Semaphore::new(0)));
        let server = tokio::spawn(Listener::bind(&path).unwrap().serve(Arc::<Slow>::clone(&desk)));
        let connect = async || BufReader::new(UnixStream::connect(&path).await.unwrap());
        let mut busy = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut stream = connect().await;
            stream.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
            busy.push(stream);
        }
        let all = u32::try_from(MAX_CONNECTIONS).unwrap();
        drop(tokio::time::timeout(Duration::from_secs(10), desk.1.acquire_many(all)).await.unwrap());
        let refused = ask(&mut connect().await).await;
        assert_eq!(refused["ok"], false);
        assert!(refused["error"].as_str().unwrap().contains("16 commands"), "{refused}");
        desk.0.add_permits(MAX_CONNECTIONS);
        for mut stream in busy {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            assert!(line.contains("\"ok\":true"), "{line}");
        }
        server.abort();
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_another_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orchestrate.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(Listener::bind(&path).unwrap());
        fs::write(&path, "a file").unwrap();
        let error = Listener::bind(&path).err().unwrap().message;
        assert!(error.contains("is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    }
}
