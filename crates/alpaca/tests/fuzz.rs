//! Damaged pages, frames and orders: no panic, no error without a text, no more memory than the input is long.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../core/tests/support/mutate.rs"]
mod mutate;

use walkforward_alpaca::{
    MarketMessage, RawBar, TradeMessage, parse_market_frame, parse_order, parse_page, parse_trade_frame,
};
use walkforward_core::{Quantity, Symbol};

/// Fewest bytes of JSON that hold a bar: a time and five numbers with their keys.
const MIN_BAR_BYTES: usize = 50;

fn corpus() -> Vec<Vec<u8>> {
    let bar = |time: &str, price: f64| {
        format!(
            r#"{{"t":"{time}","o":{price},"h":{},"l":{},"c":{price},"v":0.31,"n":11,"vw":{price}}}"#,
            price + 1.0,
            price - 1.0
        )
    };
    let bars: Vec<String> =
        (0..20).map(|minute| bar(&format!("2024-01-01T00:{minute:02}:00Z"), 42_283.58)).collect();
    let offset = bar("2022-04-19T13:45:04.981350886-04:00", 1e-8);
    [
        r#"{"bars":{},"next_page_token":null}"#.to_owned(),
        format!(r#"{{"bars":{{"BTC/USD":[{}],"ETH/USD":[{offset}]}},"next_page_token":"QlRDL1VT=="}}"#, bars.join(",")),
        format!("{{ \"next_page_token\" : \"\\u0041\", \"x\": [[{{}}]],\n\"bars\" : {{\"A\\n\":null,\"AAPL\": [ {offset} ]}} }}"),
        r#"{"code":40110000,"message":"request is not authorized"}"#.to_owned(),
        "<html><body>502 Bad Gateway</body></html>".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[test]
fn a_damaged_page_is_read_or_refused() {
    let mut read = 0_u64;
    let tried = mutate::fuzz(&corpus(), |input| match parse_page(input) {
        Ok(page) => {
            read += 1;
            let bars: usize = page.bars.iter().map(|(_, bars)| bars.len()).sum();
            assert!(bars * MIN_BAR_BYTES <= input.len(), "{bars} bars of {} bytes", input.len());
            let is_finite = |bar: &RawBar| bar.open.is_finite() && bar.volume.is_finite();
            assert!(page.bars.iter().flat_map(|(_, bars)| bars).all(is_finite));
        }
        Err(error) => assert!((1..2_000).contains(&error.to_string().len()), "{error}"),
    });
    eprintln!("{tried} damaged pages, {read} of them read");
}

const ORDER: &str = r#"{"id":"d6f5096f-e072-4cd2-af38-9e7a66f720d4","client_order_id":"wf-0123456789abcdef0123",
    "created_at":"2024-01-01T00:01:01.074326Z","updated_at":"2024-01-01T00:01:01.184894716Z","symbol":"BTC/USD",
    "notional":null,"qty":"0.0125","filled_qty":"0.0125","filled_avg_price":"42301.5","order_class":"","type":"market",
    "side":"buy","status":"filled","legs":null,"replaced_by":null}"#;

fn btc() -> Symbol {
    "BTC/USD".parse().unwrap()
}

#[test]
fn a_damaged_frame_of_bars_is_read_or_refused() {
    let bar = r#""S":"BTC/USD","o":47993.71,"h":48000,"l":47976.69,"c":47982.6,"v":1.66,"t":"2021-09-17T02:02:00Z","n":1"#;
    let corpus: Vec<Vec<u8>> = [
        r#"[{"T":"success","msg":"connected"}]"#.to_owned(),
        r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#.to_owned(),
        r#"[{"T":"subscription","trades":[],"bars":["BTC/USD"],"updatedBars":["*"],"dailyBars":[]}]"#
            .to_owned(),
        format!(r#"[{{"T":"b",{bar}}},{{"T":"u",{bar},"vw":1e-8}},{{"T":"t","p":1.5,"c":["x"]}}]"#),
    ]
    .map(String::into_bytes)
    .to_vec();
    let mut bars = 0_u64;
    let tried = mutate::fuzz(&corpus, |input| match parse_market_frame(input) {
        Ok(messages) => {
            assert!(messages.len() <= input.len());
            for message in messages {
                match message {
                    MarketMessage::Bar { bar, .. } | MarketMessage::UpdatedBar { bar, .. } => {
                        bars += 1;
                        assert!(bar.open.is_finite() && bar.volume.is_finite());
                    }
                    MarketMessage::Unknown(text)
                    | MarketMessage::Unreadable(text)
                    | MarketMessage::Error { message: text, .. } => assert!(text.len() < 2_000, "{text}"),
                    _ => {}
                }
            }
        }
        Err(error) => assert!((1..2_000).contains(&error.to_string().len()), "{error}"),
    });
    eprintln!("{tried} damaged frames, {bars} bars in them");
}

#[test]
fn a_damaged_order_is_read_or_refused() {
    let mut read = 0_u64;
    let corpus = [ORDER, r#"{"code":40310000,"message":"insufficient balance"}"#, "<html>502</html>"];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    let tried = mutate::fuzz(&corpus, |input| match parse_order(input, &btc()) {
        Ok(order) => {
            read += 1;
            assert!(order.filled >= Quantity::ZERO && order.ordered.is_none_or(|it| it >= order.filled));
            assert!((1..=128).contains(&order.venue_id.len()));
        }
        Err(error) => assert!((1..2_000).contains(&error.to_string().len()), "{error}"),
    });
    eprintln!("{tried} damaged orders, {read} of them read");
}

#[test]
fn a_damaged_update_is_read_or_refused() {
    let fill = format!(
        r#"{{"stream":"trade_updates","data":{{"event":"fill","execution_id":"2f63ea93","order":{ORDER},
        "position_qty":"0.01246875","price":"42301.5","qty":"0.0125","timestamp":"2024-01-01T00:01:01.18Z"}}}}"#
    );
    let corpus: Vec<Vec<u8>> = [
        r#"{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}"#.to_owned(),
        r#"{"stream":"listening","data":{"streams":["trade_updates"]}}"#.to_owned(),
        fill.replace("\"fill\"", "\"canceled\""),
        fill,
    ]
    .map(String::into_bytes)
    .to_vec();
    let mut fills = 0_u64;
    let tried = mutate::fuzz(&corpus, |input| match parse_trade_frame(input, &btc()) {
        Ok(TradeMessage::Fill(fill)) => {
            fills += 1;
            assert!(fill.quantity > Quantity::ZERO && fill.quantity <= fill.order.filled);
            assert!(fill.fee_in_asset(Quantity::ZERO).is_none_or(|fee| fee >= Quantity::ZERO));
        }
        Ok(
            TradeMessage::Unreadable(text) | TradeMessage::Unauthorized(text) | TradeMessage::Unknown(text),
        ) => {
            assert!(text.len() < 2_000, "{text}");
        }
        Ok(_) => {}
        Err(error) => assert!((1..2_000).contains(&error.to_string().len()), "{error}"),
    });
    eprintln!("{tried} damaged updates, {fills} fills in them");
}
