//! The flags that name a dataset configuration and a hyperparameter pack.

use clap::{Arg, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward_store::{DatasetConfigId, PackId};

const DATASET: &str = "dataset";
const PACK: &str = "pack";

/// What a training refers to.
pub(crate) struct References {
    /// Its dataset configuration.
    pub(crate) dataset: Option<DatasetConfigId>,
    /// Its pack.
    pub(crate) pack: Option<PackId>,
}

/// The flags.
pub(crate) fn arguments(command: Command) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(flag(
            DATASET,
            "DATASET_ID",
            "Dataset configuration (`orchestrate datasets list`); settings win over it",
        ))
        .arg(flag(
            PACK,
            "PACK_ID",
            "Hyperparameter pack (`orchestrate packs list`); the file's [pack] wins over it",
        ))
}

impl References {
    /// What the flags say.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name);
        let refuse =
            |flag: &str, error: walkforward_store::RowIdError| Failure::input(format!("--{flag}: {error}"));
        let dataset = text(DATASET).map(|id| id.parse()).transpose();
        let pack = text(PACK).map(|id| id.parse()).transpose();
        Ok(Self {
            dataset: dataset.map_err(|error| refuse(DATASET, error))?,
            pack: pack.map_err(|error| refuse(PACK, error))?,
        })
    }
}
