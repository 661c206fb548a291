//! Settings of the supervised trainer.

use serde::{Deserialize, Serialize};
use walkforward_policy::{MAX_LOOKBACK, MAX_TREE_DEPTH, MAX_TREES};

use crate::TrainerError;

/// Which model forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupervisedModel {
    /// Least squares on the label, with an L2 penalty.
    Ridge,
    /// Logistic regression on the label's sign, with an L2 penalty.
    #[default]
    Logistic,
    /// Gradient-boosted trees on the label's sign.
    Trees,
}

/// What a job's pack may say; absent keys take these defaults, unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Which model forecasts.
    pub model: SupervisedModel,
    /// Feature rows in an observation.
    pub lookback: usize,
    /// Bars over which a return is forecast.
    pub horizon_bars: usize,
    /// Share of the rows, the last ones, that choose threshold and hysteresis.
    pub validation_share: f64,
    /// Standard errors that the mean net return of a validation bar has to lie above 0.
    pub min_t: f64,
    /// Penalty on squared weights, per row (ridge, logistic), or on leaves in rows' worth of curvature (trees).
    pub l2: f64,
    /// Number of trees.
    pub trees: usize,
    /// Decisions on a path through a tree.
    pub depth: usize,
    /// Factor on each tree's leaves.
    pub shrinkage: f64,
    /// Fewest rows on either side of a decision.
    pub min_leaf_rows: usize,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self {
            model: SupervisedModel::default(),
            lookback: 4,
            horizon_bars: 12,
            validation_share: 0.25,
            min_t: 2.0,
            l2: 0.01,
            trees: 80,
            depth: 3,
            shrinkage: 0.1,
            min_leaf_rows: 40,
        }
    }
}

const MAX_HORIZON_BARS: usize = 10_000;
const MAX_LEAF_ROWS: usize = 1_000_000;

impl SupervisedConfig {
    /// The settings that `pack` asks for; null and `{}` are the defaults.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type or out of range.
    pub fn from_pack(pack: &serde_json::Value) -> Result<Self, TrainerError> {
        let config = match pack {
            serde_json::Value::Null => Self::default(),
            pack => Self::deserialize(pack).map_err(TrainerError::Pack)?,
        };
        config.validate()?;
        Ok(config)
    }

    /// Refuses the first setting that is out of range.
    ///
    /// # Errors
    /// [`TrainerError::Setting`].
    pub fn validate(&self) -> Result<(), TrainerError> {
        let counts = [
            ("lookback", self.lookback, MAX_LOOKBACK),
            ("horizon_bars", self.horizon_bars, MAX_HORIZON_BARS),
            // One tree more carries the hysteresis.
            ("trees", self.trees, MAX_TREES - 1),
            ("depth", self.depth, MAX_TREE_DEPTH),
            ("min_leaf_rows", self.min_leaf_rows, MAX_LEAF_ROWS),
        ];
        if let Some((name, value, most)) =
            counts.into_iter().find(|(_, value, most)| !(1..=*most).contains(value))
        {
            return refused(name, value, format!("1 to {most}"));
        }
        let numbers = [
            ("validation_share", self.validation_share, 0.05, 0.5),
            ("min_t", self.min_t, 0.0, 100.0),
            ("l2", self.l2, 1e-9, 1e6),
            ("shrinkage", self.shrinkage, 1e-4, 1.0),
        ];
        match numbers.into_iter().find(|(_, value, least, most)| !(*least..=*most).contains(value)) {
            Some((name, value, least, most)) => refused(name, value, format!("{least} to {most}")),
            None => Ok(()),
        }
    }
}

fn refused<T>(name: &'static str, value: impl ToString, expected: String) -> Result<T, TrainerError> {
    Err(TrainerError::Setting { name, value: value.to_string(), expected })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pack: serde_json::Value, expected: &str) {
        let error = SupervisedConfig::from_pack(&pack).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_pack_names_its_model_and_the_rest_is_default() {
        let trees = SupervisedConfig::from_pack(&json!({ "model": "trees" })).unwrap();
        assert_eq!(trees, SupervisedConfig { model: SupervisedModel::Trees, ..Default::default() });
        assert_eq!(SupervisedConfig::from_pack(&json!(null)).unwrap(), SupervisedConfig::default());
        let written = serde_json::to_value(&trees).unwrap();
        assert_eq!(SupervisedConfig::from_pack(&written).unwrap(), trees);
    }

    #[test]
    fn a_pack_that_makes_no_sense_is_refused_by_key() {
        check(json!({ "model": "forest" }), "forest");
        check(json!({ "gamma": 0.9 }), "gamma");
        check(json!([1]), "can't be read");
        check(json!({ "horizon_bars": 0 }), "horizon_bars is 0");
        check(json!({ "validation_share": 0.9 }), "validation_share is 0.9");
        check(json!({ "trees": 4096 }), "trees is 4096");
        check(json!({ "depth": 11 }), "depth is 11");
        check(json!({ "l2": 0.0 }), "l2 is 0");
    }
}
