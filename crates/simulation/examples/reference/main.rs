//! The figures of `docs/evidence.md` that the worlds of single gates and tests give, one JSON line for each.
//!
//! ```text
//! cargo run --release -p walkforward-simulation --example reference -- STUDY [WORLDS] [SEED]
//! ```
//!
//! STUDY is `sequential`, `one-cycle`, `in-sample`, `power`, `cycles`, `skill`, `alpha`, `arms`, `anchored`, `whole-line`
//! or `lines`; WORLDS 0 takes as many as `docs/evidence.md`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod studies;

use std::error::Error;
use std::thread::available_parallelism;

use serde_json::{Value, json};
use walkforward_simulation::Worlds;

/// Worlds, and how a study tells a figure: what was asked, and what came out.
pub(crate) struct Run<'a> {
    worlds: Worlds<'a>,
}

impl<'a> Run<'a> {
    /// The worlds to run, `published` unless another number was asked for.
    fn worlds(&self, published: usize) -> Worlds<'a> {
        Worlds { count: if self.worlds.count == 0 { published } else { self.worlds.count }, ..self.worlds }
    }

    fn tell(&self, asked: Value, outcome: &impl serde::Serialize) {
        println!("{}", json!({ "asked": asked, "seed": self.worlds.seed, "outcome": outcome }));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let threads = available_parallelism().map_or(1, usize::from);
    let worlds = Worlds { count: number(1, 0)? as usize, threads, ..Worlds::new(1, number(2, 1)?) };
    let name = arguments.first().map_or("", String::as_str);
    let study = studies::STUDIES.iter().find(|(known, _)| *known == name);
    let (_, study) = study.ok_or_else(|| {
        let known: Vec<&str> = studies::STUDIES.iter().map(|(name, _)| *name).collect();
        format!("there is no study '{name}': {}", known.join(", "))
    })?;
    Ok(study(&Run { worlds })?)
}
