//! `orchestrate serve` beside an MLflow server on this machine.

use walkforward_testing::FakeMlflow;

use crate::support::World;
use crate::support::server::Server;

fn serve(world: &World, uri: &str) -> Server {
    let file = world.file("own.toml", format!("[mlflow]\ntracking_uri = \"{uri}\"\nexperiment = \"lab\"\n"));
    Server::start(world, &["--listen", "127.0.0.1:0", "--config", &file])
}

#[test]
fn a_server_shows_what_was_trained_and_who_trades_and_a_second_start_adds_nothing() {
    let (world, mlflow) = (World::new(), FakeMlflow::new());
    world.promote();
    let is_shown = |mlflow: &FakeMlflow| mlflow.alias("lab-default", "champion") == Some(1);
    let mut server = serve(&world, &mlflow.uri());
    mlflow.wait_until(is_shown);
    server.stop_well();
    let runs = mlflow.runs();
    assert_eq!(
        (runs.len(), runs[0].experiment.as_str(), runs[0].status.as_str()),
        (1, "lab/default", "FINISHED")
    );
    assert_eq!(
        runs[0].tags["walkforward.model_id"],
        world.read_json("models/latest.json")["modelId"].as_str().unwrap()
    );
    assert_eq!(mlflow.versions("lab-default")[0].run_id, runs[0].run_id);

    // What is known is not asked for again: the second server has nothing to say until something new is there.
    let asked = mlflow.requests();
    let mut server = serve(&world, &mlflow.uri());
    server.stop_well();
    assert_eq!((mlflow.requests(), mlflow.runs().len()), (asked, 1));
    assert_eq!(mlflow.refused(), Vec::<String>::new());
}

#[test]
fn a_server_serves_where_mlflow_does_not_answer_and_refuses_an_address_that_is_none() {
    let world = World::new();
    world.promote();
    let gone = FakeMlflow::new().uri();
    serve(&world, &gone).stop_well();
    let file = world.file("bad.toml", "[mlflow]\ntracking_uri = \"sqlite:///x.db\"\n");
    world
        .orchestrate(&["serve", "--config", &file], &[])
        .expect_refusal(&["mlflow.tracking_uri", "http://127.0.0.1:5000"]);
}
