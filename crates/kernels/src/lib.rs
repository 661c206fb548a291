//! Arithmetic of the MLP policy on flat `f32` slices: forward pass, optimiser step, arg-max. Mathematics only; it
//! knows neither files nor tensors.
//!
//! The principal type is [`PackedMlp`]. Its answers are the same bits on every instruction set, at every batch size
//! and in every row of a batch, because outputs lie across lanes, each inner product is summed in index order with
//! fused multiply-add, and [`tanh`] is one rational function. A probe recorded on one machine therefore holds on
//! another.
//!
//! ```
//! use walkforward_kernels::{LinearWeights, PackedMlp, argmax};
//!
//! // One layer, two inputs, two outputs; weights `[outputs, inputs]`.
//! let layer = LinearWeights { weight: &[1.0, 0.0, 0.0, 2.0], bias: &[0.5, 0.0] };
//! let net = PackedMlp::new(2, &[layer])?;
//! let mut logits = [0.0; 2];
//! net.forward(&[1.0, 3.0], &mut logits, &mut net.scratch())?;
//! assert_eq!(logits, [1.5, 6.0]);
//! assert_eq!(argmax(&logits), Some(1));
//! # Ok::<(), walkforward_kernels::Error>(())
//! ```

mod activation;
mod actor_critic;
mod aligned;
mod argmax;
mod error;
mod gemm;
mod gradient;
mod isa;
mod layout;
mod math;
mod matmul;
mod mlp;
mod optim;
mod ppo;
mod sample;
mod simd;

pub use activation::{TANH_MAX_ERROR, tanh};
pub use actor_critic::{ActorCriticNet, ActorCriticScratch};
pub use argmax::argmax;
pub use error::Error;
pub use gradient::{PpoBatch, PpoWorkspace};
pub use isa::Isa;
pub use layout::ActorCriticShape;
pub use matmul::MatMul;
pub use mlp::{LinearWeights, PackedMlp, Scratch};
pub use optim::{Adam, AdamConfig, clip_grad_norm};
pub use ppo::{PpoFigures, PpoLoss};
pub use sample::Draw;
