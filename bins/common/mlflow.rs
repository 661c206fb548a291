//! The MLflow server that the settings name.

use secrecy::ExposeSecret;
use walkforward_mlflow::{Credentials, TrackingServer};

use crate::failure::Failure;
use crate::secrets::MLFLOW;
use crate::settings::Settings;

/// The server; none where the settings name none.
///
/// # Errors
/// The address or the name can't be used, or the environment says half of what lets in.
pub fn tracking_server(settings: &Settings) -> Result<Option<TrackingServer>, Failure> {
    let Some(uri) = settings.get::<String>("mlflow.tracking_uri")? else { return Ok(None) };
    let prefix: String = settings.require("mlflow.experiment")?;
    let server = TrackingServer::new(uri.trim(), prefix.trim(), credentials(settings)?);
    let proxy = settings.secrets().proxy();
    server.map(|server| Some(server.behind(proxy))).map_err(|error| Failure::input(error.to_string()))
}

/// As MLflow's own clients choose: a user with a password, else the token.
fn credentials(settings: &Settings) -> Result<Credentials, Failure> {
    let [token, username, password] = MLFLOW.map(|name| settings.secrets().mlflow(name).cloned());
    let [_, username_name, password_name] = MLFLOW;
    match (username, password, token) {
        (Some(username), Some(password), _) => {
            Ok(Credentials::Password { username: username.expose_secret().to_owned(), password })
        }
        (None, None, Some(token)) => Ok(Credentials::Token(token)),
        (None, None, None) => Ok(Credentials::None),
        _ => Err(Failure::input(format!(
            "one of {username_name} and {password_name} is set and the other is not: set both, or neither"
        ))),
    }
}
