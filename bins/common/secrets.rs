//! Keys: they come from the environment alone and are shown nowhere.

use std::ffi::OsString;

use secrecy::{ExposeSecret, SecretString};
use walkforward_alpaca::Keys;

use crate::failure::Failure;

/// Key id and secret, under the names that Alpaca's clients read.
const PAIRS: [(&str, &str); 2] =
    [("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"), ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")];
/// The proxy for `https` services on other machines; its address may hold a password.
const PROXIES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// What the environment says that no log, file or answer may show.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Id and secret of each of [`PAIRS`].
    keys: [(Option<SecretString>, Option<SecretString>); 2],
    proxy: Option<SecretString>,
}

impl Secrets {
    /// Collects what is set; an empty value is none.
    pub(crate) fn collect(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let read = |name: &str| -> Result<Option<SecretString>, Failure> {
            let Some(value) = environment(name) else { return Ok(None) };
            // The text would be shown in the error of a value that is no text.
            let text = value.into_string().map_err(|_| Failure::input(format!("{name} is not UTF-8")))?;
            Ok((!text.trim().is_empty()).then(|| SecretString::from(text.trim())))
        };
        let [first, second] = PAIRS.map(|(id, secret)| Ok::<_, Failure>((read(id)?, read(secret)?)));
        let [upper, lower] = PROXIES.map(read);
        Ok(Self { keys: [first?, second?], proxy: upper?.or(lower?) })
    }

    /// The keys of an Alpaca account, if there are any.
    ///
    /// # Errors
    /// One half of a pair is not set, or both pairs are and differ.
    pub fn alpaca_keys(&self) -> Result<Option<Keys>, Failure> {
        let mut found: Option<(&SecretString, &SecretString)> = None;
        for ((id, secret), (id_name, secret_name)) in self.keys.iter().zip(PAIRS) {
            let (id, secret) = match (id, secret) {
                (None, None) => continue,
                (Some(id), Some(secret)) => (id, secret),
                (Some(_), None) => return Err(half(id_name, secret_name)),
                (None, Some(_)) => return Err(half(secret_name, id_name)),
            };
            let is_same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
            if found.is_some_and(|(other_id, other)| !is_same(other_id, id) || !is_same(other, secret)) {
                let [(first, _), (second, _)] = PAIRS;
                return Err(Failure::input(format!(
                    "{first} and {second} are both set and name different keys: unset one of the pairs"
                )));
            }
            found = Some((id, secret));
        }
        Ok(found.map(|(id, secret)| Keys { id: id.clone(), secret: secret.clone() }))
    }

    /// The proxy for `https` requests to other machines; nothing else goes through it.
    pub fn proxy(&self) -> Option<SecretString> {
        self.proxy.clone()
    }
}

fn half(set: &str, unset: &str) -> Failure {
    Failure::input(format!("{set} is set and {unset} is not: set both, or neither"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &'static [(&str, &str)]) -> Secrets {
        let get = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        Secrets::collect(&get).unwrap()
    }

    fn refused(values: &'static [(&str, &str)], expected: &str) {
        let error = secrets(values).alpaca_keys().unwrap_err().message;
        assert!(error.contains(expected) && !error.contains("hidden"), "{error}");
    }

    #[test]
    fn either_pair_gives_the_keys() {
        let id =
            |values| secrets(values).alpaca_keys().unwrap().map(|keys| keys.id.expose_secret().to_owned());
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[("APCA_API_KEY_ID", ""), ("APCA_API_SECRET_KEY", " ")]), None);
        let first: &[_] = &[("APCA_API_KEY_ID", " a "), ("APCA_API_SECRET_KEY", "s")];
        assert_eq!(id(first).as_deref(), Some("a"));
        assert_eq!(id(&[("ALPACA_API_KEY", "b"), ("ALPACA_SECRET_KEY", "s")]).as_deref(), Some("b"));
    }

    #[test]
    fn keys_that_contradict_are_refused_without_showing_them() {
        refused(&[("ALPACA_API_KEY", "hidden")], "ALPACA_SECRET_KEY is not");
        refused(&[("APCA_API_SECRET_KEY", "hidden")], "APCA_API_KEY_ID is not");
        refused(
            &[
                ("APCA_API_KEY_ID", "a"),
                ("APCA_API_SECRET_KEY", "hidden"),
                ("ALPACA_API_KEY", "a"),
                ("ALPACA_SECRET_KEY", "hidden2"),
            ],
            "name different keys",
        );
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let all = secrets(&[
            ("APCA_API_KEY_ID", "hidden"),
            ("APCA_API_SECRET_KEY", "hidden"),
            ("HTTPS_PROXY", "http://user:hidden@proxy"),
        ]);
        assert!(all.proxy().is_some());
        assert!(!format!("{all:?}").contains("hidden"));
    }
}
