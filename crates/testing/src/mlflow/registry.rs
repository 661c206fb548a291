//! Registered models.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Refusal, Texts, rules};

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FakeVersion {
    /// From 1.
    pub version: u64,
    /// The run that it says it is of.
    pub run_id: String,
    /// Where its files are said to be.
    pub source: String,
    /// Tags.
    pub tags: Texts,
    /// Description.
    pub description: String,
}

#[derive(Debug, Default)]
struct Model {
    versions: Vec<FakeVersion>,
    aliases: BTreeMap<String, u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeMap<String, Model>);

impl Registry {
    pub(super) fn versions(&self, name: &str) -> Vec<FakeVersion> {
        self.0.get(name).map(|model| model.versions.clone()).unwrap_or_default()
    }

    pub(super) fn alias(&self, name: &str, alias: &str) -> Option<u64> {
        self.0.get(name)?.aliases.get(alias).copied()
    }

    fn model(&mut self, body: &Value) -> Result<&mut Model, Refusal> {
        let name = rules::model_name(body)?;
        self.0
            .get_mut(name)
            .ok_or_else(|| Refusal::missing(format!("Registered Model with name={name} not found")))
    }

    pub(super) fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let name = rules::model_name(body)?;
        if self.0.contains_key(name) {
            return Err(Refusal::exists(format!("Registered Model (name={name}) already exists.")));
        }
        self.0.insert(name.to_owned(), Model::default());
        Ok(json!({ "registered_model": { "name": name } }))
    }

    pub(super) fn create_version(&mut self, body: &Value, runs: &BTreeSet<String>) -> Result<Value, Refusal> {
        let (source, run_id) =
            (rules::text(body, "source")?.to_owned(), rules::text(body, "run_id")?.to_owned());
        let of_run = source.strip_prefix("runs:/").and_then(|it| it.split('/').next());
        if of_run != Some(run_id.as_str()) || !runs.contains(&run_id) {
            return Err(Refusal::invalid(format!("Invalid model version source: '{source}'.")));
        }
        let tags = rules::tags(body)?;
        let description = body["description"].as_str().unwrap_or_default().to_owned();
        let model = self.model(body)?;
        let version = model.versions.len() as u64 + 1;
        model.versions.push(FakeVersion { version, run_id, source, tags, description });
        Ok(json!({ "model_version": { "version": version.to_string() } }))
    }

    pub(super) fn search(&self, query: &Texts) -> Result<Value, Refusal> {
        let wanted = rules::filter(query.get("filter").map_or("", String::as_str))?;
        let fits = |name: &str, version: &FakeVersion| {
            wanted.iter().all(|(key, value)| match key.as_str() {
                "name" => value == name,
                tag => version.tags.get(tag) == Some(value),
            })
        };
        let mut found = Vec::new();
        for (name, model) in &self.0 {
            let versions = model.versions.iter().rev().filter(|version| fits(name, version));
            found.extend(versions.map(|it| json!({ "name": name, "version": it.version.to_string() })));
        }
        Ok(if found.is_empty() { json!({}) } else { json!({ "model_versions": found }) })
    }

    pub(super) fn set_alias(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (alias, version) = (rules::alias(body)?.to_owned(), rules::text(body, "version")?.parse::<u64>());
        let version = version.map_err(|_| Refusal::invalid("'version' is no integer"))?;
        let model = self.model(body)?;
        if !model.versions.iter().any(|it| it.version == version) {
            return Err(Refusal::missing(format!("no version {version}")));
        }
        model.aliases.insert(alias, version);
        Ok(json!({}))
    }

    pub(super) fn delete_alias(&mut self, body: &Value) -> Result<Value, Refusal> {
        let alias = rules::alias(body)?.to_owned();
        self.model(body)?.aliases.remove(&alias);
        Ok(json!({}))
    }
}
