//! Which instructions the machine has, found once when a network is made.

/// A set of instructions that the kernels are compiled for. All of them give the same bits.
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
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

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

/// Defines functions that take a [`Checked`] and run a body compiled for it. The body is `inline(always)` and takes
/// the proof of the instruction set first.
macro_rules! multiversion {
    ($($vis:vis fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?);)*) => {$(
        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "calls what is compiled for instructions that the baseline lacks")
        )]
        $vis fn $name(isa: $crate::isa::Checked, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn avx512(simd: $crate::simd::Avx512, $($arg: $ty),*) {
                $body(simd, $($arg),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2(simd: $crate::simd::Avx2, $($arg: $ty),*) {
                $body(simd, $($arg),*);
            }
            match isa.isa() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Checked` holds an instruction set only after the processor reported all its features.
                $crate::isa::Isa::Avx512 => unsafe { avx512($crate::simd::Avx512::new(), $($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Checked` holds an instruction set only after the processor reported all its features.
                $crate::isa::Isa::Avx2 => unsafe { avx2($crate::simd::Avx2::new(), $($arg),*) },
                _ => $body($crate::simd::Portable, $($arg),*),
            }
        }
    )*};
}

pub(crate) use multiversion;
