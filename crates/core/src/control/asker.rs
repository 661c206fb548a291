//! Who asks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// By which way somebody told a session something: what its journal keeps of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// A subcommand of the trader's own program.
    Command,
    /// The server's interface, which has written the act down before it asked.
    Interface,
    /// A signal to the session's process.
    Signal,
    /// A file in the journal's folder.
    File,
    /// The watch over the champion.
    Watch,
    /// A program that does not say, or says what this version does not know.
    #[default]
    #[serde(other)]
    Program,
}

impl Asker {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Interface => "interface",
            Self::Signal => "signal",
            Self::File => "file",
            Self::Watch => "watch",
            Self::Program => "program",
        }
    }

    /// Whether nobody said who it was: that is left out where it is written.
    pub fn is_unnamed(&self) -> bool {
        *self == Self::Program
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asker_reads_back_and_an_unknown_one_is_some_program() {
        use Asker::{Command, File, Interface, Program, Signal, Watch};
        for asker in [Command, Interface, Signal, File, Watch, Program] {
            assert_eq!(serde_json::to_value(asker).unwrap(), asker.as_str());
            assert_eq!(serde_json::from_value::<Asker>(asker.as_str().into()).unwrap(), asker);
        }
        assert_eq!(serde_json::from_str::<Asker>("\"robot\"").unwrap(), Program);
    }
}
