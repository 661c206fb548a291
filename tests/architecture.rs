//! The walls between the crates, as `ARCHITECTURE.md` draws them.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Which crate may depend on which. A crate may use less, never more; a new crate enters with its line here.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("durable", &[]),
    ("http", &[]),
    ("stats", &[]),
    ("kernels", &[]),
    ("engine", &["core"]),
    ("policy", &["core", "durable", "kernels"]),
    ("store", &["core", "durable"]),
    ("alpaca", &["core", "http"]),
    ("etl", &["core", "durable"]),
    ("trainer", &["core", "durable", "engine", "policy", "kernels"]),
    ("evaluator", &["core", "engine", "policy", "stats"]),
    ("promoter", &["core", "stats", "store"]),
    ("report", &["core", "stats"]),
    ("simulation", &["core", "stats", "promoter"]),
    ("launcher", &["core", "durable", "engine"]),
    ("orchestrator", &["core", "store"]),
    ("live", &["core", "durable", "engine", "policy", "stats", "store"]),
    ("mlflow", &["core", "durable", "http", "store"]),
    ("notify", &["core", "durable", "http"]),
    ("server", &["core", "orchestrator", "store"]),
    ("testing", &["core"]),
];

/// Heavy dependencies and the only crates that may use them.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("candle-core", &["policy", "trainer"]),
    ("ta-lib", &["engine"]),
    ("reqwest", &["alpaca", "http", "mlflow", "notify"]),
    ("parquet", &["etl"]),
    ("rustls", &["http"]),
    ("tokio-tungstenite", &["alpaca", "testing"]),
    ("axum", &["server"]),
    ("utoipa", &["server"]),
    ("arc-swap", &["live"]),
    ("metrics", &["live"]),
    ("metrics-exporter-prometheus", &["walkforward"]),
    ("notify of crates.io", &["live"]),
    ("croner", &["orchestrator"]),
    ("chrono-tz", &["notify", "orchestrator"]),
    ("clap", &["walkforward"]),
    ("indicatif", &["walkforward"]),
    ("anyhow", &["walkforward"]),
];

/// Crates that have to build without the machine-learning stack.
const WITHOUT_CANDLE: &[&str] = &[
    "core",
    "durable",
    "http",
    "stats",
    "kernels",
    "engine",
    "store",
    "alpaca",
    "etl",
    "promoter",
    "report",
    "simulation",
    "launcher",
    "mlflow",
    "notify",
    "orchestrator",
    "server",
    "testing",
];

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).exec().unwrap()
}

/// `walkforward-etl` is called `etl`; other packages keep their name, but for one that is called as one of ours.
fn short(name: &str) -> &str {
    match name {
        "notify" => "notify of crates.io",
        _ => name.strip_prefix("walkforward-").unwrap_or(name),
    }
}

/// Normal dependencies of every workspace package, by short name.
fn dependencies(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata.workspace_packages().into_iter();
    packages
        .map(|package| {
            let normal = package.dependencies.iter().filter(|it| it.kind == DependencyKind::Normal);
            (short(&package.name).to_owned(), normal.map(|it| short(&it.name).to_owned()).collect())
        })
        .collect()
}

#[test]
fn every_crate_keeps_to_its_arrows() {
    let dependencies = dependencies(&metadata());
    let crates: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ARROWS {
        let actual = dependencies.get(*name).unwrap_or_else(|| panic!("there is no crate {name}"));
        for used in actual.iter().filter(|used| crates.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
    }
    let unlisted: Vec<_> = dependencies
        .keys()
        .filter(|name| !crates.contains(name.as_str()) && *name != "walkforward")
        .collect();
    assert!(unlisted.is_empty(), "give these crates their arrows: {unlisted:?}");
}

#[test]
fn every_heavy_dependency_has_its_owners() {
    for (package, used) in dependencies(&metadata()) {
        for (heavy, owners) in OWNERS {
            assert!(
                !used.contains(*heavy) || owners.contains(&package.as_str()),
                "{package} must not depend on {heavy}: that is for {owners:?}"
            );
        }
    }
}

#[test]
fn the_loop_and_the_store_build_without_candle() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<_, _> = metadata.packages.iter().map(|it| (&it.id, it.name.as_str())).collect();
    let edges: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for package in metadata.workspace_packages() {
        if !WITHOUT_CANDLE.contains(&short(&package.name)) {
            continue;
        }
        let (mut open, mut seen) = (vec![&package.id], BTreeSet::new());
        while let Some(id) = open.pop() {
            assert_ne!(names[id], "candle-core", "{} reaches candle", package.name);
            let normal = edges[id]
                .deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            open.extend(normal.map(|dep| &dep.pkg).filter(|id| seen.insert(*id)));
        }
    }
}

#[test]
fn every_library_but_the_kernels_forbids_unsafe_code() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "kernels") {
        let path = format!("{}/crates/{name}/src/lib.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{path}");
    }
}
