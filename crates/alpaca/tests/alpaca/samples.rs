//! Recorded answers of the service, where they lie beside the project.

use std::path::PathBuf;

use serde_json::Value;
use walkforward_alpaca::{MarketMessage, TradeMessage, parse_market_frame, parse_order, parse_trade_frame};
use walkforward_core::{ErrorKind, OrderOrigin, OrderStatus, Quantity, SubmitError, Venue};
use walkforward_testing::{FakeAlpaca, RestFault, Route};

use crate::live::{buy, quantity, venue};
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

#[test]
fn recorded_orders_and_fills_are_read_shared_data() {
    let Some(folder) = samples("recorded_orders_and_fills_are_read_shared_data") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let btc = "BTC/USD".parse().unwrap();
    let accepted = parse_order(&read("order_accepted.json"), &btc).unwrap();
    assert_eq!(accepted.origin, OrderOrigin::External("cycle42-bar-20240101T000100Z".to_owned()));
    assert_eq!((accepted.status, accepted.filled), (OrderStatus::Pending, Quantity::ZERO));
    let filled = parse_order(&read("order_filled.json"), &btc).unwrap();
    assert_eq!((filled.status, filled.filled), (OrderStatus::Filled, quantity("0.0125")));
    let update = parse_trade_frame(&read("trade_update_fill.json"), &btc).unwrap();
    let TradeMessage::Fill(fill) = update else { panic!("{update:?}") };
    assert_eq!((fill.quantity, fill.price.get()), (quantity("0.0125"), 42_301.5));
    assert_eq!(fill.fee_in_asset(Quantity::ZERO), Some(quantity("0.00003125")));
    assert_eq!(fill.order, filled);
}

#[test]
fn a_recorded_session_of_the_stream_is_read_shared_data() {
    let Some(folder) = samples("a_recorded_session_of_the_stream_is_read_shared_data") else { return };
    let text = std::fs::read_to_string(folder.join("ws_session.json")).unwrap();
    let frames: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of_server = frames.iter().filter(|frame| frame["dir"] == "server");
    let messages: Vec<MarketMessage> = of_server
        .flat_map(|frame| parse_market_frame(frame["frame"].to_string().as_bytes()).unwrap())
        .collect();
    let kinds: Vec<&str> = messages
        .iter()
        .map(|message| match message {
            MarketMessage::Connected => "connected",
            MarketMessage::Authenticated => "authenticated",
            MarketMessage::Subscribed { .. } => "subscribed",
            MarketMessage::Bar { .. } => "bar",
            MarketMessage::UpdatedBar { .. } => "updated bar",
            MarketMessage::Other => "other",
            MarketMessage::Error { .. } => "error",
            MarketMessage::Unknown(_) | MarketMessage::Unreadable(_) => "unknown",
        })
        .collect();
    let expected =
        ["connected", "authenticated", "subscribed", "bar", "updated bar", "other", "bar", "error"];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn recorded_errors_never_hide_an_order_shared_data() {
    let Some(folder) = samples("recorded_errors_never_hide_an_order_shared_data") else { return };
    let position = std::fs::read_to_string(folder.join("position.json")).unwrap();
    let fake = FakeAlpaca::start().await;
    let list = RestFault::Answer { status: 200, headers: Vec::new(), body: format!("[{position}]") };
    fake.fail(Route::Positions, list, 1);
    let held = venue(&fake).position().await.unwrap();
    assert_eq!((held.quantity, held.available), (quantity("0.01246875"), quantity("0.01246875")));

    let text = std::fs::read_to_string(folder.join("errors.json")).unwrap();
    let errors: Vec<Value> = serde_json::from_str(&text).unwrap();
    for error in errors {
        let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
        let body = error["text"].as_str().map_or_else(|| error["body"].to_string(), str::to_owned);
        fake.fail(Route::Submit, RestFault::Answer { status, headers: Vec::new(), body }, 1);
        let told = venue(&fake).submit(&buy("wf-1", 100.0)).await.unwrap_err();
        let expected = match (status, error["body"]["code"].as_u64()) {
            (429, _) => matches!(told, SubmitError::NotPlaced { .. }),
            (500.., _) | (_, None) => matches!(told, SubmitError::Unknown { .. }),
            (_, Some(40_010_001)) => matches!(told, SubmitError::DuplicateId { .. }),
            (_, Some(_)) => matches!(told, SubmitError::Rejected(_)),
        };
        assert!(expected, "{error}: {told}");
    }
}
