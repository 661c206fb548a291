//! Connections below the WebSocket: which protocol they speak, and how they end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use walkforward_server::HubOptions;

use crate::world;

/// How long a stopping server waits for those who do not end.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn who_speaks_http_2_is_sent_away() {
    let world = world(HubOptions::default()).await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // It is closed; with what was not read of it, as a reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    world.stop().await;
}

#[tokio::test]
async fn connections_that_ask_nothing_do_not_hold_up_the_end() {
    let world = world(HubOptions::default()).await;
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    let mut asked = TcpStream::connect(world.address).await.unwrap();
    let request = format!("GET /api/health HTTP/1.1\r\nhost: {}\r\n\r\n", world.address);
    asked.write_all(request.as_bytes()).await.unwrap();
    // It stays, for the next request.
    let mut head = [0; 12];
    asked.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let asked_to_stop = Instant::now();
    timeout(GRACE, world.stop()).await.unwrap();
    assert!(asked_to_stop.elapsed() < GRACE);
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).await.unwrap_or(0), 0);
}
