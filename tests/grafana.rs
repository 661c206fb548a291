//! The dashboard for Grafana asks for what the programs serve.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use crate::live_control::{signal, start};
use crate::support::World;
use crate::support::http::Api;
use crate::support::scrape::{free_port, scrape};
use crate::support::server::Server;

/// What a histogram is asked for by, besides its name.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The metrics whose type `text` tells.
fn served(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Each metric that a text of the file names, wherever in it.
fn named(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            into.extend(words.filter(|word| word.starts_with("walkforward_")).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| named(value, into)),
        _ => {}
    }
}

#[test]
fn each_metric_of_the_dashboard_is_one_that_server_or_trader_serve() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut wanted = BTreeSet::new();
    named(&dashboard, &mut wanted);
    assert!(wanted.len() > 20, "{wanted:?}");

    let (world, port) = (World::new(), free_port());
    world.promote();
    let trader = start(&world, &["--quiet", "--metrics", &port.to_string()]);
    let mut known = served(&scrape(port).unwrap());
    signal(&trader, Signal::TERM);
    assert!(trader.wait_with_output().unwrap().status.success());
    let mut server = Server::start(&world, &["--listen", "127.0.0.1:0"]);
    let api = Api::of(&world, &mut server);
    known.extend(served(&api.text("/metrics")));
    server.stop_well();

    let base = |name: &str| {
        let stems = OF_HISTOGRAMS.iter().filter_map(|end| name.strip_suffix(end));
        stems.map(str::to_owned).find(|stem| known.contains(stem)).unwrap_or_else(|| name.to_owned())
    };
    for name in &wanted {
        assert!(known.contains(&base(name)), "nobody serves {name}: {known:?}");
    }
}

#[test]
fn the_panels_of_the_dashboard_have_ids_of_their_own_and_room() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()) && place("x") + place("w") <= 24, "{panel}");
        for cell in 0..place("w") * place("h") {
            let at = (place("x") + cell % place("w"), place("y") + cell / place("w"));
            assert!(cells.insert(at), "two panels at {at:?}: {panel}");
        }
    }
}
