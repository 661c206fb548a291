//! Recorded answers of the service, where they lie beside the project.

use std::path::PathBuf;

use walkforward_core::ErrorKind;

use crate::server::Reply;
use crate::support::{Rig, query};

fn samples(test: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/alpaca/samples"));
    if folder.is_dir() {
        eprintln!("shared data test: {test}");
        return Some(folder);
    }
    eprintln!("skipped: {test}: {} is not there", folder.display());
    None
}

#[tokio::test]
async fn recorded_pages_are_merged_shared_data() {
    let Some(folder) = samples("recorded_pages_are_merged_shared_data") else { return };
    let page = |name: &str| Reply::ok(std::fs::read(folder.join(name)).unwrap());
    let rig = Rig::playing(vec![page("crypto_bars_page1.json"), page("crypto_bars_page2.json")]);
    let fetched = rig.client.bars(&query(&["BTC/USD", "ETH/USD"])).await.unwrap();
    let bars = |symbol: &str| &fetched.bars[&symbol.parse().unwrap()];
    assert_eq!(
        bars("BTC/USD").iter().map(|bar| bar.close).collect::<Vec<_>>(),
        [42298.61, 42298.61, 42320.0, 42311.0]
    );
    assert_eq!((bars("BTC/USD")[1].volume, bars("BTC/USD")[2].vwap), (0.0, Some(42310.1688165374)));
    assert_eq!((bars("ETH/USD").len(), bars("ETH/USD")[0].trades), (1, 7));
    let requests = rig.server.requests();
    assert_eq!(requests.len(), 2);
    let token = requests[1].query("page_token");
    assert_eq!(token.as_deref(), Some("QlRDL1VTRHxNfDIwMjQtMDEtMDFUMDA6MDI6MDAuMDAwMDAwMDAwWg=="));

    let rig = Rig::playing(vec![page("crypto_bars_empty.json")]);
    rig.expect(&[], 1).await;
}

#[tokio::test]
async fn recorded_errors_are_told_shared_data() {
    let Some(folder) = samples("recorded_errors_are_told_shared_data") else { return };
    let text = std::fs::read_to_string(folder.join("errors.json")).unwrap();
    let errors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(!errors.is_empty());
    for error in errors {
        let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
        let body = error["text"].as_str().map_or_else(|| error["body"].to_string(), str::to_owned);
        let headers = error["headers"].as_object().into_iter().flatten();
        let headers: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let may_pass = matches!(status, 429 | 500..);
        let replies = vec![Reply::new(status, &headers, &body); 6];
        let rig = Rig::playing(replies);
        let message = error["body"]["message"].as_str().unwrap_or(&body);
        let told = rig.expect_error(&[message], if may_pass { 6 } else { 1 }).await;
        assert_eq!(told.kind(), if may_pass { ErrorKind::Retry } else { ErrorKind::BadInput });
    }
}
