//! Which pages may open a WebSocket.
//!
//! A browser lets any page open a WebSocket to any server and says in `Origin` which page it is (RFC 6455 §10.2,
//! RFC 7118 §10). The server decides: its own page may, pages on this machine may (a developer's, and no other
//! machine's page can claim such a name), configured ones may. What is no browser sends no `Origin`.

use std::net::IpAddr;

use crate::configuration::Origins;

/// Whether a page of `origin` may connect to the server that the browser knows as `host`.
pub(crate) fn may_connect(origin: Option<&[u8]>, host: Option<&[u8]>, configured: &Origins) -> bool {
    let Some(origin) = origin else { return true };
    let Origins::These(configured) = configured else { return true };
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let origin = origin.to_ascii_lowercase();
    if configured.contains(&origin) {
        return true;
    }
    // "null" is a page without an origin: a file, or a sandboxed frame of any site.
    let Some((_, place)) = origin.split_once("://") else { return false };
    let name = without_port(place);
    is_loopback(name)
        || host.is_some_and(|host| without_port_bytes(host).eq_ignore_ascii_case(name.as_bytes()))
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The host of `host:port`, IPv6 with its brackets.
fn without_port(place: &str) -> &str {
    match place.rsplit_once(':') {
        Some((name, _)) if !place.ends_with(']') => name,
        _ => place,
    }
}

fn without_port_bytes(place: &[u8]) -> &[u8] {
    std::str::from_utf8(place).map_or(place, |place| without_port(place).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: &str, host: &str) -> bool {
        let configured = Origins::These(vec!["https://shop.example.com".to_owned()]);
        may_connect(Some(origin.as_bytes()), Some(host.as_bytes()), &configured)
    }

    #[test]
    fn the_page_of_this_server_may_whatever_the_port() {
        assert!(allowed("https://sip.example.com", "sip.example.com"));
        assert!(allowed("https://SIP.example.com:8443", "sip.Example.com:8443"));
        assert!(allowed("http://192.0.2.1:8080", "192.0.2.1:8080"));
        assert!(allowed("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"));
        // A page may be served over https on one port and connect to another.
        assert!(allowed("https://sip.example.com", "sip.example.com:8443"));
    }

    #[test]
    fn pages_of_this_machine_may() {
        for origin in
            ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]", "http://phone.localhost"]
        {
            assert!(allowed(origin, "sip.example.com"), "{origin}");
        }
    }

    #[test]
    fn configured_pages_may_and_others_may_not() {
        assert!(allowed("https://shop.example.com", "sip.example.com"));
        for origin in [
            "http://shop.example.com",
            "https://evil.example",
            "https://sip.example.com.evil.example",
            "https://localhost.evil.example",
            "https://evil.example:443@sip.example.com",
            "null",
            "",
        ] {
            assert!(!allowed(origin, "sip.example.com"), "{origin}");
        }
        assert!(!may_connect(Some(b"\xff"), Some(b"\xff"), &Origins::These(Vec::new())));
        assert!(may_connect(Some(b"https://evil.example"), None, &Origins::Any));
    }

    #[test]
    fn programs_that_are_no_browsers_may() {
        assert!(may_connect(None, Some(b"sip.example.com"), &Origins::These(Vec::new())));
    }
}
