//! A client of the test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::READ;

/// Much longer than anything takes: who waits for this waits in vain.
const TOO_LONG: Duration = Duration::from_secs(120);

/// A socket, and the messages of its last frame that nobody has looked at.
pub(crate) struct Listener {
    socket: WebSocketStream<TcpStream>,
    waiting: VecDeque<Value>,
}

impl Listener {
    /// Connects, with more headers; the status and what is in the way where the server does not want it.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let socket = TcpSocket::new_v4().unwrap();
        // Whoever does not read shall be noticed soon.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket, waiting: VecDeque::new() }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, &[]).await.unwrap()
    }

    /// A client that was let in.
    pub(crate) async fn welcomed(address: SocketAddr) -> Self {
        let mut listener = Self::connect(address).await;
        listener.hello(json!({ "type": "hello", "token": READ })).await;
        assert_eq!(listener.next().await["type"], "welcome");
        listener
    }

    pub(crate) async fn hello(&mut self, hello: Value) {
        self.say(Message::text(hello.to_string())).await;
    }

    pub(crate) async fn say(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    async fn frame(&mut self) -> Message {
        let frame = timeout(TOO_LONG, self.socket.next()).await.expect("something comes in time");
        frame.expect("the server is there").expect("a frame")
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return message;
            }
            match self.frame().await {
                Message::Text(text) => self.waiting = serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of this type; those before it are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// All messages up to the state change with number `last`, itself included.
    pub(crate) async fn until(&mut self, last: i64) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let message = self.next().await;
            let is_last = message["seq"] == last && message["volatile"] != true;
            all.push(message);
            if is_last {
                return all;
            }
        }
    }

    /// The code with which the server closes; messages before it are passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(close) = self.frame().await {
                return close.map_or(0, |close| close.code.into());
            }
        }
    }
}

/// The numbers of the state changes among `messages`.
pub(crate) fn numbers(messages: &[Value]) -> Vec<i64> {
    let changes = messages.iter().filter(|message| message["volatile"] != true);
    changes.map(|message| message["seq"].as_i64().unwrap()).collect()
}
