//! The documents keep what they promise.

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_readme_names_the_two_commands_and_ci_runs_the_second() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    for command in ["cargo run --release -- --once", "cargo test --workspace"] {
        assert!(readme.contains(command), "{command}");
    }
    assert!(ci.contains("cargo test --workspace"));
}

#[test]
fn the_architecture_page_names_every_crate() {
    let page = read("ARCHITECTURE.md");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("`{name}`")), "ARCHITECTURE.md does not speak of crates/{name}");
    }
}
