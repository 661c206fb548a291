//! What was asked for.

use walkforward_kernels::Isa;
use walkforward_trainer::BackendKind;

/// The command line.
pub(crate) struct Options {
    pub(crate) envs: usize,
    pub(crate) threads: usize,
    pub(crate) seconds: f64,
    pub(crate) reps: usize,
    pub(crate) env: String,
    pub(crate) task: Option<String>,
    pub(crate) seeds: u64,
    pub(crate) steps: Option<usize>,
    pub(crate) backend: BackendKind,
    /// Instruction set of the matrix product that the rate is compared with.
    pub(crate) isa: Isa,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut options = Self {
            envs: 0,
            threads: 1,
            seconds: 4.0,
            reps: 3,
            env: "tpw1".to_owned(),
            task: None,
            seeds: 6,
            steps: None,
            backend: BackendKind::default(),
            isa: Isa::detect(),
        };
        while let Some(word) = words.next() {
            // Cargo adds it.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--envs" => options.envs = value.parse()?,
                "--threads" => options.threads = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--reps" => options.reps = value.parse::<usize>()?.max(1),
                "--env" => options.env = value,
                "--task" => options.task = Some(value),
                "--seeds" => options.seeds = value.parse()?,
                "--steps" => options.steps = Some(value.parse()?),
                "--isa" => options.choose_isa(&value)?,
                "--backend" if value == "candle" => options.backend = BackendKind::Candle,
                "--backend" if value == "kernels" => {}
                _ => {
                    return Err(
                        format!("{word} {value} is not known; see the top of benches/tpw1/main.rs").into()
                    );
                }
            }
        }
        if options.envs == 0 {
            options.envs = if options.task.is_some() { 8 } else { 64 };
        }
        Ok(options)
    }

    fn choose_isa(&mut self, name: &str) -> Result<(), String> {
        self.isa = match name {
            "avx512" => Isa::Avx512,
            "avx2" => Isa::Avx2,
            "portable" => Isa::Portable,
            _ => return Err(format!("--isa is '{name}': expected avx512, avx2 or portable")),
        };
        self.backend = BackendKind::Kernels(self.isa);
        Ok(())
    }
}
