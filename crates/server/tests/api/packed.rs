//! Answers as gzip.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::world::{READ, World};

struct Packed {
    head: String,
    body: Vec<u8>,
}

impl Packed {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn unpacked(&self) -> String {
        let mut text = String::new();
        GzDecoder::new(self.body.as_slice()).read_to_string(&mut text).unwrap();
        text
    }
}

/// Asks as one who takes gzip. HTTP 1.0, so that the body comes in one piece.
fn ask(world: &World, path: &str, more: &str) -> Packed {
    let mut stream = TcpStream::connect(world.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "GET {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {READ}\r\naccept-encoding: gzip, br\r\n{more}\r\n",
        world.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    Packed { head: String::from_utf8(all[..end].to_vec()).unwrap(), body: all[end + 4..].to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_packed_for_those_who_take_it_and_a_short_one_is_not() {
    let world = World::new().await;
    let plain = world.get("/api/openapi.json");
    assert_eq!(plain.header("content-encoding"), None);
    let packed = ask(&world, "/api/openapi.json", "");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.unpacked(), plain.text);
    assert!(packed.body.len() * 3 < plain.text.len(), "{} of {}", packed.body.len(), plain.text.len());
    let short = ask(&world, "/api/health", "");
    assert_eq!(short.header("content-encoding"), None, "{}", short.head);
    assert!(short.body.starts_with(b"{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_packed_is_known_again_by_its_tag() {
    let world = World::new().await;
    for number in 0..40 {
        world.store.record_event("test", &json!({ "number": number })).unwrap();
    }
    let plain = world.get("/api/events");
    let packed = ask(&world, "/api/events", "");
    assert_eq!((packed.header("content-encoding"), packed.unpacked()), (Some("gzip"), plain.text.clone()));
    // The same content in other bytes: a weak tag, which matches the strong one.
    let tag = packed.header("etag").unwrap();
    assert_eq!(tag, format!("W/{}", plain.header("etag").unwrap()));
    for answer in [&packed, &ask(&world, "/api/events", &format!("if-none-match: {tag}\r\n"))] {
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{}", answer.head);
    }
    let again = ask(&world, "/api/events", &format!("if-none-match: {tag}\r\n"));
    assert!(again.head.starts_with("HTTP/1.0 304") && again.body.is_empty(), "{}", again.head);
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_s_scripts_are_packed() {
    let world = World::new().await;
    let index = world.get("/");
    let scripts: Vec<&str> = index.text.split('"').filter(|it| it.ends_with(".js")).collect();
    assert_eq!(scripts.is_empty(), !walkforward_server::has_dashboard());
    for script in scripts {
        let packed = ask(&world, script, "");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{script}: {}", packed.head);
        assert!(packed.header("etag").unwrap().starts_with("W/\""));
        assert_eq!(packed.header("vary"), Some("accept-encoding"));
        assert_eq!(packed.unpacked(), world.get(script).text);
    }
}
