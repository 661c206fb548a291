//! How a notice is written for each service.

use std::fmt;

use serde_json::{Value, json};

use crate::{Notice, Severity};

/// Longest content of a Discord message, UTF-16 units: never more than its 2,000 characters.
const MAX_DISCORD: usize = 2_000;
/// Longest text of a Slack message, UTF-16 units: Slack cuts at 40,000 and breaks up what has more than 4,000.
const MAX_SLACK: usize = 4_000;
/// Longest text of a Telegram message, UTF-16 units.
const MAX_TELEGRAM: usize = 4_096;
/// Longest body of an ntfy message, bytes: a longer one becomes an attachment.
const MAX_NTFY_BYTES: usize = 4_096;
/// Version of the JSON body.
const SCHEMA: u32 = 1;

/// How the body of a webhook is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An incoming webhook of Slack, or of a service that takes its messages (Mattermost, Rocket.Chat).
    Slack,
    /// A webhook of Discord.
    Discord,
    /// A topic of ntfy: the body is the text, the rest stands in headers.
    Ntfy,
    /// The notice's own fields.
    Json,
}

impl Format {
    /// The word in settings; also what its sink is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Ntfy => "ntfy",
            Self::Json => "webhook",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What goes over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Written {
    fn json(body: &Value) -> Self {
        Self { headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
    }
}

/// `notice` as the service of `format` takes it.
pub(crate) fn write(format: Format, notice: &Notice) -> Written {
    match format {
        Format::Slack => Written::json(&json!({ "text": slack(notice) })),
        // Nobody is called by what a text happens to hold.
        Format::Discord => Written::json(&json!({
            "content": discord(notice),
            "allowed_mentions": { "parse": [] },
        })),
        Format::Ntfy => ntfy(notice),
        Format::Json => Written::json(&as_json(notice)),
    }
}

/// The message to a chat of Telegram.
pub(crate) fn telegram(notice: &Notice, chat: &str) -> Written {
    Written::json(&json!({
        "chat_id": chat,
        "text": cut_units(&plain(notice), MAX_TELEGRAM),
        "disable_notification": notice.severity == Severity::Info,
        "link_preview_options": { "is_disabled": true },
    }))
}

/// The notice's own fields, for webhooks and commands.
pub(crate) fn as_json(notice: &Notice) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": notice.kind,
        "severity": notice.severity,
        "subject": notice.subject,
        "title": notice.title(),
        "text": notice.text,
        "link": notice.link,
        "at": notice.at,
    })
}

/// Title, text and link, line by line.
fn plain(notice: &Notice) -> String {
    lines(&notice.title(), &notice.text, notice.link.as_deref())
}

fn lines(title: &str, text: &str, link: Option<&str>) -> String {
    let parts = [Some(title), Some(text), link];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Slack reads `&`, `<` and `>`: as they are, a text could call a whole channel.
fn slack(notice: &Notice) -> String {
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let link = notice.link.as_deref().map(safe);
    let title = format!("*{}*", safe(&notice.title()));
    cut_units(&lines(&title, &safe(&notice.text), link.as_deref()), MAX_SLACK)
}

fn discord(notice: &Notice) -> String {
    cut_units(&lines(&format!("**{}**", notice.title()), &notice.text, notice.link.as_deref()), MAX_DISCORD)
}

fn ntfy(notice: &Notice) -> Written {
    let (priority, tag) = match notice.severity {
        Severity::Info => ("3", "information_source"),
        Severity::Warning => ("4", "warning"),
        Severity::Critical => ("5", "rotating_light"),
    };
    let mut headers = vec![
        ("title", header(&notice.title())),
        ("priority", priority.to_owned()),
        ("tags", format!("{tag},{}", notice.kind)),
    ];
    headers.extend(notice.link.as_deref().map(|link| ("click", header(link))));
    Written { headers, body: cut_bytes(&notice.text, MAX_NTFY_BYTES).to_owned() }
}

/// What a header can hold: printable ASCII.
fn header(text: &str) -> String {
    text.chars().map(|it| if it.is_ascii_graphic() || it == ' ' { it } else { '?' }).collect()
}

/// As much of `text` as fits into `most` UTF-16 units.
fn cut_units(text: &str, most: usize) -> String {
    let fits = |sum: &mut usize, it: char| {
        *sum += it.len_utf16();
        (*sum <= most).then_some(it)
    };
    text.chars().scan(0, fits).collect()
}

fn cut_bytes(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::Timestamp;

    use super::*;
    use crate::NoticeKind;

    fn halt() -> Notice {
        let at: Timestamp = "2024-01-01T06:00:00Z".parse().unwrap();
        let text = "the largest drawdown was reached: <!channel> & 20 % \"fell\"";
        Notice::new(NoticeKind::Halted, "default BTC/USD", text, at)
            .with_link(Some("http://box.local:8750/live".to_owned()))
    }

    fn body(format: Format) -> Value {
        serde_json::from_str(&write(format, &halt()).body).unwrap()
    }

    #[test]
    fn slack_gets_a_text_that_calls_nobody() {
        let text = "*[critical] halted: default BTC/USD*\nthe largest drawdown was reached: &lt;!channel&gt; &amp; 20 % \
                    \"fell\"\nhttp://box.local:8750/live";
        assert_eq!(body(Format::Slack), json!({ "text": text }));
    }

    #[test]
    fn discord_gets_a_content_that_mentions_nobody() {
        let content = "**[critical] halted: default BTC/USD**\nthe largest drawdown was reached: <!channel> & 20 % \
                       \"fell\"\nhttp://box.local:8750/live";
        let expected = json!({ "content": content, "allowed_mentions": { "parse": [] } });
        assert_eq!(body(Format::Discord), expected);
    }

    #[test]
    fn ntfy_gets_the_text_as_body_and_the_rest_as_headers() {
        let written = write(Format::Ntfy, &halt());
        let headers: Vec<_> = written.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("title", "[critical] halted: default BTC/USD"),
                ("priority", "5"),
                ("tags", "rotating_light,halted"),
                ("click", "http://box.local:8750/live"),
            ]
        );
        assert_eq!(written.body, "the largest drawdown was reached: <!channel> & 20 % \"fell\"");
    }

    #[test]
    fn telegram_gets_a_plain_text_for_a_chat() {
        let body: Value = serde_json::from_str(&telegram(&halt(), "-100123").body).unwrap();
        let text = "[critical] halted: default BTC/USD\nthe largest drawdown was reached: <!channel> & 20 % \"fell\"\n\
                    http://box.local:8750/live";
        let expected = json!({
            "chat_id": "-100123",
            "text": text,
            "disable_notification": false,
            "link_preview_options": { "is_disabled": true },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_webhook_gets_the_notice_s_own_fields() {
        let expected = json!({
            "schema": 1,
            "kind": "halted",
            "severity": "critical",
            "subject": "default BTC/USD",
            "title": "[critical] halted: default BTC/USD",
            "text": "the largest drawdown was reached: <!channel> & 20 % \"fell\"",
            "link": "http://box.local:8750/live",
            "at": "2024-01-01T06:00:00.000Z",
        });
        assert_eq!(body(Format::Json), expected);
    }

    proptest! {
        #[test]
        fn no_notice_is_longer_than_its_service_takes(
            text in "\\PC{0,60}|[&<>\n]{0,40}|[𝄞ä]{1400,1800}|[&]{1400,1800}",
        ) {
            let notice = Notice::new(NoticeKind::Test, &text, &text, Timestamp::EPOCH);
            let units = |text: &str| text.encode_utf16().count();
            let field = |written: Written, name: &str| {
                serde_json::from_str::<Value>(&written.body).unwrap()[name].as_str().unwrap().to_owned()
            };
            prop_assert!(units(&field(write(Format::Discord, &notice), "content")) <= MAX_DISCORD);
            prop_assert!(units(&field(write(Format::Slack, &notice), "text")) <= MAX_SLACK);
            prop_assert!(units(&field(telegram(&notice, "1"), "text")) <= MAX_TELEGRAM);
            let ntfy = write(Format::Ntfy, &notice);
            prop_assert!(ntfy.body.len() <= MAX_NTFY_BYTES);
            for (_, value) in ntfy.headers {
                prop_assert!(value.chars().all(|it| it.is_ascii_graphic() || it == ' '));
            }
        }
    }
}
