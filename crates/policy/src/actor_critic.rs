//! The network that is trained: actor and critic in candle.

use candle_core::backprop::GradStore;
use candle_core::{Device, Error, Result, Tensor, Var};
use rand::Rng;
use walkforward_core::NetworkSpec;
use walkforward_kernels::PackedMlp;

use crate::Tensors;
use crate::check::{check_tensors, tensor_shapes};
use crate::frozen::pack_mlp;
use crate::init::orthogonal;

/// Gain of the actor's last layer: small, so that a fresh policy has no opinion.
const ACTOR_HEAD_GAIN: f64 = 0.01;
const CRITIC_HEAD_GAIN: f64 = 1.0;

/// Two multi-layer perceptrons over the same observation: the actor gives logits, the critic a value.
///
/// Parameters have a fixed order (`actor.0.weight`, `actor.0.bias`, .., `critic.0.weight`, ..), in which
/// [`flat`](Self::flat) and [`flat_gradients`](Self::flat_gradients) string them together.
#[derive(Debug, Clone)]
pub struct ActorCritic {
    network: NetworkSpec,
    parameters: Vec<(String, Var)>,
}

impl ActorCritic {
    /// Fresh weights from `rng`: orthogonal with gain sqrt(2), heads 0.01 and 1, biases 0.
    ///
    /// # Errors
    /// When the network is no mlp, or candle can't make the tensors.
    pub fn new(network: NetworkSpec, rng: &mut impl Rng) -> Result<Self> {
        let head = layers(&network)?.1.len();
        let mut parameters = Vec::new();
        for (name, shape) in parameter_shapes(&network)? {
            let data = match shape.as_slice() {
                [rows, cols] if name == format!("actor.{head}.weight") => {
                    orthogonal(*rows, *cols, ACTOR_HEAD_GAIN, rng)
                }
                [rows, cols] if name == format!("critic.{head}.weight") => {
                    orthogonal(*rows, *cols, CRITIC_HEAD_GAIN, rng)
                }
                [rows, cols] => orthogonal(*rows, *cols, std::f64::consts::SQRT_2, rng),
                other => vec![0.0; other.iter().product()],
            };
            parameters.push((name, variable(data, shape)?));
        }
        Ok(Self { network, parameters })
    }

    /// The weights of a bundle, actor and critic.
    ///
    /// # Errors
    /// When the network is no mlp, or a tensor is absent, superfluous or of another shape.
    pub fn from_tensors(network: NetworkSpec, tensors: &Tensors) -> Result<Self> {
        check_tensors(&network, tensors)
            .map_err(|(name, reason)| Error::Msg(format!("tensor '{name}': {reason}")))?;
        let mut parameters = Vec::new();
        for (name, shape) in parameter_shapes(&network)? {
            let (_, data) = tensors.get(&name).ok_or_else(|| {
                Error::Msg(format!("tensor '{name}' is not there: only an actor was stored"))
            })?;
            parameters.push((name, variable(data.clone(), shape)?));
        }
        Ok(Self { network, parameters })
    }

    /// Its shape.
    pub fn network(&self) -> &NetworkSpec {
        &self.network
    }

    /// Numbers in all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Logits `[rows, n_actions]` and values `[rows]` of `observations` `[rows, obs_dim]`, differentiable.
    ///
    /// # Errors
    /// When the shape does not fit.
    pub fn forward(&self, observations: &Tensor) -> Result<(Tensor, Tensor)> {
        let (actor, critic) = self.parameters.split_at(self.parameters.len() / 2);
        Ok((mlp(actor, observations)?, mlp(critic, observations)?.squeeze(1)?))
    }

    /// All parameters in order, `[parameter_count]`.
    ///
    /// # Errors
    /// When candle can't read a tensor.
    pub fn flat(&self) -> Result<Vec<f32>> {
        let mut flat = Vec::with_capacity(self.parameter_count());
        for (_, var) in &self.parameters {
            flat.extend(var.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(flat)
    }

    /// Sets all parameters from `flat`, `[parameter_count]`.
    ///
    /// # Errors
    /// When the length does not fit.
    pub fn set_flat(&self, flat: &[f32]) -> Result<()> {
        self.check_flat(flat.len())?;
        let mut rest = flat;
        for (_, var) in &self.parameters {
            let (data, after) = rest.split_at(var.elem_count());
            var.set(&Tensor::from_slice(data, var.shape(), &Device::Cpu)?)?;
            rest = after;
        }
        Ok(())
    }

    /// The gradient of every parameter in the order of [`flat`](Self::flat); 0 where the loss does not reach.
    ///
    /// # Errors
    /// When candle can't read a tensor.
    pub fn flat_gradients(&self, gradients: &GradStore) -> Result<Vec<f32>> {
        let mut flat = Vec::with_capacity(self.parameter_count());
        for (_, var) in &self.parameters {
            match gradients.get(var) {
                Some(gradient) => flat.extend(gradient.flatten_all()?.to_vec1::<f32>()?),
                None => flat.resize(flat.len() + var.elem_count(), 0.0),
            }
        }
        Ok(flat)
    }

    /// All parameters by name, as a bundle stores them.
    ///
    /// # Errors
    /// When candle can't read a tensor.
    pub fn to_tensors(&self) -> Result<Tensors> {
        self.name_flat(&self.flat()?)
    }

    /// Cuts `flat`, in the order of [`flat`](Self::flat), into tensors by name.
    ///
    /// # Errors
    /// When the length does not fit.
    pub fn name_flat(&self, flat: &[f32]) -> Result<Tensors> {
        self.check_flat(flat.len())?;
        let mut rest = flat;
        let mut tensors = Tensors::new();
        for (name, var) in &self.parameters {
            let (data, after) = rest.split_at(var.elem_count());
            tensors.insert(name.clone(), (var.dims().to_vec(), data.to_vec()));
            rest = after;
        }
        Ok(tensors)
    }

    /// The inverse of [`name_flat`](Self::name_flat).
    ///
    /// # Errors
    /// When a tensor is absent or of another shape.
    pub fn flatten(&self, tensors: &Tensors) -> Result<Vec<f32>> {
        let mut flat = Vec::with_capacity(self.parameter_count());
        for (name, var) in &self.parameters {
            match tensors.get(name) {
                Some((shape, data)) if shape == var.dims() && data.len() == var.elem_count() => {
                    flat.extend(data);
                }
                _ => return Err(Error::Msg(format!("tensor '{name}' is absent or misshapen"))),
            }
        }
        Ok(flat)
    }

    /// Actor and critic as they are now, packed for fast answers.
    ///
    /// # Errors
    /// When candle can't read a tensor.
    pub fn pack(&self) -> Result<(PackedMlp, PackedMlp)> {
        let tensors = self.to_tensors()?;
        let (inputs, hidden, _) = layers(&self.network)?;
        let packed = |prefix| pack_mlp(inputs, hidden.len(), prefix, &tensors).map_err(Error::wrap);
        Ok((packed("actor")?, packed("critic")?))
    }

    fn check_flat(&self, actual: usize) -> Result<()> {
        let expected = self.parameter_count();
        if actual == expected {
            return Ok(());
        }
        Err(Error::Msg(format!("{actual} numbers for {expected} parameters")))
    }
}

/// Inputs, hidden layers and outputs of an mlp.
fn layers(network: &NetworkSpec) -> Result<(usize, &[usize], usize)> {
    match network {
        NetworkSpec::Mlp { inputs, hidden, outputs, .. } => Ok((*inputs, hidden, *outputs)),
        other => Err(Error::Msg(format!("actor and critic are an mlp, not {}", other.kind()))),
    }
}

fn parameter_shapes(network: &NetworkSpec) -> Result<Vec<(String, Vec<usize>)>> {
    let (inputs, hidden, outputs) = layers(network)?;
    let mut shapes = tensor_shapes("actor", inputs, hidden, outputs);
    shapes.extend(tensor_shapes("critic", inputs, hidden, 1));
    Ok(shapes)
}

fn variable(data: Vec<f32>, shape: Vec<usize>) -> Result<Var> {
    Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu)?)
}

/// `parameters` are weight and bias of each layer in turn.
fn mlp(parameters: &[(String, Var)], x: &Tensor) -> Result<Tensor> {
    let layers = parameters.as_chunks::<2>().0;
    let mut x = x.clone();
    for (index, [(_, weight), (_, bias)]) in layers.iter().enumerate() {
        x = x.matmul(&weight.t()?)?.broadcast_add(bias)?;
        if index + 1 < layers.len() {
            x = x.tanh()?;
        }
    }
    Ok(x)
}
