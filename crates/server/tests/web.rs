//! The web side: the page, its settings, the library for other pages.

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use harness::{PATIENCE, Server, text};

/// Status, head in lower case, and body of the answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn ask(server: &Server, method: &str, target: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address("http")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = text(&bytes[..end]).to_lowercase();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes.split_off(end + 4) }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&start))
    }
}

#[test]
fn the_page_comes_with_its_policy_and_says_what_to_do_if_it_was_not_built() {
    let server = Server::start();
    for target in ["/", "/index.html", "/?theme=dark"] {
        let page = ask(&server, "GET", target, "");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{target}");
        if page.status == 503 {
            assert!(text(&page.body).contains("cargo xtask build"));
            continue;
        }
        assert_eq!(page.status, 200, "{target}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
        assert!(policy.contains("connect-src 'self' ws: wss:;"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(text(&page.body).contains("<!doctype html>"));
    }
}

#[test]
fn every_file_that_the_page_names_is_there_smaller_if_wanted_and_sent_once() {
    let server = Server::start();
    let page = ask(&server, "GET", "/", "");
    if page.status == 503 {
        return;
    }
    let html = text(&page.body);
    let assets: Vec<&str> = html.split('"').filter(|word| word.starts_with("assets/")).collect();
    assert!(assets.len() >= 2, "{html}");
    for asset in assets {
        let target = format!("/{asset}");
        let whole = ask(&server, "GET", &target, "");
        assert_eq!(whole.status, 200, "{target}");
        assert!(whole.header("cache-control").unwrap().contains("immutable"), "{target}");
        for (accepted, coding) in [("br", "br"), ("gzip", "gzip"), ("gzip, deflate, br, zstd", "br")] {
            let small = ask(&server, "GET", &target, &format!("Accept-Encoding: {accepted}\r\n"));
            assert_eq!(small.header("content-encoding"), Some(coding), "{target}");
            assert!(small.body.len() < whole.body.len());
            assert_eq!(small.header("vary"), Some("accept-encoding"));
        }
        let tag = whole.header("etag").unwrap().replace("w/", "W/");
        let known = ask(&server, "GET", &target, &format!("If-None-Match: \"other\", {tag}\r\n"));
        assert_eq!((known.status, known.body.len()), (304, 0), "{target}");
        let head = ask(&server, "HEAD", &target, "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
    }
}

#[test]
fn the_settings_name_the_domain_and_the_websocket() {
    let server = Server::start();
    let answer = ask(&server, "GET", "/config.json", "");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let settings: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(settings, serde_json::json!({ "domain": "example.com", "websocket": "/sip" }));
}

#[test]
fn the_settings_name_the_domain_that_sighup_has_brought() {
    let server = Server::start();
    let file = server.folder.join("sipweb.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    fs::write(&file, configuration.replace("\"example.com\"", "\"example.net\"")).unwrap();
    server.signal("HUP");
    server.logs("the configuration was read again");
    let answer = ask(&server, "GET", "/config.json", "");
    let settings: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(settings["domain"], "example.net");
}

#[test]
fn other_pages_may_load_the_library() {
    let server = Server::start();
    let built = ask(&server, "GET", "/", "").status == 200;
    for target in ["/library/sipweb.js", "/library/sipweb.global.js"] {
        let library = ask(&server, "GET", target, "");
        if !built && library.status == 404 {
            continue;
        }
        assert_eq!(library.status, 200);
        assert_eq!(library.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(library.header("access-control-allow-origin"), Some("*"));
        assert_eq!(library.header("cross-origin-resource-policy"), Some("cross-origin"));
    }
    assert_eq!(ask(&server, "GET", "/library/types/index.d.ts", "").status, 404);
}

#[test]
fn what_is_not_there_is_404_and_what_cannot_be_done_405() {
    let server = Server::start();
    for target in ["/nothing", "/assets/", "/../Cargo.toml", "/library/", "/index.html/", "//"] {
        assert_eq!(ask(&server, "GET", target, "").status, 404, "{target}");
    }
    let answer = ask(&server, "POST", "/config.json", "Content-Length: 0\r\n");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("get, head")));
    let answer = ask(&server, "GET", "/sip", "");
    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("websocket")));
}

#[test]
fn a_server_without_the_page_still_gives_the_library_and_nothing_else() {
    let server = Server::start_with("[web]\npage = false");
    for target in ["/", "/index.html", "/config.json"] {
        assert_eq!(ask(&server, "GET", target, "").status, 404, "{target}");
    }
}
