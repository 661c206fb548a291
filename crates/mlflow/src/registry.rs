//! Registered models, their versions, and the alias of the one that trades.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use walkforward_core::ModelId;

use crate::MlflowError;
use crate::client::Client;
use crate::describe::MODEL_TAG;
use crate::tracking::{Nothing, pairs};

/// MLflow's word for what is there already.
const THERE_ALREADY: &str = "RESOURCE_ALREADY_EXISTS";

/// A version that is wanted.
pub(crate) struct NewVersion<'a> {
    /// The registered model's name.
    pub(crate) name: &'a str,
    pub(crate) model: &'a ModelId,
    /// The run that made it.
    pub(crate) run_id: &'a str,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) description: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    model_versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Created {
    model_version: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The number of the version of `model` under `name`; none where there is none.
pub(crate) async fn find_version(
    client: &Client,
    name: &str,
    model: &ModelId,
) -> Result<Option<String>, MlflowError> {
    let filter = format!("name = '{name}' AND tags.`{MODEL_TAG}` = '{model}'");
    let query = [("filter", filter.as_str()), ("max_results", "1")];
    let found: Found = client.get("model-versions/search", &query).await?;
    Ok(found.model_versions.into_iter().next().map(|version| version.version))
}

/// The number of the version that is wanted, which is made where there is none.
pub(crate) async fn version(client: &Client, new: &NewVersion<'_>) -> Result<String, MlflowError> {
    if let Some(version) = find_version(client, new.name, new.model).await? {
        return Ok(version);
    }
    let registered: Result<Value, _> =
        client.post("registered-models/create", &json!({ "name": new.name })).await;
    match registered {
        Err(error) if !error.has_code(THERE_ALREADY) => return Err(error),
        _ => {}
    }
    let body = json!({
        "name": new.name,
        // The weights stay where they are: it says from which run they come.
        "source": format!("runs:/{}/{}", new.run_id, new.model),
        "run_id": new.run_id,
        "tags": pairs(&new.tags),
        "description": new.description,
    });
    let created: Created = client.post("model-versions/create", &body).await?;
    Ok(created.model_version.version)
}

/// Puts `alias` on a version, from wherever it was.
pub(crate) async fn set_alias(
    client: &Client,
    name: &str,
    alias: &str,
    version: &str,
) -> Result<(), MlflowError> {
    let body = json!({ "name": name, "alias": alias, "version": version });
    let _: Nothing = client.post("registered-models/alias", &body).await?;
    Ok(())
}

/// Takes `alias` away.
pub(crate) async fn delete_alias(client: &Client, name: &str, alias: &str) -> Result<(), MlflowError> {
    let body = json!({ "name": name, "alias": alias });
    match client.delete::<Nothing>("registered-models/alias", &body).await {
        Ok(_) => Ok(()),
        // There is no such model, so that it has none.
        Err(error) if error.has_code("RESOURCE_DOES_NOT_EXIST") => Ok(()),
        Err(error) => Err(error),
    }
}
