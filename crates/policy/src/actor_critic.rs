//! The network that is trained: actor and critic in candle.

use candle_core::backprop::GradStore;
use candle_core::{Device, Error, Result, Tensor, Var};
use rand::Rng;
use walkforward_core::NetworkSpec;
use walkforward_kernels::PackedMlp;

use crate::Tensors;
use crate::check::check_tensors;
use crate::frozen::pack_mlp;
use crate::init::orthogonal;
use crate::network::{Fresh, Parameter, Role, Take, forward, is_trained_by_gradient, parameters};

/// Two networks of one shape over the same observation: the actor gives logits, the critic a value.
///
/// Parameters have a fixed order (`actor.0.weight`, `actor.0.bias`, .., `critic.0.weight`, ..), in which
/// [`flat`](Self::flat) and [`flat_gradients`](Self::flat_gradients) string them together.
#[derive(Debug, Clone)]
pub struct ActorCritic {
    network: NetworkSpec,
    parameters: Vec<(String, Var)>,
}

impl ActorCritic {
    /// Fresh weights from `rng`: orthogonal with gain sqrt(2) (1 in a recurrent unit), heads 0.01 and 1, biases 0.
    ///
    /// # Errors
    /// When the network is of a kind without gradient, or candle can't make the tensors.
    pub fn new(network: NetworkSpec, rng: &mut impl Rng) -> Result<Self> {
        let mut made = Vec::new();
        for Parameter { name, shape, fresh } in declared(&network)? {
            let rows = shape.first().copied().unwrap_or(1);
            let count: usize = shape.iter().product();
            let data = match fresh {
                Fresh::Orthogonal(gain) => orthogonal(rows, count / rows.max(1), gain, rng),
                Fresh::Constant(value) => vec![value; count],
            };
            made.push((name, variable(data, shape)?));
        }
        Ok(Self { network, parameters: made })
    }

    /// The weights of a bundle, actor and critic.
    ///
    /// # Errors
    /// When the network is of a kind without gradient, or a tensor is absent, superfluous or of another shape.
    pub fn from_tensors(network: NetworkSpec, tensors: &Tensors) -> Result<Self> {
        check_tensors(&network, tensors)
            .map_err(|(name, reason)| Error::Msg(format!("tensor '{name}': {reason}")))?;
        let mut read = Vec::new();
        for Parameter { name, shape, .. } in declared(&network)? {
            let (_, data) = tensors.get(&name).ok_or_else(|| {
                Error::Msg(format!("tensor '{name}' is not there: only an actor was stored"))
            })?;
            read.push((name, variable(data.clone(), shape)?));
        }
        Ok(Self { network, parameters: read })
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
        let answer = |half: &[(String, Var)]| {
            forward(&self.network, Take::new(half.iter().map(|(_, var)| var.as_tensor())), observations)
        };
        Ok((answer(actor)?, answer(critic)?.squeeze(1)?))
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
    /// When the network is no mlp, or candle can't read a tensor.
    pub fn pack(&self) -> Result<(PackedMlp, PackedMlp)> {
        let NetworkSpec::Mlp { inputs, hidden, .. } = &self.network else {
            return Err(Error::Msg(format!("only an mlp can be packed, not {}", self.network.kind())));
        };
        let tensors = self.to_tensors()?;
        let packed = |prefix| pack_mlp(*inputs, hidden.len(), prefix, &tensors).map_err(Error::wrap);
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

/// The parameters of actor and critic, in order.
fn declared(network: &NetworkSpec) -> Result<Vec<Parameter>> {
    if !is_trained_by_gradient(network) {
        return Err(Error::Msg(format!("a network of kind {} is no actor and critic", network.kind())));
    }
    let mut declared = parameters(network, Role::Actor);
    declared.extend(parameters(network, Role::Critic));
    Ok(declared)
}

fn variable(data: Vec<f32>, shape: Vec<usize>) -> Result<Var> {
    Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu)?)
}
