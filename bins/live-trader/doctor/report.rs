//! What was checked, and how that went.

use serde::Serialize;
use serde_json::{Value, json};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    to_do: Option<String>,
}

/// All checks, in order.
#[derive(Debug, Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// Something is as it should be.
    pub(crate) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(Check { name, verdict: Verdict::Ok, found: found.into(), to_do: None });
    }

    /// A person should look at something.
    pub(crate) fn warn(&mut self, name: &'static str, found: impl Into<String>, to_do: impl Into<String>) {
        self.add(name, Verdict::Warn, found.into(), to_do.into());
    }

    /// A start would fail, or do something else than is wanted.
    pub(crate) fn fail(&mut self, name: &'static str, found: impl Into<String>, to_do: impl Into<String>) {
        self.add(name, Verdict::Fail, found.into(), to_do.into());
    }

    fn add(&mut self, name: &'static str, verdict: Verdict, found: String, to_do: String) {
        self.checks.push(Check { name, verdict, found, to_do: Some(to_do) });
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    /// Checks that failed.
    pub(crate) fn failures(&self) -> usize {
        self.count(Verdict::Fail)
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "checks": self.checks, "failed": self.failures(), "warned": self.count(Verdict::Warn) })
    }

    /// A line for each check, and one below it where there is something to do.
    pub(crate) fn lines(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Check { name, verdict, found, to_do } in &self.checks {
            let word = match verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            text += &format!("{word}  {name:width$}  {found}\n");
            if let Some(to_do) = to_do {
                text += &format!("      {:width$}  -> {to_do}\n", "");
            }
        }
        text
    }
}
