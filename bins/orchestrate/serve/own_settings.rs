//! Settings that nobody makes over the interface.

use walkforward_server::{Refusal, RefusalKind};
use walkforward_store::NewDatasetConfig;

/// Settings that are made where the server runs, and nowhere else: they name files, folders,
/// programs and places in the network.
const OF_THE_SERVER: [&str; 14] = [
    "data.path",
    "market.calendar",
    "paths.",
    "line.",
    "live.",
    "api.",
    "notify.",
    "mlflow.",
    "retention.",
    "schedule.",
    "training.launcher",
    "training.command",
    "alpaca.data_url",
    "evaluation.",
];
/// Refuses settings that are made where the server runs.
pub(super) fn refuse_own_settings<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    match keys.find(|key| OF_THE_SERVER.iter().any(|start| key.starts_with(start))) {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            RefusalKind::Unusable,
            format!(
                "settings: '{key}' is set where the server runs, in its settings file or its environment"
            ),
        )),
    }
}

/// The keys of a dataset configuration's settings.
pub(super) fn keys_of(dataset: &NewDatasetConfig) -> Vec<String> {
    let sections = dataset.source_config.as_object().into_iter().flatten();
    let keys = sections.flat_map(|(section, content)| {
        let keys = content.as_object().into_iter().flatten();
        keys.map(move |(key, _)| format!("{section}.{key}"))
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dataset(source_config: serde_json::Value) -> NewDatasetConfig {
        let new = json!({ "id": "x", "name": "x", "source_type": "alpaca", "source_config": source_config });
        serde_json::from_value(new).unwrap()
    }

    #[test]
    fn a_dataset_does_not_send_the_keys_of_an_account_elsewhere() {
        let elsewhere = dataset(json!({ "alpaca": { "data_url": "https://example.org" } }));
        let refusal = refuse_own_settings(keys_of(&elsewhere).iter()).unwrap_err();
        assert!(refusal.detail.contains("'alpaca.data_url' is set where the server runs"), "{refusal}");
        for fine in [json!({ "data": { "symbol": "BTC/USD" } }), json!({ "data": 7 }), json!([])] {
            refuse_own_settings(keys_of(&dataset(fine)).iter()).unwrap();
        }
    }

    #[test]
    fn folders_programs_and_the_server_s_own_ways_are_its_own() {
        for key in [
            "data.path",
            "paths.models_dir",
            "live.venue",
            "api.auth",
            "notify.command",
            "training.command",
            "line.name",
        ] {
            assert!(refuse_own_settings([key.to_owned()].iter()).is_err(), "{key}");
        }
        assert!(refuse_own_settings(["training.iterations".to_owned()].iter()).is_ok());
    }
}
