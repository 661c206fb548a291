//! Which network is trained.

use serde::{Deserialize, Serialize};
use walkforward_core::{FeatureSpec, NetworkSpec, PolicySpec};
use walkforward_policy::{MAX_HIDDEN_LAYERS, MAX_KERNEL, MAX_WIDTH};

use crate::config::refused;
use crate::{PpoConfig, TrainerError};

/// The kind of network in a pack; its hidden layers are the pack's `hidden`.
///
/// The kernels train `mlp` with `tanh`; candle trains the others, tens of times slower.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkKind {
    /// A multi-layer perceptron.
    #[default]
    Mlp,
    /// One whose hidden layers are normalised.
    LayerNormMlp,
    /// A gated recurrent unit over the feature rows, then hidden layers.
    Gru {
        /// Length of its state.
        units: usize,
    },
    /// Causal convolutions over the feature rows, then hidden layers.
    Conv {
        /// Channels of each convolution.
        channels: Vec<usize>,
        /// Rows that one convolution looks at.
        kernel: usize,
    },
}

impl NetworkKind {
    /// Refuses sizes that no bundle may have.
    pub(crate) fn validate(&self) -> Result<(), TrainerError> {
        let within = |name, value: usize, most: usize| {
            if (1..=most).contains(&value) { Ok(()) } else { refused(name, value, format!("1 to {most}")) }
        };
        match self {
            Self::Mlp | Self::LayerNormMlp => Ok(()),
            Self::Gru { units } => within("units in network.gru", *units, MAX_WIDTH),
            Self::Conv { channels, kernel } => {
                within("the number of channels in network.conv", channels.len(), MAX_HIDDEN_LAYERS)?;
                within("kernel in network.conv", *kernel, MAX_KERNEL)?;
                channels
                    .iter()
                    .try_for_each(|&count| within("a width in channels of network.conv", count, MAX_WIDTH))
            }
        }
    }
}

impl PpoConfig {
    /// The network for observations of `features`.
    ///
    /// # Errors
    /// When an observation or a rollout of them would be too long.
    pub(crate) fn network(&self, features: &FeatureSpec) -> Result<NetworkSpec, TrainerError> {
        let inputs = self.lookback * features.width() + PolicySpec::PORTFOLIO_INPUTS;
        self.check_observation(inputs)?;
        Ok(self.network_of(inputs))
    }

    /// The network for observations of `inputs` numbers that were checked.
    fn network_of(&self, inputs: usize) -> NetworkSpec {
        let (hidden, outputs, activation) = (self.hidden.clone(), self.actions.len(), self.activation);
        let rows = self.lookback;
        match &self.network {
            NetworkKind::Mlp => NetworkSpec::Mlp { inputs, hidden, outputs, activation },
            NetworkKind::LayerNormMlp => NetworkSpec::LayerNormMlp { inputs, hidden, outputs, activation },
            NetworkKind::Gru { units } => {
                NetworkSpec::Gru { inputs, rows, units: *units, hidden, outputs, activation }
            }
            NetworkKind::Conv { channels, kernel } => {
                let (channels, kernel) = (channels.clone(), *kernel);
                NetworkSpec::Conv { inputs, rows, channels, kernel, hidden, outputs, activation }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use walkforward_core::Activation;

    use super::*;

    fn network(pack: serde_json::Value) -> NetworkSpec {
        PpoConfig::from_pack(&pack).unwrap().network(&FeatureSpec::default()).unwrap()
    }

    #[test]
    fn a_pack_names_its_network() {
        let kind = |pack| network(pack).kind();
        assert_eq!(kind(json!({})), "mlp");
        assert_eq!(kind(json!({ "network": "layer_norm_mlp" })), "layer_norm_mlp");
        assert_eq!(kind(json!({ "network": { "gru": { "units": 8 } } })), "gru");
        let conv = json!({ "network": { "conv": { "channels": [8, 8], "kernel": 3 } }, "lookback": 9 });
        assert!(matches!(network(conv), NetworkSpec::Conv { rows: 9, kernel: 3, .. }));
        let relu = network(json!({ "activation": "relu" }));
        assert!(matches!(relu, NetworkSpec::Mlp { activation: Activation::Relu, .. }));
    }

    #[test]
    fn a_network_that_no_bundle_may_hold_is_refused() {
        let check = |network: serde_json::Value, expected: &str| {
            let error = PpoConfig::from_pack(&json!({ "network": network })).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({ "gru": { "units": 0 } }), "units in network.gru is 0");
        check(json!({ "gru": {} }), "units");
        check(json!({ "conv": { "channels": [], "kernel": 3 } }), "number of channels in network.conv is 0");
        check(json!({ "conv": { "channels": [4, 0], "kernel": 3 } }), "a width in channels");
        check(json!({ "conv": { "channels": [4], "kernel": 65 } }), "kernel in network.conv is 65");
        check(json!("transformer"), "transformer");
    }
}
