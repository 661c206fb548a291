//! What it means that one candidate of many looks best.

mod matrix;
mod pbo;
mod spa;

pub use matrix::ReturnMatrix;
pub use pbo::{
    MAX_OVERFITTING_BLOCKS, MIN_OVERFITTING_TRIALS, Overfitting, default_overfitting_blocks,
    overfitting_probability,
};
pub use spa::{SuperiorAbility, superior_ability};
