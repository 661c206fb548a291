//! When a connection is given up.

use std::time::Duration;

use super::StreamSettings;

/// What has to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A ping.
    Ping,
    /// The service did not take keys and subscription in time.
    NotReady,
    /// Not even answers to pings come.
    HalfOpen,
    /// Answers to pings come, messages don't.
    Silent,
}

/// The timers of one connection. Times count from when the socket stood.
#[derive(Debug)]
pub(crate) struct Watch {
    settings: StreamSettings,
    is_ready: bool,
    last_frame: Duration,
    last_message: Duration,
    next_ping: Duration,
}

impl Watch {
    pub(crate) fn new(settings: StreamSettings) -> Self {
        let zero = Duration::ZERO;
        let next_ping = settings.ping_every;
        Self { settings, is_ready: false, last_frame: zero, last_message: zero, next_ping }
    }

    /// Keys and subscription are taken.
    pub(crate) fn ready(&mut self, now: Duration) {
        self.is_ready = true;
        self.last_message = now;
    }

    /// Something came; a message, or just a sign of life.
    pub(crate) fn frame(&mut self, now: Duration, is_message: bool) {
        self.last_frame = now;
        if is_message {
            self.last_message = now;
        }
    }

    /// What has to be done at `now`, and when to ask again.
    pub(crate) fn due(&mut self, now: Duration) -> (Option<Due>, Duration) {
        let half_open = self.last_frame + self.settings.pong_wait;
        let silent = self.settings.silence.filter(|_| self.is_ready).map(|it| self.last_message + it);
        let late = (!self.is_ready).then_some(self.settings.ready);
        if late.is_some_and(|at| now >= at) {
            return (Some(Due::NotReady), now);
        }
        if now >= half_open {
            return (Some(Due::HalfOpen), now);
        }
        if silent.is_some_and(|at| now >= at) {
            return (Some(Due::Silent), now);
        }
        let ping = (now >= self.next_ping).then_some(Due::Ping);
        if ping.is_some() {
            self.next_ping = now + self.settings.ping_every;
        }
        let next = [Some(half_open), Some(self.next_ping), silent, late].into_iter().flatten().min();
        (ping, next.unwrap_or(half_open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_service_that_takes_no_keys_is_given_up_after_its_time() {
        let mut watch = Watch::new(StreamSettings::default());
        watch.frame(s(3), true);
        assert_eq!(watch.due(s(9)), (None, s(10)));
        assert_eq!(watch.due(s(10)).0, Some(Due::NotReady));
    }

    #[test]
    fn pings_go_out_and_a_socket_without_any_answer_is_half_open() {
        let mut watch = Watch::new(StreamSettings::default());
        watch.ready(s(1));
        watch.frame(s(1), true);
        assert_eq!(watch.due(s(9)), (None, s(10)));
        assert_eq!(watch.due(s(10)), (Some(Due::Ping), s(20)));
        assert_eq!(watch.due(s(20)), (Some(Due::Ping), s(30)));
        assert_eq!(watch.due(s(30)), (Some(Due::Ping), s(31)));
        assert_eq!(watch.due(s(31)).0, Some(Due::HalfOpen));
    }

    #[test]
    fn answers_to_pings_do_not_hide_that_no_messages_come() {
        let mut watch = Watch::new(StreamSettings::default());
        watch.ready(s(0));
        for ten in 1..=13 {
            assert_eq!(watch.due(s(10 * ten)).0, Some(Due::Ping));
            watch.frame(s(10 * ten), false);
        }
        assert_eq!(watch.due(s(134)), (None, s(135)));
        assert_eq!(watch.due(s(135)).0, Some(Due::Silent));
        let mut quiet = Watch::new(StreamSettings { silence: None, ..StreamSettings::default() });
        quiet.ready(s(0));
        quiet.frame(s(100_000), false);
        assert_eq!(quiet.due(s(100_000)).0, Some(Due::Ping), "where none are expected, silence is no sign");
    }
}
