//! From the values of a file to a configuration, or to all that is wrong with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::{ListenerConfig, Protocol};
use sip::digest::Algorithm;

use super::error::Problem;
use super::file::{File, Placed};
use super::{
    Configuration, Media, Origins, Protocols, Web, acme, bad_ports, events, ice, loopback_listeners,
    registrar, routing, stir, tls, tokens, trunks, values,
};
use crate::log::Level;
use crate::media_joining::Anchor;

const DAY: Duration = Duration::from_secs(86_400);

/// Checks the whole text. Relative paths are relative to `folder`.
pub(super) fn check(text: &str, folder: &Path) -> Result<Configuration, Vec<Problem>> {
    let mut file = File::parse(text);
    let file = &mut file;
    let data = data(file, folder);
    let advertise = file.parsed("listen", "advertise", values::host).map(|host| host.value);
    let listeners = listeners(file);
    let (web, proxy) = (web(file), proxy_part(file, folder));
    let signs = stir::Uses::of(&proxy.trunks);
    let configuration = Configuration {
        file: None,
        tokens: tokens::tokens(file, folder, &proxy.domains, &web.origins),
        ice: ice::ice(file, folder, proxy.registrar.maximum_expiry),
        stir: stir::stir(file, folder, &signs),
        loops: file.number("", "loops", 0..net::MOST_LOOPS + 1).unwrap_or(1),
        acme: acme::acme(file, folder, &data, &listeners),
        listeners,
        tls: tls::tls(file, folder, &data, advertise.as_deref()),
        web,
        proxy,
        media: media(file),
        limits: limits(file),
        calls: file.text("log", "calls").map(|path| folder.join(path.value)),
        level: file.parsed("log", "level", level).map_or(Level::Info, |level| level.value),
        data,
        advertise,
    };
    let last_port = usize::from(configuration.media.port) + configuration.loops() - 1;
    if let (Some(place), true) = (file.place("media", "port"), last_port > usize::from(u16::MAX)) {
        file.report(
            place,
            format!("{} event loops need as many ports from this one on", configuration.loops()),
        );
    }
    if file.is_wrong() {
        let file = std::mem::replace(file, File::parse(""));
        return Err(file.problems());
    }
    Ok(configuration)
}

fn data(file: &mut File<'_>, folder: &Path) -> PathBuf {
    let data = file.text("", "data");
    if let Some(empty) = data.as_ref().filter(|data| data.value.is_empty()) {
        let message = "data is a folder; leave the line out for \"sipweb-data\" beside this file";
        file.report(empty.span.clone(), message.to_owned());
    }
    folder.join(data.map_or_else(|| "sipweb-data".to_owned(), |data| data.value))
}

fn listeners(file: &mut File<'_>) -> Vec<ListenerConfig> {
    let mut found: Vec<Placed<ListenerConfig>> = Vec::new();
    let mut named = false;
    for protocol in Protocols::ALL {
        let key = Protocols::key(protocol);
        let parse = |text: &str| values::listen_address(text, Protocols::default_port(protocol));
        let Some(addresses) = file.all_parsed("listen", key, parse) else { continue };
        named = true;
        for Placed { value: address, span } in addresses {
            if let Some(other) = found.iter().find(|other| collide(&other.value, protocol, address)) {
                let message = format!(
                    "{address} for {key} collides with {} for {}; give one of them another port",
                    other.value.address,
                    Protocols::key(other.value.protocol)
                );
                file.report(span.clone(), message);
            }
            if let Some(message) = bad_ports::objection(protocol, address.port()) {
                file.report(span.clone(), message);
            }
            if address.ip().is_multicast() {
                file.report(span.clone(), format!("{} is a multicast address", address.ip()));
            }
            found.push(Placed { value: ListenerConfig::new(protocol, address), span });
        }
    }
    if !named {
        return loopback_listeners();
    }
    if found.is_empty() && !file.is_wrong() {
        let place =
            Protocols::ALL.into_iter().find_map(|protocol| file.place("listen", Protocols::key(protocol)));
        file.report(
            place.unwrap_or_default(),
            "the server would listen nowhere; name at least one address".to_owned(),
        );
    }
    found.into_iter().map(|placed| placed.value).collect()
}

/// Whether two listeners cannot both have their sockets. All but UDP share the ports of TCP.
fn collide(one: &ListenerConfig, protocol: Protocol, address: SocketAddr) -> bool {
    let datagrams = |protocol: Protocol| protocol == Protocol::Udp;
    let same_ports = datagrams(one.protocol) == datagrams(protocol);
    let same_family = one.address.is_ipv4() == address.is_ipv4();
    let overlap = one.address.ip() == address.ip()
        || one.address.ip().is_unspecified()
        || address.ip().is_unspecified();
    same_ports && same_family && overlap && address.port() != 0 && one.address.port() == address.port()
}

fn web(file: &mut File<'_>) -> Web {
    let page = file.truth("web", "page").unwrap_or(true);
    let any = file.texts("web", "origins").unwrap_or_default().iter().any(|origin| origin.value == "*");
    let origins = if any {
        Origins::Any
    } else {
        let origins = file.all_parsed("web", "origins", values::origin).unwrap_or_default();
        Origins::These(origins.into_iter().map(|origin| origin.value).collect())
    };
    Web { page, origins }
}

fn media(file: &mut File<'_>) -> Media {
    let mut media = Media::default();
    media.gateway = file.truth("media", "gateway").unwrap_or(media.gateway);
    if let Some(port) = file.number("media", "port", 0..65_536).and_then(|port| u16::try_from(port).ok()) {
        if bad_ports::is_bad(port) {
            let message =
                format!("no browser sends to port {port}: it is among the bad ports of the Fetch standard");
            file.report(file.place("media", "port").unwrap_or_default(), message);
        }
        media.port = port;
    }
    if let Some(ports) = file.parsed("media", "ports", values::port_range) {
        media.ports = ports.value;
    }
    if let Some(sdes) = file.parsed("media", "sdes", values::sdes) {
        media.sdes = sdes.value;
    }
    if let Some(suites) = file.all_parsed("media", "sdes_suites", values::suite) {
        media.suites = suites.into_iter().map(|suite| suite.value).collect();
    }
    media.transcoding = file.truth("media", "transcoding").unwrap_or(media.transcoding);
    media.digits_to_pages = file.truth("media", "digits_to_pages").unwrap_or(media.digits_to_pages);
    let address = |text: &str| text.parse().map_err(|_| format!("{text} is no IP address"));
    for public in file.all_parsed("media", "public_address", address).unwrap_or_default() {
        let address: std::net::IpAddr = public.value;
        if media.advertise.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
            file.report(public.span, format!("{address} is the second public address of its family"));
        } else if address.is_unspecified() || address.is_loopback() {
            file.report(public.span, format!("nobody else reaches {address}"));
        } else {
            media.advertise.push(address);
        }
    }
    media.udp = file.truth("media", "browser_udp").unwrap_or(media.udp);
    media.tcp = file.truth("media", "browser_tcp").unwrap_or(media.tcp);
    if !media.udp && !media.tcp {
        let place = file
            .place("media", "browser_tcp")
            .or_else(|| file.place("media", "browser_udp"))
            .unwrap_or_default();
        file.report(place, "neither UDP nor TCP: browsers could not send anything".to_owned());
    }
    if let Some(nodes) = file.all_parsed("media", "rtpengine", values::media_node) {
        for (index, node) in nodes.iter().enumerate() {
            let place = (&node.value.host, node.value.port);
            if nodes.iter().take(index).any(|other| (&other.value.host, other.value.port) == place) {
                file.report(node.span.clone(), format!("{}:{} is there twice", place.0, place.1));
            }
        }
        media.rtpengine = nodes.into_iter().map(|node| node.value).collect();
    }
    if let Some(anchor) = file.parsed("media", "anchor", values::anchor) {
        let needs_fleet = anchor.value == Anchor::Always && media.rtpengine.is_empty();
        if needs_fleet {
            let message = "always needs rtpengine: the built-in gateway anchors calls between phones only; write phones";
            file.report(anchor.span, message.to_owned());
        } else if anchor.value != Anchor::Never && !media.gateway {
            file.report(
                anchor.span,
                "nothing goes through a gateway that is switched off (gateway)".to_owned(),
            );
        }
        media.anchor = anchor.value;
    }
    media
}

fn proxy_part(file: &mut File<'_>, folder: &Path) -> proxy::Config {
    let domains = file.all_parsed("", "domain", values::host);
    if let (Some([]), Some(place)) = (domains.as_deref(), file.place("", "domain"))
        && !file.is_wrong()
    {
        file.report(place, "there must be a domain; leave the line out for \"localhost\"".to_owned());
    }
    let domains = domains.unwrap_or_default().into_iter().map(|domain| domain.value).collect::<Vec<_>>();
    let registrar = registrar::registrar(file);
    let flow_tokens = registrar::flow_tokens(file, registrar.maximum_expiry);
    let mut config = proxy::Config {
        domains: if domains.is_empty() { vec!["localhost".to_owned()] } else { domains },
        authentication: authentication(file),
        registrar,
        forking: routing::forking(file),
        next_hop: routing::next_hop(file),
        strangers: routing::strangers(file),
        identity: routing::identity(file),
        session_timers: routing::session_timers(file),
        guests: routing::guests(file),
        trunks: trunks::trunks(file, folder),
        events: events::events(file),
        messages: events::messages(file),
        flow_tokens,
        ..proxy::Config::default()
    };
    let upstream = file.parsed("edge", "upstream", values::upstream);
    let addresses = file.all_parsed("edge", "addresses", values::network);
    let keeps_path = file.truth("edge", "keeps_path");
    match (upstream, addresses, file.place("edge", "addresses")) {
        (Some(upstream), addresses, _) => {
            let addresses = addresses.unwrap_or_default().into_iter().map(|address| address.value).collect();
            config.role = proxy::config::Role::Edge {
                upstream: proxy::config::Upstream {
                    addresses,
                    keeps_path: keeps_path.unwrap_or(true),
                    ..upstream.value
                },
            };
        }
        (None, Some(addresses), Some(place)) if !addresses.is_empty() && !file.is_wrong() => {
            file.report(place, "addresses of the upstream without an upstream; set upstream too".to_owned());
        }
        _ if keeps_path == Some(false) && !file.is_wrong() => {
            if let Some(place) = file.place("edge", "keeps_path") {
                let message =
                    "keeps_path says something of the upstream, and there is none; set upstream too";
                file.report(place, message.to_owned());
            }
        }
        _ => {}
    }
    let trusted = file.all_parsed("peers", "trusted", values::network).unwrap_or_default();
    config.trusted_peers = trusted.into_iter().map(|peer| peer.value).collect();
    let shown = file.all_parsed("peers", "trusted_certificates", values::host).unwrap_or_default();
    config.trusted_certificates = shown.into_iter().map(|domain| domain.value).collect();
    config.accept_from_strangers = file.truth("peers", "strangers").unwrap_or(config.accept_from_strangers);
    // The loop rings alarms up to 16 ms late (RFC 3261 §17.2.1 allows 200 ms in all).
    let trying = values::duration_within(Duration::ZERO, Duration::from_millis(200));
    let trying = file.parsed("timers", "trying_after", trying);
    config.trying_after = trying.map_or(Duration::from_millis(180), |found| found.value);
    config.timer_c = routing::ring_time(file).unwrap_or(config.timer_c);
    let limits = &mut config.limits;
    for (key, limit) in [
        ("transactions", &mut limits.transactions),
        ("transactions_per_source", &mut limits.transactions_per_source),
        ("bindings", &mut limits.bindings),
    ] {
        *limit = file.number("limits", key, 1..1_000_000_001).unwrap_or(*limit);
    }
    let calls = file.number("limits", "account_calls", 0..1_000_001);
    if let Some(calls) = calls.and_then(|calls| u32::try_from(calls).ok()) {
        limits.calls_elsewhere = calls;
    }
    config
}

fn authentication(file: &mut File<'_>) -> proxy::config::Authentication {
    let mut authentication = proxy::config::Authentication::default();
    let realm = |text: &str| {
        store::User::check_realm(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
    };
    if let Some(realm) = file.parsed("authentication", "realm", realm) {
        authentication.realm = realm.value;
    }
    if let Some(algorithms) = file.all_parsed("authentication", "algorithms", algorithm) {
        if algorithms.is_empty() && !file.is_wrong() {
            let place = file.place("authentication", "algorithms").unwrap_or_default();
            file.report(place, "there must be an algorithm, or nobody could sign in".to_owned());
        }
        for (index, repeated) in algorithms.iter().enumerate() {
            if algorithms[..index].iter().any(|earlier| earlier.value == repeated.value) {
                file.report(repeated.span.clone(), "this algorithm is already in the list".to_owned());
            }
        }
        authentication.algorithms = algorithms.into_iter().map(|algorithm| algorithm.value).collect();
    }
    if let Some(clients) = file.texts("authentication", "md5_only_clients") {
        authentication.md5_only_clients = clients.into_iter().map(|client| client.value).collect();
    }
    authentication.tokens = tokens::for_the_proxy(file);
    let lifetime = values::duration_within(Duration::from_secs(10), DAY);
    if let Some(lifetime) = file.parsed("authentication", "nonce_lifetime", lifetime) {
        authentication.nonce_lifetime = lifetime.value;
    }
    authentication
}

fn limits(file: &mut File<'_>) -> net::Limits {
    let balancers = file.all_parsed("listen", "balancers", values::network).unwrap_or_default();
    let mut limits = net::Limits {
        balancers: balancers.into_iter().map(|range| range.value).collect(),
        ..net::Limits::default()
    };
    for (key, limit) in [
        ("connections", &mut limits.connections),
        ("connections_per_source", &mut limits.connections_per_source),
    ] {
        *limit = file.number("limits", key, 1..1_000_000_001).unwrap_or(*limit);
    }
    limits
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    match text.to_ascii_uppercase().as_str() {
        "MD5" => Ok(Algorithm::Md5),
        "SHA-256" => Ok(Algorithm::Sha256),
        "SHA-512-256" => Ok(Algorithm::Sha512_256),
        _ => Err(format!("\"{text}\" is not an algorithm; known are SHA-512-256, SHA-256 and MD5")),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text)
        .ok_or_else(|| format!("\"{text}\" is not a level; known are error, warning, info and debug"))
}

#[cfg(test)]
mod tests {
    use super::super::keys::{example, tests::example_switched_on};
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match check(text, Path::new("")) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .into_iter()
                .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message))
                .collect(),
        }
    }

    fn shown(text: &str) -> String {
        format!("{:?}", check(text, Path::new("")).unwrap())
    }

    #[test]
    fn the_example_changes_nothing_and_what_it_calls_the_default_is_the_default() {
        assert_eq!(shown(&example()), shown(""));
        // Where loopback has no IPv6, the default leaves it out, and the written line would not.
        let mut written = example_switched_on(false);
        if loopback_listeners().len() < 10 {
            for port in [5060, 5061, 8080, 8443] {
                written = written.replace(&format!(", \"[::1]:{port}\""), "");
            }
        }
        assert_eq!(shown(&written), shown(""));
    }

    #[test]
    fn the_example_of_every_key_is_understood() {
        let found = problems(&example_switched_on(true));
        assert!(found.iter().all(|problem| problem.contains("/etc/ssl/")), "{found:#?}");
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known_one() {
        assert_eq!(
            problems("domains = \"example.com\""),
            ["1:1: unknown key \"domains\"; did you mean \"domain\"?"]
        );
        assert_eq!(
            problems("[listen]\nudp = \"127.0.0.1\"\n  upd = \"127.0.0.1\""),
            ["3:3: unknown key \"upd\" in [listen]; did you mean \"udp\"?"]
        );
        assert_eq!(
            problems("[register]\n"),
            ["1:2: unknown section [register]; did you mean \"registrar\"?"]
        );
        assert_eq!(
            problems("[web]\nrealm = \"x\""),
            ["2:1: unknown key \"realm\" in [web]; it belongs to [authentication]"]
        );
        assert_eq!(problems("realm = \"x\""), ["1:1: unknown key \"realm\"; it belongs to [authentication]"]);
        assert_eq!(
            problems("[tls]\ncolour = 1"),
            [
                "2:1: unknown key \"colour\" in [tls]; known here: certificate, key, trust, client_authorities, \
              client_certificate, client_listeners"
            ]
        );
    }

    #[test]
    fn all_problems_are_told_at_once_in_the_order_of_the_file() {
        let found = problems("data = 7\n[registrar]\nflow_grace = 30\n[log]\nlevel = \"loud\"\n");
        assert_eq!(
            found,
            [
                "1:8: data is a text in quotes, and this is a whole number",
                "3:14: 30 needs its unit; did you mean \"30s\"?",
                "5:9: \"loud\" is not a level; known are error, warning, info and debug",
            ]
        );
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(
            problems("domain = [\"ä\", 1]")[1],
            "1:16: domain is a list of texts in quotes, and this is a whole number"
        );
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_where() {
        let found = problems("[listen\nudp = \"127.0.0.1:5060\"\n");
        assert!(found[0].starts_with("1:"), "{found:?}");
        let found = problems("[log]\nlevel = \"info\"\nlevel = \"debug\"\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("3:1: ") && found[0].contains("duplicate"), "{found:?}");
    }

    #[test]
    fn two_listeners_cannot_share_a_port_but_udp_and_tcp_can() {
        assert!(problems("[listen]\nudp = \"127.0.0.1:5060\"\ntcp = \"127.0.0.1:5060\"").is_empty());
        assert!(problems("[listen]\nudp = [\"127.0.0.1:0\", \"127.0.0.1:0\"]").is_empty());
        assert!(problems("[listen]\ntcp = \"0.0.0.0:5060\"\ntls = \"[::]:5060\"").is_empty());
        let expected = "collides with 127.0.0.1:8080 for http; give one of them another port";
        assert_eq!(
            problems("[listen]\nhttp = \"127.0.0.1:8080\"\nhttps = [\"0.0.0.0:8080\"]"),
            [format!("3:10: 0.0.0.0:8080 for https {expected}")]
        );
    }

    #[test]
    fn ports_that_browsers_block_are_refused_with_the_reason() {
        let found = problems("[listen]\nhttp = [\"127.0.0.1:8080\", \"127.0.0.1:6666\"]");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("2:27: no browser connects to port 6666"), "{found:?}");
        assert!(problems("[listen]\nudp = \"127.0.0.1:5061\"").is_empty());
    }

    #[test]
    fn listening_nowhere_is_a_mistake() {
        assert_eq!(
            problems("[listen]\nudp = []"),
            ["2:7: the server would listen nowhere; name at least one address"]
        );
    }

    #[test]
    fn a_certificate_and_its_key_come_together_and_must_be_there() {
        let found = problems("[tls]\ncertificate = \"a.pem\"");
        assert_eq!(found, ["2:15: a certificate needs its private key: set key too"]);
        let found = problems("[tls]\ncertificate = \"/nowhere/a.pem\"\nkey = \"/nowhere/a.key\"");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("/nowhere/a."), "{found:?}");
    }

    #[test]
    fn which_calls_are_anchored_is_one_of_three_words_and_always_needs_rtpengine() {
        let anchored = |text: &str| check(text, Path::new("")).unwrap().media.anchor;
        assert_eq!(anchored(""), Anchor::Never);
        assert_eq!(anchored("[media]\nanchor = \"phones\""), Anchor::Phones);
        assert_eq!(
            anchored("[media]\nanchor = \"always\"\nrtpengine = [\"udp:10.0.0.5:2223\"]"),
            Anchor::Always
        );
        assert!(problems("[media]\nanchor = \"sometimes\"")[0].contains("never, phones and always"));
        assert!(problems("[media]\nanchor = \"always\"")[0].contains("needs rtpengine"));
        assert!(problems("[media]\ngateway = false\nanchor = \"phones\"")[0].contains("switched off"));
    }

    #[test]
    fn a_server_with_one_written_port_for_browsers_has_one_loop_unless_their_number_is_written() {
        let loops = |text: &str| check(text, Path::new("")).unwrap().loops();
        assert_eq!(loops(""), 1);
        assert_eq!(loops("loops = 3"), 3);
        assert_eq!(loops("loops = 0\n[media]\nport = 40000"), 1);
        assert_eq!(loops("loops = 3\n[media]\nport = 40000"), 3);
        assert_eq!(loops("loops = 0\n[media]\nports = \"20000-20099\""), 1);
        let cores = loops("loops = 0\n[media]\ngateway = false");
        assert_eq!(loops("loops = 0\n[media]\nport = 40000\nrtpengine = [\"udp:10.0.0.5:2223\"]"), cores);
        assert_eq!(problems("loops = 129"), ["1:9: loops is a whole number from 0 to 128"]);
        assert_eq!(
            problems("loops = 4\n[media]\nport = 65533"),
            ["3:8: 4 event loops need as many ports from this one on"]
        );
    }

    #[test]
    fn one_line_makes_an_edge() {
        let config = check("[edge]\nupstream = \"pbx.example.com\"", Path::new("")).unwrap();
        assert!(
            matches!(config.proxy.role, proxy::config::Role::Edge { upstream } if upstream.host == "pbx.example.com")
        );
        assert_eq!(problems("[edge]\naddresses = [\"192.0.2.1\"]").len(), 1);
        let config = check("[edge]\nupstream = \"pbx\"\nkeeps_path = false", Path::new("")).unwrap();
        assert!(matches!(config.proxy.role, proxy::config::Role::Edge { upstream } if !upstream.keeps_path));
        assert_eq!(
            problems("[edge]\nkeeps_path = false"),
            ["2:14: keeps_path says something of the upstream, and there is none; set upstream too"]
        );
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(
            problems("[registrar]\nmax_contacts = 0"),
            ["2:16: max_contacts is a whole number from 1 to 1000"]
        );
        assert_eq!(problems("[limits]\nbindings = -1").len(), 1);
        assert!(problems("[limits]\nbindings = 0x10").is_empty());
    }
}
