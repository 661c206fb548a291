//! Damaged pages: no panic, no error without a text, no more memory than the page is long.

#[path = "../../core/tests/support/mutate.rs"]
mod mutate;

use walkforward_alpaca::{RawBar, parse_page};

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
