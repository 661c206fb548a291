//! Times of a stream that are short where a test waits for them.

use std::time::Duration;

use walkforward_alpaca::StreamSettings;

pub(crate) fn short_times() -> StreamSettings {
    let ms = Duration::from_millis;
    StreamSettings {
        ready: ms(3_000),
        ping_every: ms(50),
        pong_wait: ms(400),
        silence: None,
        base_wait: ms(4),
        max_wait: ms(40),
        stable_after: ms(1_000),
        ..StreamSettings::default()
    }
}
