//! How single values are written: times, addresses, ranges, names.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use media::SdesSuite;
use sip::Transport;

use super::MediaNode;
use crate::media_joining::{Anchor, Sdes};

/// A range of ports: `16384-32767`, at least two.
pub(crate) fn port_range(text: &str) -> Result<std::ops::RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
        (*range.start() > 0 && range.end() > range.start()).then_some(range)
    });
    range.ok_or_else(|| format!("{text} is no range of ports, such as 16384-32767"))
}

/// `tls`, `always` or `never`.
pub(crate) fn sdes(text: &str) -> Result<Sdes, String> {
    match text {
        "tls" => Ok(Sdes::Encrypted),
        "always" => Ok(Sdes::Anywhere),
        "never" => Ok(Sdes::Nowhere),
        _ => Err(format!("{text} is none of tls, always and never")),
    }
}

/// `never`, `phones` or `always`.
pub(crate) fn anchor(text: &str) -> Result<Anchor, String> {
    match text {
        "never" => Ok(Anchor::Never),
        "phones" => Ok(Anchor::Phones),
        "always" => Ok(Anchor::Always),
        _ => Err(format!("{text} is none of never, phones and always")),
    }
}

/// The name of an SRTP suite.
pub(crate) fn suite(text: &str) -> Result<SdesSuite, String> {
    SdesSuite::named(text).ok_or_else(|| {
        let names: Vec<&str> = SdesSuite::ALL.iter().map(|suite| suite.name()).collect();
        format!("{text} is no SRTP suite that we have; there are {}", names.join(", "))
    })
}

/// `30s`, `5m`, `1h`, `2d` or `250ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wrong = || {
        format!("\"{text}\" is not a time; write a number and its unit, such as \"30s\", \"5m\" or \"1h\"")
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => Some(number),
        "m" | "min" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        "d" => number.checked_mul(86_400),
        "" => return Err(format!("{text} needs its unit; did you mean \"{number}s\"?")),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

/// A time within bounds.
pub(crate) fn duration_within(least: Duration, most: Duration) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let value = duration(text)?;
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        if most < Duration::from_secs(1) {
            return Err(format!("{text} is outside of what is allowed here: {least:?} to {most:?}"));
        }
        Err(format!(
            "{text} is outside of what is allowed here: {} s to {} s",
            least.as_secs(),
            most.as_secs()
        ))
    }
}

/// An address to listen on: with a port, or without one for `default_port`.
pub(crate) fn listen_address(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, default_port));
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_err() {
            return Err(format!("\"{port}\" is not a port; ports are 0 to 65535"));
        }
        if host.is_empty() || host == "*" {
            return Err(format!(
                "\"{text}\" has no address; \"0.0.0.0:{port}\" is every IPv4 address, \"[::]:{port}\" every IPv6 one"
            ));
        }
    }
    Err(format!(
        "\"{text}\" is not an address to listen on; write an IP address of this machine and a port, such as \
         \"192.0.2.1:{default_port}\" or \"[2001:db8::1]:{default_port}\""
    ))
}

/// A range of addresses: `192.0.2.7` or `192.0.2.0/24`.
pub(crate) fn network(text: &str) -> Result<sip::AddressRange, String> {
    let wrong = || format!("\"{text}\" is neither an IP address nor a range such as \"192.0.2.0/24\"");
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr =
        address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| wrong())?;
    let Some(prefix) = prefix else { return Ok(sip::AddressRange::single(address)) };
    let most = if address.is_ipv4() { 32 } else { 128 };
    match prefix.parse::<u8>() {
        // Whoever is trusted relays without a password: the whole world would make an open relay of the server.
        Ok(0) => {
            Err(format!("\"{text}\" is the whole world, and no server can trust that; name your networks"))
        }
        Ok(prefix) if prefix <= most => Ok(sip::AddressRange { address, prefix }),
        _ => Err(format!("\"/{prefix}\" in \"{text}\" is not 1 to {most}")),
    }
}

/// A host name or an IP address, without port; IPv6 with or without brackets, kept without.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.trim_end_matches('.').split('.').all(label) {
        return Ok(text.trim_end_matches('.').to_ascii_lowercase());
    }
    if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        return Err(format!("\"{text}\" is a name with a port; write the name alone"));
    }
    Err(format!("\"{text}\" is not a host name or an IP address"))
}

/// The server behind an edge: `host`, `host:port`, or a `sip:` URI of one, with `;transport=` if need be.
pub(crate) fn upstream(text: &str) -> Result<proxy::config::Upstream, String> {
    let wrong =
        |what: String| format!("{what}; write it as \"sip:registrar.example.com:5060;transport=tcp\"");
    let (rest, secure) = match text.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (rest, false),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => (rest, true),
        _ => (text, false),
    };
    let mut parts = rest.split(';');
    let place = parts.next().unwrap_or_default();
    let mut transport = secure.then_some(Transport::Tls);
    for parameter in parts {
        transport = Some(match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("transport") => {
                Transport::from_token(value.as_bytes())
                    .filter(|transport| !transport.is_websocket())
                    .ok_or_else(|| {
                        wrong(format!("\"{value}\" is not a transport towards a registrar: udp, tcp or tls"))
                    })?
            }
            _ => return Err(wrong(format!("\";{parameter}\" is not known here"))),
        });
    }
    if place.contains('@') {
        return Err(wrong(format!("\"{place}\" names a user, and the upstream is a server")));
    }
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if place.parse::<IpAddr>().is_err() => match port.parse::<u16>() {
            Ok(port) if port > 0 => (name, Some(port)),
            _ => return Err(wrong(format!("\"{port}\" is not a port"))),
        },
        _ => (place, None),
    };
    let host = host(name).map_err(wrong)?;
    Ok(proxy::config::Upstream { host, port, transport, addresses: Vec::new(), keeps_path: true })
}

/// A server on the way, as it stands in `Route` and `Service-Route`: `<sip:edge.example.com;lr>`.
pub(crate) fn route(text: &str) -> Result<String, String> {
    let is_loose = sip::header::Route::parse(text.as_bytes()).is_ok_and(|route| route.is_loose());
    if is_loose && text.starts_with('<') {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is no way through a server; write it as \"<sip:edge.example.com;lr>\""))
}

/// The ng port of an rtpengine: `udp:host:port`, with `=weight` if need be.
pub(crate) fn media_node(text: &str) -> Result<MediaNode, String> {
    let wrong = |what: String| format!("{what}; write it as \"udp:10.0.0.5:2223\"");
    let Some(rest) = text.strip_prefix("udp:") else {
        return Err(wrong(format!("\"{text}\" does not begin with udp:, which is how rtpengine is asked")));
    };
    let (place, weight) = match rest.split_once('=') {
        Some((place, weight)) => {
            let weight = weight.parse().ok().filter(|weight| (1..=1000).contains(weight));
            (
                place,
                weight.ok_or_else(|| wrong(format!("the weight in \"{text}\" is not between 1 and 1000")))?,
            )
        }
        None => (rest, 1),
    };
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if place.parse::<IpAddr>().is_err() => (name, port),
        _ => return Err(wrong(format!("\"{text}\" has no port"))),
    };
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| wrong(format!("\"{text}\" has no port between 1 and 65535")))?;
    Ok(MediaNode { host: host(name).map_err(wrong)?, port, weight })
}

/// The origin of a page, as browsers send it: scheme, host, and the port if it is not the usual one.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let wrong = || {
        format!(
            "\"{text}\" is not an origin; write scheme and host as browsers do, such as \"https://www.example.com\""
        )
    };
    let place = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).ok_or_else(wrong)?;
    if place.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong());
    }
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if !place.ends_with(']') => (name, Some(port)),
        _ => (place, None),
    };
    if host(name).is_err() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(wrong());
    }
    let usual = if lower.starts_with("https") { ":443" } else { ":80" };
    Ok(lower.strip_suffix(usual).unwrap_or(&lower).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30"), Err("30 needs its unit; did you mean \"30s\"?".to_owned()));
        for wrong in ["", "s", "-1s", "1.5h", "1 year", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listen_addresses_are_addresses() {
        let parse = |text| listen_address(text, 5060);
        assert_eq!(parse("127.0.0.1:5080"), Ok("127.0.0.1:5080".parse().unwrap()));
        assert_eq!(parse("192.0.2.1"), Ok("192.0.2.1:5060".parse().unwrap()));
        assert_eq!(parse("::1"), Ok("[::1]:5060".parse().unwrap()));
        assert_eq!(parse("[2001:db8::1]:0"), Ok("[2001:db8::1]:0".parse().unwrap()));
        assert!(parse("127.0.0.1:99999").unwrap_err().contains("\"99999\" is not a port"));
        assert!(parse(":5060").unwrap_err().contains("0.0.0.0:5060"));
        assert!(parse("example.com:5060").unwrap_err().contains("not an address"));
    }

    #[test]
    fn ranges_of_addresses() {
        assert_eq!(network("192.0.2.7"), Ok(sip::AddressRange::single("192.0.2.7".parse().unwrap())));
        assert!(network("2001:db8::/32").unwrap().contains("2001:db8::1".parse().unwrap()));
        for wrong in ["192.0.2.0/33", "192.0.2.0/", "example.com", "/8"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn upstreams_in_all_their_forms() {
        let parse = |text| upstream(text).map(|found| (found.host, found.port, found.transport));
        let name = "pbx.example.com".to_owned();
        assert_eq!(parse("pbx.example.com"), Ok((name.clone(), None, None)));
        assert_eq!(parse("PBX.example.com:5070"), Ok((name.clone(), Some(5070), None)));
        assert_eq!(
            parse("sip:pbx.example.com;transport=TCP"),
            Ok((name.clone(), None, Some(Transport::Tcp)))
        );
        assert_eq!(parse("sips:pbx.example.com"), Ok((name, None, Some(Transport::Tls))));
        assert_eq!(parse("[2001:db8::1]:5060"), Ok(("2001:db8::1".to_owned(), Some(5060), None)));
        assert_eq!(parse("2001:db8::1"), Ok(("2001:db8::1".to_owned(), None, None)));
        for wrong in ["", "sip:bob@example.com", "a b", "host:0", "host:x", "host;transport=ws", "host;lr"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn routes_are_loose_and_in_brackets() {
        assert!(route("<sip:edge.example.com;lr>").is_ok());
        for wrong in ["sip:edge.example.com;lr", "<sip:edge.example.com>", "edge", "<sip:a b;lr>"] {
            assert!(route(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rtpengine_nodes_with_and_without_a_weight() {
        let node = |host: &str, port, weight| Ok(MediaNode { host: host.to_owned(), port, weight });
        assert_eq!(media_node("udp:10.0.0.5:2223"), node("10.0.0.5", 2223, 1));
        assert_eq!(media_node("udp:media.example.com:2223=3"), node("media.example.com", 2223, 3));
        assert_eq!(media_node("udp:[2001:db8::5]:2223"), node("2001:db8::5", 2223, 1));
        for wrong in
            ["10.0.0.5:2223", "udp:10.0.0.5", "udp:2001:db8::5", "udp:a:0", "udp:a:b", "udp:a:1=0", "udp::1"]
        {
            assert!(media_node(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_as_browsers_write_them() {
        assert_eq!(origin("https://WWW.example.com"), Ok("https://www.example.com".to_owned()));
        assert_eq!(origin("https://www.example.com:443"), Ok("https://www.example.com".to_owned()));
        assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".to_owned()));
        assert_eq!(origin("http://[::1]:3000"), Ok("http://[::1]:3000".to_owned()));
        for wrong in ["example.com", "https://example.com/", "ftp://example.com", "https://", "null"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
