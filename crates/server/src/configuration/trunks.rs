//! What the configuration says of groups of servers, of routes and of numbers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proxy::trunk_settings::{
    Action, Domain, Group, Incoming, Numbers, Pattern, Route, Server, Source, Trunks,
};

use super::file::{File, Placed};
use super::{accounts, stir, values};

/// The most characters that a route may take off a number, or put before it.
const LONGEST: usize = 32;

pub(super) fn trunks(file: &mut File<'_>, folder: &Path) -> Trunks {
    let mut trunks = Trunks { numbers: numbers(file), ..Trunks::default() };
    for name in file.names("upstreams") {
        if let Err(message) = group_name(&name.value) {
            file.report(name.span.clone(), message);
            continue;
        }
        let section = format!("upstreams.{}", name.value);
        trunks.groups.push(Arc::new(group(file, &section, name, folder)));
    }
    for place in 0..file.count("routes") {
        let route = route(file, &format!("routes.{place}"), &trunks.groups);
        trunks.routes.extend(route);
    }
    let first = file.names("upstreams").into_iter().map(|name| name.span).next();
    let first = first.or_else(|| file.whole("routes.0"));
    if let (Some(span), true) = (first, file.place("edge", "upstream").is_some()) {
        file.report(
            span,
            "an edge sends everything to its one upstream ([edge]), and has no routes".to_owned(),
        );
    }
    trunks
}

fn numbers(file: &mut File<'_>) -> Numbers {
    let mut numbers = Numbers::default();
    for (key, value) in [
        ("country", &mut numbers.country),
        ("national", &mut numbers.national),
        ("international", &mut numbers.international),
    ] {
        if let Some(found) = file.parsed("numbers", key, dialled) {
            *value = found.value;
        }
    }
    let length = file.number("numbers", "length", 4..LONGEST + 1);
    numbers.length = length.unwrap_or_default();
    if length.is_none() && numbers.national.is_empty() && !file.is_wrong() {
        let place = file.place("numbers", "national").unwrap_or_default();
        let message =
            "with nothing dialled before them, numbers are known by their length; set numbers.length too";
        file.report(place, message.to_owned());
    }
    numbers
}

fn group(file: &mut File<'_>, section: &str, name: Placed<String>, folder: &Path) -> Group {
    let servers = file.all_parsed(section, "servers", server);
    if servers.as_ref().is_none_or(Vec::is_empty) && !file.is_wrong() {
        let place = file.place(section, "servers").unwrap_or_else(|| name.span.clone());
        file.report(place, "there must be a server: servers = [\"sip:10.0.0.5:5060\"]".to_owned());
    }
    let servers = servers.unwrap_or_default();
    for (index, server) in servers.iter().enumerate() {
        if servers.iter().take(index).any(|other| other.value.to_string() == server.value.to_string()) {
            file.report(server.span.clone(), format!("{} is there twice", server.value));
        }
    }
    let incoming = file.parsed(section, "incoming", incoming);
    let trusted = file.truth(section, "trusted").unwrap_or(false);
    if let Some(anywhere) = incoming.as_ref().filter(|found| found.value == Incoming::Anywhere && !trusted) {
        let message = "whoever relays through this server must be trusted: trusted = true";
        file.report(anywhere.span.clone(), message.to_owned());
    }
    let addresses = file.all_parsed(section, "addresses", values::network).unwrap_or_default();
    let certificates = file.all_parsed(section, "certificates", values::host).unwrap_or_default();
    if let (Some(first), None) = (certificates.first(), file.place("tls", "client_authorities")) {
        file.report(first.span.clone(), super::tls::NOT_ASKED.to_owned());
    }
    let probe = values::duration_within(Duration::ZERO, Duration::from_secs(3600));
    let probe = file.parsed(section, "probe", probe).map_or(Duration::from_secs(30), |probe| probe.value);
    Group {
        name: name.value,
        servers: servers.into_iter().map(|server| server.value).collect(),
        domain: file.parsed(section, "domain", values::host).map(|domain| domain.value),
        addresses: addresses.into_iter().map(|address| address.value).collect(),
        certificates: certificates.into_iter().map(|domain| domain.value).collect(),
        trusted,
        incoming: incoming.map_or_else(Incoming::default, |incoming| incoming.value),
        incoming_to: file.parsed(section, "incoming_to", user).map(|user| user.value),
        probe: Some(probe).filter(|probe| !probe.is_zero()),
        account: accounts::account(file, section, folder),
        signing: stir::signing(file, section),
        verification: stir::verification(file, section),
    }
}

/// A route, if it leads anywhere.
fn route(file: &mut File<'_>, section: &str, groups: &[Arc<Group>]) -> Option<Route> {
    let named = |name: &str| {
        groups.iter().any(|group| group.name == name).then(|| name.to_owned()).ok_or_else(|| {
            let known: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("there is no [upstreams.{name}]; there is {known}")
        })
    };
    let source = |text: &str| match (text, text.strip_prefix("upstream:")) {
        ("users", _) => Ok(Source::Users),
        ("strangers", _) => Ok(Source::Strangers),
        (_, Some(name)) => named(name).map(Source::Group),
        _ => values::network(text)
            .map(Source::Addresses)
            .map_err(|message| format!("{message}; other sources are users, strangers and upstream:NAME")),
    };
    let to = |text: &str| match (text, text.strip_prefix("upstream:"), text.strip_prefix("user:")) {
        ("users", ..) => Ok(Action::Users),
        (_, Some(name), _) => named(name).map(Action::Group),
        (_, _, Some(name)) => user(name).map(Action::User),
        _ => Err(format!("\"{text}\" leads nowhere; write upstream:NAME, users or user:NAME")),
    };
    let mut values = |key, parse: fn(&str) -> Result<String, String>| -> Vec<String> {
        let found = file.all_parsed(section, key, parse).unwrap_or_default();
        found.into_iter().map(|found| found.value).collect()
    };
    let prefixes = values("prefix", prefix);
    let methods = values("method", method);
    let sources = file.all_parsed(section, "source", source).unwrap_or_default();
    let domains = file.all_parsed(section, "domain", domain).unwrap_or_default();
    let headers = file.all_parsed(section, "header", header).unwrap_or_default();
    let strip = file.number(section, "strip", 0..LONGEST + 1).unwrap_or(0);
    let prepend = file.parsed(section, "prepend", prepended).map(|found| found.value).unwrap_or_default();
    let without_password = file.truth(section, "without_password").unwrap_or(false);
    let (to_place, reject_place) = (file.place(section, "to"), file.place(section, "reject"));
    let whole = file.whole(section).unwrap_or_default();
    let to = file.parsed(section, "to", to);
    let reject = file.written(section, "reject").and_then(|found| match reject(&found.value) {
        Ok(action) => Some(action),
        Err(message) => {
            file.report(found.span, message);
            None
        }
    });
    match (&to_place, &reject_place) {
        (None, None) => file.report(whole, "a route leads somewhere: write to or reject".to_owned()),
        (Some(_), Some(span)) => {
            file.report(span.clone(), "a route has to or reject, and not both".to_owned());
        }
        _ => {}
    }
    let action = to.map(|to| to.value).or(reject)?;
    let changes = file.place(section, "strip").or_else(|| file.place(section, "prepend"));
    if let (Some(span), Action::Reject(..) | Action::User(_)) = (changes, &action) {
        file.report(span, "the number plays no role where this route leads".to_owned());
    }
    let open = |source: &Source| matches!(source, Source::Users | Source::Strangers);
    let closed = !sources.is_empty() && !sources.iter().any(|source| open(&source.value));
    // What is wrong with a source is told already.
    let unread = sources.is_empty() && file.place(section, "source").is_some();
    if without_password && !unread && !(closed && matches!(action, Action::Group(_))) {
        let place = file.place(section, "without_password").unwrap_or_default();
        let message = "only for a route to an upstream, whose source says who: addresses, or upstream:NAME";
        file.report(place, message.to_owned());
    }
    Some(Route {
        domains: domains.into_iter().map(|domain| domain.value).collect(),
        prefixes,
        sources: sources.into_iter().map(|source| source.value).collect(),
        headers: headers.into_iter().map(|header| header.value).collect(),
        methods,
        strip,
        prepend,
        without_password,
        action,
    })
}

fn group_name(name: &str) -> Result<(), String> {
    let fits =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(());
    }
    Err(format!("\"{name}\" is no name of an upstream; use small letters, digits, - and _"))
}

/// A server: as the upstream of an edge is written, with `;priority=` and `;weight=` if need be.
fn server(text: &str) -> Result<Server, String> {
    let (mut priority, mut weight) = (1, 1);
    let mut rest = String::new();
    for (index, part) in text.split(';').enumerate() {
        let number = |value: &str| {
            value
                .parse::<u16>()
                .map_err(|_| format!("\"{value}\" in \"{part}\" is not a number from 0 to 65535"))
        };
        match part.split_once('=') {
            Some(("priority", value)) => priority = number(value)?,
            Some(("weight", value)) => weight = number(value)?,
            _ if index == 0 => rest.push_str(part),
            _ => rest.push_str(&format!(";{part}")),
        }
    }
    let found = values::upstream(&rest)?;
    Ok(Server { host: found.host, port: found.port, transport: found.transport, priority, weight })
}

fn incoming(text: &str) -> Result<Incoming, String> {
    match text {
        "nobody" => Ok(Incoming::Nobody),
        "users" => Ok(Incoming::Users),
        "anywhere" => Ok(Incoming::Anywhere),
        _ => Err(format!("\"{text}\" is none of nobody, users and anywhere")),
    }
}

/// The name of a user of ours: the part before @.
fn user(text: &str) -> Result<String, String> {
    if text.is_empty()
        || text.contains(|letter: char| letter == '@' || letter == ':' || letter.is_whitespace())
    {
        return Err(format!("\"{text}\" is no user; write the name before the @"));
    }
    Ok(text.to_owned())
}

fn domain(text: &str) -> Result<Domain, String> {
    if text == "*" { Ok(Domain::Any) } else { values::host(text).map(Domain::Named) }
}

/// How a number begins.
fn prefix(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix('+').unwrap_or(text);
    if !text.is_empty() && rest.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'#')) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "no number begins with \"{text}\"; write digits, perhaps with + before them, and nothing between"
    ))
}

fn prepended(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { prefix(text) }.and_then(|text| {
        if text.len() <= LONGEST { Ok(text) } else { Err(format!("\"{text}\" is too long")) }
    })
}

/// Digits that are dialled, or none.
fn dialled(text: &str) -> Result<String, String> {
    if text.bytes().all(|octet| octet.is_ascii_digit()) && text.len() <= LONGEST {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is not what one dials; write digits only"))
}

fn method(text: &str) -> Result<String, String> {
    match text {
        "REGISTER" => Err("registrations have no routes: they are the registrar's".to_owned()),
        _ if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_uppercase()) => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is no method; write one such as INVITE or MESSAGE")),
    }
}

fn header(text: &str) -> Result<(String, Pattern), String> {
    let found = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let token = |octet: u8| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet);
    match found {
        Some((name, value)) if !name.is_empty() && name.bytes().all(token) && !value.is_empty() => {
            Ok((name.to_owned(), Pattern::new(value)))
        }
        _ => Err(format!("\"{text}\" is no header; write it as \"X-Tenant: blue*\"")),
    }
}

fn reject(text: &str) -> Result<Action, String> {
    let (status, why) = text.split_once(' ').unwrap_or((text, ""));
    let status = status.parse().ok().filter(|status| (400..700).contains(status));
    let status = status.ok_or_else(|| {
        format!("\"{text}\" is no answer; write a status from 400 to 699, as in reject = 403 or \"403 not from here\"")
    })?;
    let why = why.trim();
    let readable = why.len() <= 200 && !why.contains(char::is_control);
    if !readable {
        return Err("the reason is one line of 200 letters at the most".to_owned());
    }
    Ok(Action::Reject(status, (!why.is_empty()).then(|| why.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::super::Configuration;
    use super::super::keys::example;
    use super::*;

    fn parsed(text: &str) -> Trunks {
        Configuration::parse(text, Path::new("")).unwrap().proxy.trunks
    }

    fn problems(text: &str) -> Vec<String> {
        let problems =
            Configuration::parse(text, Path::new("")).map(|_| Vec::new()).unwrap_or_else(|found| found);
        let written = |problem: &super::super::error::Problem| {
            format!("{}:{}: {}", problem.line, problem.column, problem.message)
        };
        problems.iter().map(written).collect()
    }

    const PSTN: &str = "[upstreams.pstn]\nservers = \"sip:10.0.0.5\"\n";

    #[test]
    fn groups_routes_and_numbers_are_as_written() {
        let trunks = parsed(
            "[numbers]\ncountry = \"49\"\n[upstreams.pstn]\nservers = [\"sip:10.0.0.5:5070;transport=tcp;weight=3\", \
             \"sip:b.example.net;priority=2\"]\ntrusted = true\nincoming = \"anywhere\"\naddresses = \"10.0.1.0/24\"\n\
             [[routes]]\nprefix = [\"+\", \"00\"]\nsource = [\"users\", \"upstream:pstn\", \"192.0.2.0/24\"]\n\
             header = \"X-Tenant: blue*\"\nmethod = \"INVITE\"\nstrip = 1\nprepend = \"0\"\nto = \"upstream:pstn\"\n\
             [[routes]]\ndomain = \"*\"\nreject = 404\n[[routes]]\nreject = \"403 not from here\"\n\
             [[routes]]\nto = \"user:bob\"\n[[routes]]\nto = \"users\"\n",
        );
        assert_eq!(trunks.numbers.country, "49");
        let group = &trunks.groups[0];
        assert_eq!(
            group.servers[0],
            Server {
                host: "10.0.0.5".to_owned(),
                port: Some(5070),
                transport: Some(sip::Transport::Tcp),
                priority: 1,
                weight: 3
            }
        );
        assert_eq!((group.servers[1].priority, group.servers[1].weight), (2, 1));
        assert_eq!((group.trusted, group.incoming, group.addresses.len()), (true, Incoming::Anywhere, 1));
        let route = &trunks.routes[0];
        assert_eq!((route.prefixes.len(), route.sources.len(), route.headers.len()), (2, 3, 1));
        assert_eq!((route.methods.len(), route.strip, route.prepend.as_str()), (1, 1, "0"));
        let actions: Vec<&Action> = trunks.routes.iter().map(|route| &route.action).collect();
        assert_eq!(
            actions,
            [
                &Action::Group("pstn".to_owned()),
                &Action::Reject(404, None),
                &Action::Reject(403, Some("not from here".to_owned())),
                &Action::User("bob".to_owned()),
                &Action::Users,
            ]
        );
        assert_eq!(trunks.routes[1].domains, [Domain::Any]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            ("[upstreams.pstn]\ntrusted = true", "1:12: there must be a server: "),
            ("[upstreams.pstn]\nservers = []", "2:11: there must be a server: "),
            ("[upstreams.PSTN]\nservers = \"sip:a\"", "1:12: \"PSTN\" is no name of an upstream"),
            ("[upstreams.pstn]\nservers = \"sip:10.0.0.5;weight=much\"", "2:11: \"much\" in \"weight=much\""),
            ("[upstreams.pstn]\nservers = [\"sip:a\", \"sip:a\"]", "2:21: sip:a is there twice"),
            (
                "[upstreams.pstn]\nserver = \"sip:a\"",
                "2:1: unknown key \"server\" in upstreams; did you mean \"servers\"?",
            ),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\nincoming = \"all\"",
                "3:12: \"all\" is none of nobody, users",
            ),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\nincoming = \"anywhere\"",
                "3:12: whoever relays through this server",
            ),
            ("[upstreams]\nservers = \"sip:a\"", "2:11: upstreams has sections, and this is a text"),
            ("[routes]\nto = \"users\"", "1:1: write [[routes]]; this is a section"),
            ("[[routes]]\nto = \"upstream:pstn\"", "2:6: there is no [upstreams.pstn]; there is none"),
            ("[[routes]]\nprefix = \"+\"", "1:1: a route leads somewhere: write to or reject"),
            ("[[routes]]\nto = \"users\"\nreject = 404", "3:10: a route has to or reject, and not both"),
            (
                "[[routes]]\nto = \"pstn\"",
                "2:6: \"pstn\" leads nowhere; write upstream:NAME, users or user:NAME",
            ),
            ("[[routes]]\nreject = 200", "2:10: \"200\" is no answer"),
            ("[[routes]]\nreject = 404\nstrip = 1", "3:9: the number plays no role where this route leads"),
            ("[[routes]]\nto = \"users\"\nprefix = \"0 30\"", "3:10: no number begins with \"0 30\""),
            ("[[routes]]\nto = \"users\"\nstrip = 99", "3:9: strip is a whole number from 0 to 32"),
            ("[[routes]]\nto = \"users\"\nmethod = \"REGISTER\"", "3:10: registrations have no routes"),
            ("[[routes]]\nto = \"users\"\nheader = \"X-Tenant\"", "3:10: \"X-Tenant\" is no header"),
            (
                "[[routes]]\nto = \"users\"\nsource = \"friends\"",
                "3:10: \"friends\" is neither an IP address",
            ),
            ("[[routes]]\nto = \"users\"\nwithout_password = true", "3:20: only for a route to an upstream"),
            ("[[route]]\nto = \"users\"", "1:3: unknown key \"route\""),
            ("[upstreams.pstn]\nservers = \"sip:a\"\naccount = \"alice\"", "3:11: \"alice\" is no account"),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\naccount = \"sip:a@b\"",
                "3:11: an account has a password",
            ),
            ("[upstreams.pstn]\nservers = \"sip:a\"\npassword = \"x\"", "3:12: whose? write account"),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\naccount = \"sip:a@b\"\npassword_file = \"/nowhere/x\"",
                "4:17: cannot read /nowhere/x: ",
            ),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\naccount = \"sip:a@b\"\npassword = \"x\"\ncaller = \"me\"",
                "5:10: \"me\" is none of own, account and number",
            ),
            (
                "[upstreams.pstn]\nservers = \"sip:a\"\nprobe = \"2h\"",
                "3:9: 2h is outside of what is allowed",
            ),
            ("[numbers]\ncountry = \"+49\"", "2:11: \"+49\" is not what one dials; write digits only"),
        ] {
            let found = problems(text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}\n{found:#?}");
        }
    }

    #[test]
    fn nobody_gets_to_an_upstream_without_a_password_whom_the_route_does_not_name() {
        let route = |source: &str| {
            format!("{PSTN}[[routes]]\nto = \"upstream:pstn\"\nwithout_password = true\n{source}")
        };
        for source in ["", "source = \"strangers\"", "source = [\"10.0.0.9\", \"users\"]"] {
            assert_eq!(problems(&route(source)).len(), 1, "{source}");
        }
        assert!(problems(&route("source = \"0.0.0.0/0\""))[0].contains("the whole world"));
        for source in ["source = \"10.0.0.9\"", "source = [\"upstream:pstn\", \"10.1.0.0/16\"]"] {
            assert!(problems(&route(source)).is_empty(), "{source}");
        }
    }

    #[test]
    fn an_account_is_as_written_and_its_password_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "sesame\nmore\n").unwrap();
        let text = format!(
            "{PSTN}account = \"sip:49305550@provider.example\"\npassword_file = \"password\"\nlogin = \"x\"\nexpires = \"1h\"\n"
        );
        let trunks = Configuration::parse(&text, folder.path()).unwrap().proxy.trunks;
        let account = trunks.groups[0].account.as_ref().unwrap();
        assert_eq!((account.user.as_str(), account.domain.as_str()), ("49305550", "provider.example"));
        assert_eq!((account.login.as_deref(), account.password.0.as_str()), (Some("x"), "sesame"));
        assert_eq!((account.register, account.expires.as_secs()), (true, 3600));
        assert!(!format!("{trunks:?}").contains("sesame"));
        assert_eq!(trunks.groups[0].probe, Some(Duration::from_secs(30)));
        assert_eq!(parsed(&format!("{PSTN}probe = \"0s\"")).groups[0].probe, None);
    }

    #[test]
    fn an_edge_has_no_routes() {
        let found = problems(&format!("{PSTN}[edge]\nupstream = \"sip:10.0.0.9\""));
        assert_eq!(found, ["1:12: an edge sends everything to its one upstream ([edge]), and has no routes"]);
    }

    #[test]
    fn the_examples_of_groups_and_routes_can_be_taken_as_they_are() {
        let taken: String = example()
            .lines()
            .filter_map(|line| line.strip_prefix("#     "))
            .flat_map(|line| [line, "\n"])
            .collect();
        // One cannot have both.
        let taken = taken.replace("without_password = false\n", "");
        assert_eq!(problems(&taken), Vec::<String>::new(), "{taken}");
        let trunks = parsed(&taken);
        assert_eq!((trunks.groups.len(), trunks.routes.len()), (1, 1));
        assert_eq!(trunks.groups[0].servers.len(), 3);
    }
}
