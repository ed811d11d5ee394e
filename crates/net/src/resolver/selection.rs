//! The choice of transport, port and address by RFC 3263 §4, over any source of records.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::{Entropy, Hop, Transport};

use super::{Question, ResolveError};

/// The most hops that one question may give (A30).
const HOPS: usize = 16;
/// The most SRV targets that are looked up.
const TARGETS: usize = 8;

/// A NAPTR record (RFC 3403 §4), flags in lower case and service in upper.
#[derive(Clone, Debug)]
pub(super) struct Naptr {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) flags: Vec<u8>,
    pub(super) service: Vec<u8>,
    pub(super) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) target: String,
}

/// Where records come from. An empty list means that there are none; an error that nobody knows.
pub(super) trait Records {
    /// Addresses that this machine's own hosts file gives a name.
    fn hosts(&self, name: &str) -> Vec<IpAddr>;
    /// A and AAAA.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError>;
    /// SRV.
    async fn services(&self, name: &str) -> Result<Vec<Srv>, ResolveError>;
    /// NAPTR.
    async fn pointers(&self, name: &str) -> Result<Vec<Naptr>, ResolveError>;
}

/// Finds the hops of a host that is a name, and puts each into `hops` as soon as it is known: whoever cannot wait for all takes
/// those.
pub(super) async fn resolve(
    records: &impl Records,
    question: &Question,
    entropy: &RefCell<impl Entropy>,
    hops: &RefCell<Vec<Hop>>,
) -> Result<(), ResolveError> {
    let host = question.host.trim_end_matches('.');
    let mut search = Search { host, hops, failed: None, not_there: Vec::new() };
    let known = records.hosts(host);
    if !known.is_empty() {
        let transport = Transport::by_default(question.transport, question.secure);
        search.push(transport, question.port.unwrap_or(transport.default_port()), known);
        return Ok(());
    }
    if question.port.is_none() {
        for (transport, service) in search.services(records, question).await {
            search.follow(records, transport, &service, entropy).await;
        }
    }
    let transport = Transport::by_default(question.transport, question.secure);
    if hops.borrow().is_empty() && !search.not_there.contains(&transport) {
        // RFC 3263 §4.2: no SRV records, or an explicit port: the host's own addresses.
        match records.addresses(host).await {
            Ok(addresses) => {
                search.push(transport, question.port.unwrap_or(transport.default_port()), addresses);
            }
            Err(error) => search.failed = Some(error),
        }
    }
    if hops.borrow().is_empty() { Err(search.failed.unwrap_or(ResolveError::NotFound)) } else { Ok(()) }
}

struct Search<'a> {
    host: &'a str,
    hops: &'a RefCell<Vec<Hop>>,
    failed: Option<ResolveError>,
    /// Where the service is decidedly not available.
    not_there: Vec<Transport>,
}

impl Search<'_> {
    /// The names to ask for SRV records, each with its transport, best first (RFC 3263 §4.1).
    async fn services(&mut self, records: &impl Records, question: &Question) -> Vec<(Transport, String)> {
        if question.transport.is_some() {
            let transport = Transport::by_default(question.transport, question.secure);
            return srv_name(transport, self.host).map(|name| (transport, name)).into_iter().collect();
        }
        let mut pointers = records.pointers(self.host).await.unwrap_or_else(|error| {
            self.failed = Some(error);
            Vec::new()
        });
        pointers.sort_by_key(|pointer| (pointer.order, pointer.preference));
        let named: Vec<_> = pointers
            .into_iter()
            .filter(|pointer| pointer.flags == b"s")
            .filter_map(|pointer| Some((transport_of(&pointer.service)?, pointer.replacement)))
            .filter(|(transport, _)| transport.is_secure() || !question.secure)
            .collect();
        if !named.is_empty() {
            return named;
        }
        let ours: &[Transport] = if question.secure {
            &[Transport::Tls]
        } else {
            &[Transport::Udp, Transport::Tcp, Transport::Tls]
        };
        ours.iter().filter_map(|transport| Some((*transport, srv_name(*transport, self.host)?))).collect()
    }

    /// Adds the hops behind one SRV name (RFC 3263 §4.2).
    async fn follow(
        &mut self,
        records: &impl Records,
        transport: Transport,
        service: &str,
        entropy: &RefCell<impl Entropy>,
    ) {
        if self.hops.borrow().len() >= HOPS {
            return;
        }
        let found = match records.services(service).await {
            Ok(found) => found,
            Err(error) => return self.failed = Some(error),
        };
        // RFC 2782: a target "." says that the service is decidedly not there.
        let (absent, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|srv| srv.target == ".");
        if found.is_empty() && !absent.is_empty() {
            return self.not_there.push(transport);
        }
        let ordered = in_order(found, &mut *entropy.borrow_mut());
        for srv in ordered.into_iter().take(TARGETS) {
            match records.addresses(&srv.target).await {
                Ok(addresses) => self.push(transport, srv.port, addresses),
                Err(error) => self.failed = Some(error),
            }
        }
    }

    fn push(&self, transport: Transport, port: u16, addresses: Vec<IpAddr>) {
        let server_name = transport.is_secure().then(|| Arc::from(self.host));
        let mut hops = self.hops.borrow_mut();
        for address in addresses {
            let hop = Hop::Address {
                transport,
                address: SocketAddr::new(address, port),
                server_name: server_name.clone(),
            };
            if hops.len() < HOPS && !hops.contains(&hop) {
                hops.push(hop);
            }
        }
    }
}

/// What a NAPTR service is for (RFC 3263 §4.1, RFC 7118 §5.2.4).
fn transport_of(service: &[u8]) -> Option<Transport> {
    match service {
        b"SIP+D2U" => Some(Transport::Udp),
        b"SIP+D2T" => Some(Transport::Tcp),
        b"SIPS+D2T" => Some(Transport::Tls),
        b"SIP+D2W" => Some(Transport::Ws),
        b"SIPS+D2W" => Some(Transport::Wss),
        _ => None,
    }
}

/// The SRV name of a transport (RFC 3263 §4.1); none is registered for WebSocket.
fn srv_name(transport: Transport, host: &str) -> Option<String> {
    let prefix = match transport {
        Transport::Udp => "_sip._udp.",
        Transport::Tcp => "_sip._tcp.",
        Transport::Tls => "_sips._tcp.",
        Transport::Ws | Transport::Wss => return None,
    };
    Some([prefix, host].concat())
}

/// The order in which to try SRV records: by priority, and by weighted chance within one (RFC 2782).
fn in_order(mut records: Vec<Srv>, entropy: &mut impl Entropy) -> Vec<Srv> {
    // Those of weight 0 come first, so that they have a small chance at all.
    records.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|srv| srv.priority) {
        let group = records.iter().take_while(|srv| srv.priority == priority);
        let total: u64 = group.clone().map(|srv| u64::from(srv.weight)).sum();
        let draw = entropy.number() % total.saturating_add(1);
        let mut sum = 0u64;
        let chosen = group
            .map(|srv| {
                sum = sum.saturating_add(u64::from(srv.weight));
                sum
            })
            .position(|sum| sum >= draw)
            .unwrap_or(0);
        ordered.push(records.remove(chosen));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use sip::SeededEntropy;

    use super::*;

    /// A zone for tests. A name that stands nowhere has no records; `silent` names are not answered.
    #[derive(Default)]
    struct Zone {
        hosts: HashMap<&'static str, Vec<IpAddr>>,
        addresses: HashMap<&'static str, Vec<IpAddr>>,
        services: HashMap<&'static str, Vec<Srv>>,
        pointers: HashMap<&'static str, Vec<Naptr>>,
        silent: Vec<&'static str>,
    }

    impl Zone {
        fn ask<T: Clone>(
            &self,
            table: &HashMap<&'static str, Vec<T>>,
            name: &str,
        ) -> Result<Vec<T>, ResolveError> {
            if self.silent.contains(&name) {
                return Err(ResolveError::Unanswered);
            }
            Ok(table.get(name).cloned().unwrap_or_default())
        }
    }

    impl Records for Zone {
        fn hosts(&self, name: &str) -> Vec<IpAddr> {
            self.hosts.get(name).cloned().unwrap_or_default()
        }
        async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
            self.ask(&self.addresses, name)
        }
        async fn services(&self, name: &str) -> Result<Vec<Srv>, ResolveError> {
            self.ask(&self.services, name)
        }
        async fn pointers(&self, name: &str) -> Result<Vec<Naptr>, ResolveError> {
            self.ask(&self.pointers, name)
        }
    }

    fn address(text: &str) -> Vec<IpAddr> {
        vec![text.parse().unwrap()]
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
        Srv { priority, weight, port, target: target.into() }
    }

    fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
        Naptr {
            order,
            preference,
            flags: b"s".to_vec(),
            service: service.into(),
            replacement: replacement.into(),
        }
    }

    /// The example of RFC 3263 §4.1 and §4.2, with a WebSocket service beside it.
    fn example() -> Zone {
        Zone {
            addresses: HashMap::from([
                ("server1.example.com", address("192.0.2.1")),
                ("server2.example.com", address("192.0.2.2")),
                ("example.com", address("192.0.2.9")),
            ]),
            services: HashMap::from([
                ("_sips._tcp.example.com", vec![srv(0, 1, 5061, "server1.example.com")]),
                (
                    "_sip._tcp.example.com",
                    vec![srv(1, 1, 5070, "server2.example.com"), srv(0, 1, 5060, "server1.example.com")],
                ),
                ("_sip._udp.example.com", vec![srv(0, 1, 5060, "server2.example.com")]),
            ]),
            pointers: HashMap::from([(
                "example.com",
                vec![
                    naptr(100, 50, "SIP+D2U", "_sip._udp.example.com"),
                    naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com"),
                    naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
                    naptr(10, 1, "E2U+sip", "enum.example.com"),
                ],
            )]),
            ..Zone::default()
        }
    }

    fn ask(
        zone: &Zone,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    ) -> Vec<String> {
        let question = Question { host: host.into(), port, transport, secure };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let entropy = RefCell::new(SeededEntropy::new(1));
        let hops = match Hop::literal(host, port, transport, secure) {
            Some(hop) => Ok(vec![hop]),
            None => {
                let found = RefCell::default();
                runtime.block_on(resolve(zone, &question, &entropy, &found)).map(|()| found.take())
            }
        };
        match hops {
            Ok(hops) => {
                hops.iter().map(|hop| format!("{} {}", hop.transport().via_token(), hop.address())).collect()
            }
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn addresses_need_no_look_up() {
        let zone = Zone { silent: vec!["192.0.2.7"], ..Zone::default() };
        assert_eq!(ask(&zone, "192.0.2.7", None, None, false), ["UDP 192.0.2.7:5060"]);
        assert_eq!(ask(&zone, "192.0.2.7", None, None, true), ["TLS 192.0.2.7:5061"]);
        assert_eq!(
            ask(&zone, "[2001:db8::1]", Some(99), Some(Transport::Tcp), false),
            ["TCP [2001:db8::1]:99"]
        );
        assert_eq!(ask(&zone, "192.0.2.7", None, Some(Transport::Tcp), true), ["TLS 192.0.2.7:5061"]);
    }

    #[test]
    fn naptr_orders_the_transports_and_srv_the_servers() {
        assert_eq!(
            ask(&example(), "example.com", None, None, false),
            ["TLS 192.0.2.1:5061", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "UDP 192.0.2.2:5060"]
        );
    }

    #[test]
    fn sips_takes_only_what_is_encrypted() {
        assert_eq!(ask(&example(), "example.com", None, None, true), ["TLS 192.0.2.1:5061"]);
    }

    #[test]
    fn a_named_transport_skips_naptr() {
        assert_eq!(ask(&example(), "example.com", None, Some(Transport::Udp), false), ["UDP 192.0.2.2:5060"]);
    }

    #[test]
    fn a_port_skips_naptr_and_srv() {
        assert_eq!(ask(&example(), "example.com", Some(5080), None, false), ["UDP 192.0.2.9:5080"]);
    }

    #[test]
    fn without_naptr_the_srv_names_are_tried_and_without_srv_the_addresses() {
        let mut zone = example();
        zone.pointers.clear();
        assert_eq!(
            ask(&zone, "example.com", None, None, false),
            ["UDP 192.0.2.2:5060", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "TLS 192.0.2.1:5061"]
        );
        zone.services.clear();
        assert_eq!(ask(&zone, "example.com", None, None, false), ["UDP 192.0.2.9:5060"]);
        assert_eq!(ask(&zone, "example.com", None, None, true), ["TLS 192.0.2.9:5061"]);
    }

    #[test]
    fn a_service_that_is_decidedly_not_there_gives_no_hop() {
        let mut zone = example();
        zone.services.insert("_sips._tcp.example.com", vec![srv(0, 0, 0, ".")]);
        assert!(!ask(&zone, "example.com", None, None, false).iter().any(|hop| hop.starts_with("TLS")));
    }

    /// RFC 2782: the name of the domain itself, mostly a web server, is not asked instead.
    #[test]
    fn a_domain_whose_service_is_decidedly_not_there_is_not_called_at_its_own_address() {
        let mut zone = example();
        zone.pointers.clear();
        zone.services.clear();
        zone.services.insert("_sip._udp.example.com", vec![srv(0, 0, 0, ".")]);
        assert_eq!(ask(&zone, "example.com", None, None, false), ["no such host"]);
        assert_eq!(ask(&zone, "example.com", None, Some(Transport::Udp), false), ["no such host"]);
        // Of other transports nothing was said, and whoever names a port asks for no service.
        assert_eq!(ask(&zone, "example.com", None, None, true), ["TLS 192.0.2.9:5061"]);
        assert_eq!(ask(&zone, "example.com", Some(5060), None, false), ["UDP 192.0.2.9:5060"]);
    }

    #[test]
    fn a_websocket_service_is_understood() {
        let mut zone = example();
        zone.pointers.insert("example.com", vec![naptr(1, 1, "SIPS+D2W", "_sips._ws.example.com")]);
        zone.services.insert("_sips._ws.example.com", vec![srv(0, 0, 443, "server1.example.com")]);
        assert_eq!(ask(&zone, "example.com", None, None, false), ["WSS 192.0.2.1:443"]);
    }

    #[test]
    fn the_hosts_file_is_believed_first() {
        let mut zone = example();
        zone.hosts.insert("example.com", address("10.0.0.1"));
        zone.silent = vec!["example.com"];
        assert_eq!(ask(&zone, "example.com", None, None, false), ["UDP 10.0.0.1:5060"]);
    }

    #[test]
    fn no_record_and_no_answer_are_told_apart() {
        let mut zone = example();
        assert_eq!(ask(&zone, "nobody.example", None, None, false), ["no such host"]);
        zone.silent = vec!["nobody.example"];
        assert_eq!(ask(&zone, "nobody.example", None, None, false), ["the name servers do not answer"]);
    }

    #[test]
    fn each_certificate_must_carry_the_name_that_was_asked_for() {
        let question = Question { host: "example.com".into(), port: None, transport: None, secure: true };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let entropy = RefCell::new(SeededEntropy::new(1));
        let hops = RefCell::default();
        runtime.block_on(resolve(&example(), &question, &entropy, &hops)).unwrap();
        let hops = hops.take();
        let Some(Hop::Address { server_name, .. }) = hops.first() else { panic!("no hop") };
        assert_eq!(server_name.as_deref(), Some("example.com"), "RFC 5922 §7.1: not the SRV target");
    }

    #[test]
    fn weights_share_the_first_place() {
        let mut entropy = SeededEntropy::new(7);
        let mut first = HashMap::new();
        for _ in 0..1000 {
            let records = vec![
                srv(1, 0, 1, "zero"),
                srv(1, 10, 1, "light"),
                srv(1, 90, 1, "heavy"),
                srv(0, 0, 1, "best"),
            ];
            let order = in_order(records, &mut entropy);
            assert_eq!(order[0].target, "best", "priority comes before weight");
            *first.entry(order[1].target.clone()).or_insert(0) += 1;
        }
        assert!(first["heavy"] > 800 && first["light"] > 50, "{first:?}");
    }

    #[test]
    fn a_flood_of_records_is_cut() {
        let mut zone = example();
        let many: Vec<IpAddr> = (0..100u8).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        zone.addresses.insert("example.com", many);
        assert_eq!(ask(&zone, "example.com", Some(5060), None, false).len(), HOPS);
    }
}
