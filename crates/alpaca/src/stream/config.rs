//! How long a stream waits for what, and how much it takes.

use std::time::Duration;

use reqwest::Url;
use walkforward_http::is_local;

use crate::{AlpacaError, RetryPolicy};

/// Times of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSettings {
    /// Until the socket stands, TLS and upgrade included.
    pub connect: Duration,
    /// From then until the service has taken keys and subscription; it allows 10 s for the keys itself.
    pub ready: Duration,
    /// Between two pings.
    pub ping_every: Duration,
    /// Longest time without any frame, answers to pings included: after that the socket is half open.
    pub pong_wait: Duration,
    /// Longest time without any message, where messages are sure to come; none where there may be none for days. For
    /// bars: two intervals and some grace.
    pub silence: Option<Duration>,
    /// Longest time for one frame to be sent.
    pub send: Duration,
    /// Wait before the second attempt to connect; it doubles with each further one, less a random part of up to half.
    pub base_wait: Duration,
    /// Longest wait between two attempts.
    pub max_wait: Duration,
    /// A connection that was ready for as long as this was a good one: the waits begin anew.
    pub stable_after: Duration,
    /// Bounds of what is taken.
    pub limits: StreamLimits,
    /// Seed of the random part of the waits. Traders that share an account take different ones.
    pub jitter_seed: u64,
}

/// Bounds of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of a message and of each of its frames. A longer one ends the connection.
    pub max_message_bytes: usize,
    /// Events that wait for their reader; when there are as many, no more are read from the socket.
    pub max_waiting: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            ready: seconds(10),
            ping_every: seconds(10),
            pong_wait: seconds(30),
            silence: Some(seconds(2 * 60 + 15)),
            send: seconds(5),
            base_wait: Duration::from_millis(500),
            max_wait: seconds(60),
            stable_after: seconds(60),
            limits: StreamLimits { max_message_bytes: 1024 * 1024, max_waiting: 4_096 },
            jitter_seed: 0,
        }
    }
}

impl StreamSettings {
    /// Refuses settings out of range.
    pub(crate) fn check(&self) -> Result<(), AlpacaError> {
        let day = Duration::from_secs(86_400);
        for (name, duration) in [
            ("stream connect time", self.connect),
            ("stream ready time", self.ready),
            ("stream ping_every", self.ping_every),
            ("stream pong_wait", self.pong_wait),
            ("stream silence", self.silence.unwrap_or(day)),
            ("stream send time", self.send),
            ("stream base_wait", self.base_wait),
            ("stream max_wait", self.max_wait),
        ] {
            if duration.is_zero() || duration > day {
                return Err(AlpacaError::setting(name, format!("{duration:?}"), "above 0, at most a day"));
            }
        }
        if self.pong_wait <= self.ping_every {
            let expected = format!("longer than ping_every ({:?})", self.ping_every);
            return Err(AlpacaError::setting("stream pong_wait", format!("{:?}", self.pong_wait), expected));
        }
        let StreamLimits { max_message_bytes, max_waiting } = self.limits;
        if !(1_024..=64 * 1024 * 1024).contains(&max_message_bytes) {
            let shown = max_message_bytes.to_string();
            return Err(AlpacaError::setting("max_message_bytes", shown, "1 KiB to 64 MiB"));
        }
        if !(1..=1_000_000).contains(&max_waiting) {
            return Err(AlpacaError::setting("max_waiting", max_waiting.to_string(), "1 to 1000000"));
        }
        Ok(())
    }

    pub(crate) fn waits(&self) -> RetryPolicy {
        RetryPolicy { base_wait: self.base_wait, max_wait: self.max_wait, ..RetryPolicy::default() }
    }
}

/// The address of a stream: `wss`, or `ws` on this machine, where no key can leak on the way.
pub(crate) fn stream_url(name: &'static str, text: &str) -> Result<Url, AlpacaError> {
    let expected =
        "an address such as wss://stream.data.alpaca.markets/v1beta3/crypto/us (ws on this machine)";
    let refused = |shown: &str| AlpacaError::setting(name, shown, expected);
    let url = Url::parse(text).map_err(|_| refused("no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("an address with a user name or password"));
    }
    let is_safe = url.scheme() == "wss" || url.scheme() == "ws" && is_local(&url);
    let host = url.host_str().unwrap_or_default();
    if !is_safe || host.is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(refused(&format!("{}://{host}{}", url.scheme(), url.path())));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_travel_encrypted_or_stay_on_this_machine() {
        for text in [
            "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
            "ws://127.0.0.1:9000/stream",
            "ws://[::1]:1/",
        ] {
            assert!(stream_url("url", text).is_ok(), "{text}");
        }
        for text in
            ["ws://stream.data.alpaca.markets/", "https://x.example", "wss://", "", "wss://x.example/?key=1"]
        {
            assert!(stream_url("url", text).is_err(), "{text}");
        }
        let shown = stream_url("url", "wss://me:hidden@x.example").unwrap_err().to_string();
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        StreamSettings::default().check().unwrap();
        let check = |change: fn(&mut StreamSettings), part: &str| {
            let mut settings = StreamSettings::default();
            change(&mut settings);
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check(|it| it.connect = Duration::ZERO, "stream connect time");
        check(|it| it.silence = Some(Duration::from_secs(100_000)), "stream silence");
        check(|it| it.pong_wait = it.ping_every, "longer than ping_every");
        check(|it| it.limits.max_message_bytes = 10, "max_message_bytes is 10");
        check(|it| it.limits.max_waiting = 0, "max_waiting is 0");
    }
}
