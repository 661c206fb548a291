//! Which instructions the machine has, found once when a network is packed.

use crate::mlp::{PackedLayer, Scratch};
use crate::tile::forward_rows;

/// A set of instructions that the forward pass is compiled for. All of them give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// What every machine of the target has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
}

impl Isa {
    /// The fastest that this machine has.
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2].into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }
}

/// An [`Isa`] that this machine was seen to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked(Isa);

impl Checked {
    /// `isa`, or `None` when this machine does not have it.
    pub(crate) fn new(isa: Isa) -> Option<Self> {
        isa.is_available().then_some(Self(isa))
    }

    /// The fastest that this machine has.
    pub(crate) fn detect() -> Self {
        Self(Isa::detect())
    }

    pub(crate) fn isa(self) -> Isa {
        self.0
    }
}

/// Runs [`forward_rows`] as compiled for `isa`.
pub(crate) fn dispatch(
    isa: Checked,
    layers: &[PackedLayer],
    inputs: &[f32],
    outputs: &mut [f32],
    scratch: &mut Scratch,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for instructions that the baseline lacks")]
        // SAFETY: a `Checked` holds an instruction set only after the processor reported all its features.
        Isa::Avx512 => unsafe { forward_avx512(layers, inputs, outputs, scratch) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for instructions that the baseline lacks")]
        // SAFETY: a `Checked` holds an instruction set only after the processor reported all its features.
        Isa::Avx2 => unsafe { forward_avx2(layers, inputs, outputs, scratch) },
        _ => forward_rows(layers, inputs, outputs, scratch),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn forward_avx2(layers: &[PackedLayer], inputs: &[f32], outputs: &mut [f32], scratch: &mut Scratch) {
    forward_rows(layers, inputs, outputs, scratch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn forward_avx512(layers: &[PackedLayer], inputs: &[f32], outputs: &mut [f32], scratch: &mut Scratch) {
    forward_rows(layers, inputs, outputs, scratch);
}
