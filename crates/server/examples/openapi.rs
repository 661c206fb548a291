//! Prints the description of all routes, which the page's types are made from:
//! `cargo run -p walkforward-server --example openapi > dashboard/openapi.json`.

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = walkforward_server::description().to_pretty_json()?;
    text.push('\n');
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
