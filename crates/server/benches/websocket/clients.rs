//! The clients of the bench, a process of their own.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::clock::now_ns;
use crate::process::process_cpu_seconds;
use crate::world::READ;

/// Says that this process is the clients, and where the server is.
pub(crate) const FLAG: &str = "--connect-to";

/// What the system keeps for a client that does not read.
const RECEIVE_BYTES: u32 = 64 << 10;

type Socket = WebSocketStream<TcpStream>;

/// What one client has seen.
#[derive(Default)]
struct Seen {
    latencies_ms: Vec<f64>,
    changes: u64,
    messages: u64,
    out_of_order: u64,
    last_seq: i64,
}

/// What a client looks at in a message; borrowed, so that reading costs little.
#[derive(Deserialize)]
struct Told {
    seq: i64,
    #[serde(default)]
    volatile: bool,
    sent_ns: Option<u64>,
    #[serde(default)]
    end: bool,
}

/// Joins with `count` clients and one that reads nothing, says that they are ready, and tells what they saw.
pub(crate) async fn listen(address: SocketAddr, count: usize) -> Value {
    let mut stalled = join(address).await;
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(join(address).await);
    }
    let tasks: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(follow(socket))).collect();
    let cpu = process_cpu_seconds();
    println!("{}", json!({ "ready": count }));
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await.expect("no panic");
        all.latencies_ms.extend(seen.latencies_ms);
        all.changes += seen.changes;
        all.messages += seen.messages;
        all.out_of_order += seen.out_of_order;
    }
    let stalled_was_closed = !has_end(&mut stalled).await;
    json!({
        "stalled_was_closed": stalled_was_closed,
        "changes": all.changes, "messages": all.messages, "out_of_order": all.out_of_order,
        "latency_ms": percentiles(all.latencies_ms), "cpu_seconds": process_cpu_seconds() - cpu,
    })
}

/// A client that was welcomed.
async fn join(address: SocketAddr) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Whoever does not read shall be noticed soon.
    socket.set_recv_buffer_size(RECEIVE_BYTES).expect("a buffer");
    let stream = socket.connect(address).await.expect("a connection");
    let (mut socket, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("a WebSocket");
    let hello = json!({ "type": "hello", "token": READ }).to_string();
    socket.send(Message::text(hello)).await.expect("it is sent");
    loop {
        match socket.next().await.expect("an answer").expect("a frame") {
            Message::Text(text) if text.contains("\"welcome\"") => return socket,
            _ => {}
        }
    }
}

/// Reads at last: whether it gets all, or was closed.
async fn has_end(socket: &mut Socket) -> bool {
    while let Some(Ok(message)) = socket.next().await {
        if matches!(&message, Message::Text(text) if text.contains("\"end\":true")) {
            return true;
        }
    }
    false
}

async fn follow(mut socket: Socket) -> Seen {
    let mut seen = Seen::default();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = now_ns();
        let messages: Vec<Told> = serde_json::from_str(&text).expect("messages");
        for Told { seq, volatile, sent_ns, end } in messages {
            if end {
                return seen;
            }
            let Some(sent_ns) = sent_ns else { continue };
            seen.messages += 1;
            seen.latencies_ms.push(now.saturating_sub(sent_ns) as f64 / 1e6);
            if !volatile {
                seen.changes += 1;
                seen.out_of_order += u64::from(seen.last_seq != 0 && seq != seen.last_seq + 1);
                seen.last_seq = seq;
            }
        }
    }
    seen
}

fn percentiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
        values.get(index).copied().unwrap_or(f64::NAN)
    };
    json!({ "p50": at(0.5), "p99": at(0.99), "max": at(1.0) })
}
