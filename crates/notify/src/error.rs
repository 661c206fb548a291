//! What can't be used.

/// A setting of this crate that can't be used. It never shows an address: those hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// An address that is none.
    #[error("{what}: the address can't be used: {reason}; expected one such as https://example.org/path")]
    Address {
        /// Whose.
        what: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A token that can't travel in a header or a path.
    #[error("{what}: the token can't be used: expected it as it was given out, without spaces")]
    Token {
        /// Whose.
        what: String,
    },
    /// The proxy's address.
    #[error("the proxy of HTTPS_PROXY can't be used: expected an address such as http://proxy:3128")]
    Proxy,
    /// The HTTP client can't be made.
    #[error("{what}: the HTTP client can't be made: {reason}")]
    Client {
        /// For whom.
        what: String,
        /// Why.
        reason: String,
    },
    /// A command without a program.
    #[error("the command has no program: expected words such as notify-send.sh --urgent")]
    NoProgram,
}
