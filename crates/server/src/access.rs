//! Who may ask for what: bearer tokens with a scope.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything.
    Read,
    /// See everything, and change schedules, trainings, models and sessions.
    Trade,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Fewest characters of a token: with the 64 of base64url, 128 bits when they are random.
const MIN_TOKEN_CHARS: usize = 22;
/// Most characters of a token.
const MAX_TOKEN_CHARS: usize = 128;

/// A text that is no token. The text itself is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token has {MIN_TOKEN_CHARS} to {MAX_TOKEN_CHARS} letters, digits, '-' or '_': make one of random ones, or delete \
     the file and let the server make it"
)]
pub struct BadToken;

/// A secret that its bearer shows. It is never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The secret itself, for the one place that hands it to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes as long whatever `shown` is, so that nobody can guess it letter by letter.
    fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl FromStr for AccessToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match (MIN_TOKEN_CHARS..=MAX_TOKEN_CHARS).contains(&text.len()) && text.chars().all(is_allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadToken),
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// The tokens of a server.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Its bearer sees everything.
    pub read: AccessToken,
    /// Its bearer may do everything as well.
    pub trade: AccessToken,
}

impl Tokens {
    /// The scope of the token in a request's header `authorization`.
    pub(crate) fn scope_of(&self, headers: &HeaderMap) -> Result<Scope, Problem> {
        let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
            Problem::unauthorized(
                "send the header 'authorization: Bearer TOKEN'; `orchestrate serve` prints the token",
            )
        })?;
        let token = value.to_str().ok().and_then(bearer);
        let token = token.ok_or_else(|| {
            Problem::unauthorized(
                "the header 'authorization' has to be the word Bearer, a space and the token",
            )
        })?;
        self.scope_of_token(token)
    }

    /// The scope of a token.
    pub(crate) fn scope_of_token(&self, token: &str) -> Result<Scope, Problem> {
        // Both are compared, whichever it is.
        match (self.trade.is(token), self.read.is(token)) {
            (true, _) => Ok(Scope::Trade),
            (false, true) => Ok(Scope::Read),
            (false, false) => Err(Problem::unauthorized(
                "the token is not, or no longer, one of this server's: open the link that `orchestrate serve` prints",
            )),
        }
    }
}

/// Whether `has` is enough for what needs `needed`.
pub(crate) fn require(has: Scope, needed: Scope) -> Result<(), Problem> {
    match has >= needed {
        true => Ok(()),
        false => Err(Problem::forbidden(format!("this token has the scope {has}, and this needs {needed}"))),
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const READ: &str = "read-read-read-read-read";
    const TRADE: &str = "trade_trade_trade_trade";

    fn tokens() -> Tokens {
        Tokens { read: READ.parse().unwrap(), trade: TRADE.parse().unwrap() }
    }

    fn scope(header: Option<&str>) -> Result<Scope, u16> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        tokens().scope_of(&headers).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_token_has_the_scope_that_it_was_made_for_and_any_other_has_none() {
        assert_eq!(scope(Some(&format!("Bearer {READ}"))), Ok(Scope::Read));
        assert_eq!(scope(Some(&format!("bearer {TRADE}"))), Ok(Scope::Trade));
        for wrong in
            [None, Some(READ), Some("Bearer "), Some("Bearer"), Some("Basic dTpw"), Some("Bearer trade")]
        {
            assert_eq!(scope(wrong), Err(401), "{wrong:?}");
        }
    }

    #[test]
    fn trading_needs_more_than_reading() {
        assert!(require(Scope::Trade, Scope::Read).is_ok());
        assert!(require(Scope::Read, Scope::Read).is_ok());
        let problem = require(Scope::Read, Scope::Trade).unwrap_err();
        assert_eq!(problem.status().as_u16(), 403);
    }

    #[test]
    fn a_short_token_is_refused_and_none_is_ever_printed() {
        for bad in ["", "short", "with space with space with space", &"x".repeat(129)] {
            assert_eq!(bad.parse::<AccessToken>(), Err(BadToken));
        }
        let told = format!("{:?}", tokens());
        assert!(!told.contains(READ) && !told.contains(TRADE), "{told}");
    }
}
