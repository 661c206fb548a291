//! The first message of a client: who it is, and what it knows already.

use serde::Deserialize;

use super::client::End;
use crate::app::App;

/// The token is not one of the server's, or there is none.
pub(super) const NO_TOKEN: u16 = 4_401;
/// Not what was expected.
pub(super) const MALFORMED: u16 = 4_400;
/// It said nothing for too long.
pub(super) const TOO_LATE: u16 = 4_408;

/// Everything that a client can say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Hello {
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        after: Option<u64>,
    },
}

/// Reads a hello: the number of the last state change that the client knows, if any.
pub(super) fn read(text: &str, app: &App, is_known: bool) -> Result<Option<i64>, End> {
    let Ok(Said::Hello { token, after }) = serde_json::from_str(text) else {
        let expected = "expected {\"type\":\"hello\",\"token\":TOKEN,\"after\":NUMBER} as the first message; token and \
                        after may be left out";
        return Err(End::refused(MALFORMED, expected));
    };
    if let (Some(tokens), false) = (&app.tokens, is_known) {
        // Every scope may read.
        let scope = token.as_deref().map(|token| tokens.scope_of_token(token));
        match scope {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                return Err(End::refused(
                    NO_TOKEN,
                    "the token is not, or no longer, one of this server's: open the link that `orchestrate serve` prints",
                ));
            }
            None => return Err(End::refused(NO_TOKEN, "a token is needed: send it in the field 'token'")),
        }
    }
    // No table has so many.
    Ok(after.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
}
