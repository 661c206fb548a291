//! What the service says when it gives no bars.

use reqwest::StatusCode;
use serde::Deserialize;

/// Most characters of the service's message that an error shows.
const MAX_MESSAGE_CHARS: usize = 200;

#[derive(Deserialize)]
struct ErrorBody {
    code: Option<u64>,
    message: String,
}

/// The service's own code in an error's body: it tells that the service itself has answered, and not somebody on the
/// way to it.
pub(crate) fn code(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<ErrorBody>(body).ok()?.code
}

/// The message of an error's body: of JSON its `message` and `code`, of anything else its text without markup,
/// shortened to one line.
pub(crate) fn message(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { code: Some(code), message }) => format!("{message} (code {code})"),
        Ok(ErrorBody { code: None, message }) => message,
        Err(_) => without_markup(&String::from_utf8_lossy(body)),
    };
    one_line(&text)
}

/// `text` in one line of at most 200 characters.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|it: char| it.is_whitespace() || it.is_control()).filter(|it| !it.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Text between tags; what stands in `style` and `script` is none.
fn without_markup(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tag_on)) = rest.split_once('<') {
        out.push_str(before);
        out.push(' ');
        let skipped = ["style", "script"]
            .iter()
            .find(|name| tag_on.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        let tag_on = match skipped {
            Some(name) => tag_on.find(&format!("</{name}")).map_or("", |end| &tag_on[end..]),
            None => tag_on,
        };
        rest = tag_on.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// What to do about a status that asking again doesn't change.
pub(crate) fn advice(status: StatusCode, has_keys: bool) -> &'static str {
    match status.as_u16() {
        300..=399 => {
            "redirects are not followed, so that keys go nowhere else; set base_url to the service itself"
        }
        401 if has_keys => {
            "check the keys, and that they belong to this environment (paper and live have their own)"
        }
        401 => "keys are needed: set APCA_API_KEY_ID and APCA_API_SECRET_KEY",
        403 => {
            "the account or its plan does not allow this; for bars of stocks take the feed iex, or older than 15 minutes"
        }
        404 => "check base_url (rest_url for orders) and crypto_location",
        400 | 422 => "correct what the message names; nothing was asked again",
        _ => "the request has to change before it is asked again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_in_json_in_text_and_in_pages() {
        for (body, expected) in [
            (
                r#"{"code":40110000,"message":"request is not authorized"}"#,
                "request is not authorized (code 40110000)",
            ),
            (r#"{"message":"invalid symbol"}"#, "invalid symbol"),
            ("upstream connect error\r\n", "upstream connect error"),
            (
                "<html><head><style>b{x}</style><title>502 Bad</title></head><body><h1>Gateway</h1>\n<b",
                "502 Bad Gateway",
            ),
            ("<script>alert(1)", ""),
            ("", ""),
            ("\u{1b}[31mred\u{7}", "[31mred"),
        ] {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
        let long = message("ä".repeat(10_000).as_bytes());
        assert_eq!(long.chars().count(), MAX_MESSAGE_CHARS + 3);
    }

    #[test]
    fn bytes_that_are_no_text_make_no_panic() {
        assert!(!message(&[b'<', 0xC3, b's', 0xFF, b'>', b'x']).is_empty());
    }
}
