//! Keys: they come from the environment alone and are shown nowhere.

use std::collections::BTreeMap;
use std::ffi::OsString;

use secrecy::{ExposeSecret, SecretString};
use walkforward_alpaca::Keys;

use crate::failure::Failure;

/// Key id and secret, under the names that Alpaca's clients read.
const PAIRS: [(&str, &str); 2] =
    [("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"), ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")];
/// The proxy for `https` services on other machines; its address may hold a password.
const PROXIES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// Where notices and signs of life go, and what lets them in: whoever has one of these can write there.
pub const NOTIFY: [&str; 8] = [
    "WALKFORWARD_NOTIFY_SLACK_URL",
    "WALKFORWARD_NOTIFY_DISCORD_URL",
    "WALKFORWARD_NOTIFY_NTFY_URL",
    "WALKFORWARD_NOTIFY_NTFY_TOKEN",
    "WALKFORWARD_NOTIFY_WEBHOOK_URL",
    "WALKFORWARD_NOTIFY_TELEGRAM_TOKEN",
    "WALKFORWARD_HEARTBEAT_URL",
    "WALKFORWARD_TRADER_HEARTBEAT_URL",
];

/// What lets into an MLflow server, under the names that MLflow's own clients read.
pub const MLFLOW: [&str; 3] =
    ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"];

/// What the environment says that no log, file or answer may show.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Id and secret of each of [`PAIRS`].
    keys: [(Option<SecretString>, Option<SecretString>); 2],
    proxy: Option<SecretString>,
    /// Those of [`NOTIFY`] and [`MLFLOW`] that are set.
    named: BTreeMap<&'static str, SecretString>,
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
        let named = NOTIFY.into_iter().chain(MLFLOW);
        let named = named.map(|name| Ok(read(name)?.map(|secret| (name, secret))));
        let named: Vec<Option<_>> = named.collect::<Result<_, Failure>>()?;
        let named = named.into_iter().flatten().collect();
        Ok(Self { keys: [first?, second?], proxy: upper?.or(lower?), named })
    }

    /// The secret of [`NOTIFY`] with this name, if it is set.
    pub fn notify(&self, name: &str) -> Option<&SecretString> {
        self.named.get(name)
    }

    /// The secret of [`MLFLOW`] with this name, if it is set.
    pub fn mlflow(&self, name: &str) -> Option<&SecretString> {
        self.named.get(name)
    }

    /// The names of all variables that may hold a secret but for the proxy's, which programs need: nobody else gets them.
    pub fn names() -> Vec<String> {
        let keys = PAIRS.iter().flat_map(|(id, secret)| [*id, *secret]);
        keys.chain(NOTIFY).chain(MLFLOW).map(str::to_owned).collect()
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
            ("WALKFORWARD_NOTIFY_SLACK_URL", "https://hooks.example.org/hidden"),
            ("WALKFORWARD_HEARTBEAT_URL", " "),
        ]);
        assert!(all.notify("WALKFORWARD_NOTIFY_SLACK_URL").is_some());
        assert!(all.notify("WALKFORWARD_HEARTBEAT_URL").is_none());
        assert!(all.proxy().is_some());
        assert!(!format!("{all:?}").contains("hidden"));
    }
}
