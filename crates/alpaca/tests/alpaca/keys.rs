//! Keys go to the service and nowhere else.

use walkforward_alpaca::AlpacaConfig;

use crate::server::{Reply, Server};
use crate::support::{Rig, btc, keys, query};

const ID: &str = "apca-api-key-id";
const SECRET: &str = "apca-api-secret-key";

fn with_keys(server: Server) -> Rig {
    Rig::with(server, |config| config.keys = Some(keys()))
}

#[tokio::test]
async fn keys_travel_in_headers() {
    let rig = with_keys(Server::playing(vec![btc(&[0], None)]));
    rig.expect(&[0], 1).await;
    let request = &rig.server.requests()[0];
    assert_eq!((request.header(ID), request.header(SECRET)), (Some("pktestkeyid"), Some("verysecretvalue")));
    assert!(!request.target.to_lowercase().contains("secret"));
}

#[tokio::test]
async fn crypto_needs_no_keys() {
    let rig = Rig::playing(vec![btc(&[0], None)]);
    rig.expect(&[0], 1).await;
    assert_eq!(rig.server.requests()[0].header(ID), None);
}

#[tokio::test]
async fn stocks_are_asked_for_with_keys_feed_and_adjustment() {
    let body = r#"{"bars":{"AAPL":[]},"next_page_token":null}"#;
    let rig = with_keys(Server::playing(vec![Reply::ok(body)]));
    rig.client.bars(&query(&["AAPL"])).await.unwrap();
    let request = &rig.server.requests()[0];
    assert!(request.target.starts_with("GET /v2/stocks/bars?symbols=AAPL&"), "{}", request.target);
    assert_eq!(request.query("feed").as_deref(), Some("sip"));
    assert_eq!(request.query("adjustment").as_deref(), Some("split"));
    assert_eq!(request.header(SECRET), Some("verysecretvalue"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::playing(vec![btc(&[0], None)]);
    let location = format!("Location: {}/bars", elsewhere.url());
    for status in [301, 302, 307, 308] {
        let rig = with_keys(Server::playing(vec![Reply::new(status, &[&location], "")]));
        rig.expect_error(&["redirects are not followed"], 1).await;
    }
    assert!(elsewhere.requests().is_empty(), "no key reaches another host");
}

#[tokio::test]
async fn no_error_shows_a_key_even_when_the_service_does() {
    let echo = r#"{"message":"bad key PKTESTKEYID with secret verysecretvalue"}"#;
    for reply in
        [Reply::new(401, &[], echo), Reply::new(500, &[], echo), Reply::ok(format!("{{\"bars\":{echo}"))]
    {
        let server = Server::new(move |_| reply.clone());
        let rig = with_keys(server);
        let error = rig.ask().await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}"), format!("{:?}", rig.client.config())] {
            assert!(!text.contains("PKTESTKEYID") && !text.contains("verysecretvalue"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_proxy_gets_a_tunnel_and_no_key() {
    let proxy = Server::playing(vec![]);
    let url = proxy.url();
    let rig = Rig::with(proxy, |config: &mut AlpacaConfig| {
        config.base_url = "https://data.alpaca.invalid".to_owned();
        config.keys = Some(keys());
        config.proxy = Some(url.into());
        config.retry.max_attempts = 1;
    });
    rig.expect_error(&["no connection"], 1).await;
    let request = &rig.server.requests()[0];
    assert!(request.target.starts_with("CONNECT data.alpaca.invalid:443"), "{}", request.target);
    assert_eq!((request.header(ID), request.header(SECRET)), (None, None));
}

#[tokio::test]
async fn nothing_goes_through_a_proxy_to_this_machine_or_unencrypted() {
    let proxy = Server::playing(vec![btc(&[0], None)]);
    let through_proxy = |config: &mut AlpacaConfig| {
        config.keys = Some(keys());
        config.proxy = Some(proxy.url().into());
        config.retry.max_attempts = 1;
    };
    let rig = Rig::with(Server::playing(vec![btc(&[0], None)]), through_proxy);
    rig.expect(&[0], 1).await;
    for base_url in ["https://127.0.0.1:1", "http://data.alpaca.invalid"] {
        let rig = Rig::with(Server::playing(vec![]), |config| {
            through_proxy(config);
            config.base_url = base_url.to_owned();
            config.keys = config.keys.take().filter(|_| base_url.starts_with("https"));
        });
        rig.expect_error(&["no connection"], 0).await;
    }
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}
