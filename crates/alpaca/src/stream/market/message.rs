//! What the market data stream says: every frame is a list of messages.

use serde::Deserialize;
use serde_json::Value;

use crate::RawBar;
use crate::refusal::one_line;
use crate::stream::FrameError;

/// Most messages of one frame; the service sends a few.
const MAX_MESSAGES: usize = 10_000;
/// Characters of an unknown kind that are kept.
const MAX_KIND_CHARS: usize = 32;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketMessage {
    /// The service greets.
    Connected,
    /// The keys are taken.
    Authenticated,
    /// All that the connection is subscribed to, in the service's spelling.
    Subscribed {
        /// Symbols of bars.
        bars: Vec<String>,
        /// Symbols of corrected bars.
        updated_bars: Vec<String>,
    },
    /// Something went wrong there, or here.
    Error {
        /// The service's code.
        code: u64,
        /// Its words, in one line.
        message: String,
    },
    /// A minute has closed.
    Bar {
        /// What was traded.
        symbol: String,
        /// The bar; its numbers are not checked yet.
        bar: RawBar,
    },
    /// A bar that was sent before has changed.
    UpdatedBar {
        /// What was traded.
        symbol: String,
        /// The bar; its numbers are not checked yet.
        bar: RawBar,
    },
    /// A kind that is known and was not asked for: trades, quotes, order books, running days, statuses.
    Other,
    /// A kind that nobody knows.
    Unknown(String),
    /// A kind that is known, with something missing or wrong in it.
    Unreadable(String),
}

/// The messages of a frame. A message that can't be read does not take the others with it.
///
/// ```
/// use walkforward_alpaca::{MarketMessage, parse_market_frame};
///
/// let frame = br#"[{"T":"success","msg":"connected"},{"T":"x"}]"#;
/// assert_eq!(parse_market_frame(frame)?, [MarketMessage::Connected, MarketMessage::Unknown("x".to_owned())]);
/// # Ok::<(), walkforward_alpaca::FrameError>(())
/// ```
///
/// # Errors
/// When the frame is no list of objects.
pub fn parse_market_frame(frame: &[u8]) -> Result<Vec<MarketMessage>, FrameError> {
    let values: Vec<Value> = serde_json::from_slice(frame).map_err(FrameError::new)?;
    if values.len() > MAX_MESSAGES {
        return Err(FrameError::new(format!(
            "{} messages in one frame, at most {MAX_MESSAGES}",
            values.len()
        )));
    }
    Ok(values.into_iter().map(message).collect())
}

#[derive(Deserialize)]
struct RawBarMessage {
    #[serde(rename = "S")]
    symbol: String,
    #[serde(flatten)]
    bar: RawBar,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSubscription {
    #[serde(default)]
    bars: Option<Vec<String>>,
    #[serde(default)]
    updated_bars: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawError {
    code: u64,
    #[serde(default)]
    msg: String,
}

fn message(value: Value) -> MarketMessage {
    let kind = value.get("T").and_then(Value::as_str).unwrap_or_default();
    let read = match kind {
        "b" => bar(value).map(|(symbol, bar)| MarketMessage::Bar { symbol, bar }),
        "u" => bar(value).map(|(symbol, bar)| MarketMessage::UpdatedBar { symbol, bar }),
        "success" => Ok(match value.get("msg").and_then(Value::as_str) {
            Some("connected") => MarketMessage::Connected,
            Some("authenticated") => MarketMessage::Authenticated,
            _ => MarketMessage::Other,
        }),
        "subscription" => {
            serde_json::from_value(value).map(|raw: RawSubscription| MarketMessage::Subscribed {
                bars: raw.bars.unwrap_or_default(),
                updated_bars: raw.updated_bars.unwrap_or_default(),
            })
        }
        "error" => serde_json::from_value(value)
            .map(|raw: RawError| MarketMessage::Error { code: raw.code, message: one_line(&raw.msg) }),
        "d" | "t" | "q" | "o" | "s" | "l" | "c" => Ok(MarketMessage::Other),
        _ => Ok(MarketMessage::Unknown(kind.chars().take(MAX_KIND_CHARS).collect())),
    };
    read.unwrap_or_else(|error| MarketMessage::Unreadable(one_line(&error.to_string())))
}

fn bar(value: Value) -> Result<(String, RawBar), serde_json::Error> {
    serde_json::from_value(value).map(|RawBarMessage { symbol, bar }| (symbol, bar))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(frame: &str) -> MarketMessage {
        let mut messages = parse_market_frame(frame.as_bytes()).unwrap();
        assert_eq!(messages.len(), 1, "{frame}");
        messages.remove(0)
    }

    const BAR: &str = r#"{"T":"b","S":"BTC/USD","o":47993.71,"h":48000,"l":47976.69,"c":47982.6,"v":1.66283276,"t":"2021-09-17T02:02:00Z","n":162,"vw":47984.1688165374}"#;

    #[test]
    fn bars_are_read_to_the_last_digit() {
        let MarketMessage::Bar { symbol, bar } = one(&format!("[{BAR}]")) else { panic!("no bar") };
        assert_eq!((symbol.as_str(), bar.open, bar.high), ("BTC/USD", 47993.71, 48000.0));
        assert_eq!((bar.volume, bar.vwap), (1.66283276, Some(47984.1688165374)));
        assert_eq!(bar.open_time.to_string(), "2021-09-17T02:02:00.000Z");
        assert!(matches!(
            one(&format!("[{}]", BAR.replace("\"b\"", "\"u\""))),
            MarketMessage::UpdatedBar { .. }
        ));
    }

    #[test]
    fn control_messages_are_told_apart() {
        assert_eq!(one(r#"[{"T":"success","msg":"authenticated"}]"#), MarketMessage::Authenticated);
        assert_eq!(one(r#"[{"T":"success","msg":"hello"}]"#), MarketMessage::Other);
        let expected = MarketMessage::Error { code: 406, message: "connection limit exceeded".to_owned() };
        assert_eq!(one(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#), expected);
        let subscription = r#"[{"T":"subscription","trades":[],"quotes":[],"bars":["BTC/USD"],"updatedBars":null,"dailyBars":[]}]"#;
        let expected =
            MarketMessage::Subscribed { bars: vec!["BTC/USD".to_owned()], updated_bars: Vec::new() };
        assert_eq!(one(subscription), expected);
    }

    #[test]
    fn a_message_that_can_not_be_read_leaves_the_others() {
        let frame = format!(r#"[{{"T":"b","S":"BTC/USD"}},{{"T":"q","c":["x"]}},7,{{"T":"news"}},{BAR}]"#);
        let messages = parse_market_frame(frame.as_bytes()).unwrap();
        assert!(matches!(messages[0], MarketMessage::Unreadable(_)));
        assert_eq!(messages[1], MarketMessage::Other);
        assert_eq!(messages[2], MarketMessage::Unknown(String::new()));
        assert_eq!(messages[3], MarketMessage::Unknown("news".to_owned()));
        assert!(matches!(messages[4], MarketMessage::Bar { .. }));
    }

    #[test]
    fn garbage_is_an_error_with_a_short_text() {
        for frame in [
            "",
            "{}",
            "null",
            "[",
            "<html>",
            "\"b\"",
            &"[".repeat(100_000),
            &format!("[{}]", "0,".repeat(20_000)),
        ] {
            let error = parse_market_frame(frame.as_bytes()).unwrap_err().to_string();
            assert!(error.len() < 500, "{error}");
        }
        assert!(parse_market_frame(&[0xFF, 0xFE]).is_err());
        let many = format!("[{}0]", "0,".repeat(MAX_MESSAGES));
        assert!(parse_market_frame(many.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(parse_market_frame(&bytes));
        }

        #[test]
        fn no_json_panics(kind in "[a-z]{0,4}", rest in r#"[\[\]{}:,"a-zA-Z0-9.]{0,60}"#) {
            drop(parse_market_frame(format!(r#"[{{"T":"{kind}",{rest}}}]"#).as_bytes()));
        }
    }
}
