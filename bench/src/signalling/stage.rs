//! Who takes part in a load: the ends, open and registered before anything is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::generator::calls::{Calls, Pair, Plan, outsider};
use super::generator::ends::{Ends, Wire, Work};
use super::generator::handshakes::Handshakes;
use super::generator::messages::DOMAIN;
use super::generator::registrations::{Manner, Registrations, user_name};
use super::loads::{Dialled, Kind, Load, SOCKETS};
use super::server::{Contender, Server};
use crate::Outcome;

/// Users who are called, or register.
const USERS: usize = 1000;
/// How long a fork rings before one answers, so that all have rung; and how long the call lasts.
const FORK_RINGS: Duration = Duration::from_millis(50);
/// Registrations a second before the measurement.
const SETTING_UP: u32 = 2000;
/// Users who are called by forks.
const FORKED: usize = 200;

/// What will be measured.
pub(crate) enum Act {
    /// Calls; they begin when they are made.
    Calls(Plan),
    /// Registrations of users who have registered once.
    Registrations { users: Registrations, manner: Manner, rate: u32, count: usize },
    /// Connections.
    Handshakes { address: SocketAddr, tls: Option<Arc<rustls::ClientConfig>>, rate: u32, count: usize },
}

/// How many users a server must know for so many operations of a load.
pub(crate) fn users(load: &Load, count: usize) -> usize {
    match load.kind {
        Kind::Registrations { manner: Manner::Arriving, .. } => count,
        _ => USERS,
    }
}

/// Opens what a load needs, and registers who must be.
pub(crate) fn set_up(
    load: &Load,
    contender: Contender,
    server: &Server,
    ends: &mut Ends,
    rate: u32,
    count: usize,
    run: u32,
) -> Outcome<Act> {
    match load.kind {
        Kind::Calls { caller, callee, dialled, pause, description, phones } => {
            let mut pairs = pairs(caller, callee, dialled, server, ends, run)?;
            if dialled == Dialled::Address {
                pairs.truncate(phones);
            }
            let through_proxy = contender != Contender::Forwarder;
            Ok(Act::Calls(Plan {
                rate,
                count,
                ringing: pause,
                talking: pause,
                pairs,
                description,
                through_proxy,
            }))
        }
        Kind::Forks { contacts } => {
            let pairs = forks(contacts, server, ends, run)?;
            let (ringing, talking) = (FORK_RINGS, FORK_RINGS);
            Ok(Act::Calls(Plan {
                rate,
                count,
                ringing,
                talking,
                pairs,
                description: 250,
                through_proxy: true,
            }))
        }
        Kind::Registrations { wire, manner: manner @ Manner::Arriving } => {
            let users = Registrations::away(count, run, page_address(wire, server), tls(wire, server));
            Ok(Act::Registrations { users, manner, rate, count })
        }
        Kind::Registrations { wire, manner } => {
            let places = callees(wire, USERS, server, ends)?;
            let users = register(Registrations::new(places, run), ends)?;
            Ok(Act::Registrations { users, manner, rate, count })
        }
        Kind::Handshakes { wire } => {
            Ok(Act::Handshakes { address: page_address(wire, server), tls: tls(wire, server), rate, count })
        }
    }
}

/// Who calls whom. Users of the domain are `u0` and so on: first those who are called, then the pages that call.
fn pairs(
    caller: Wire,
    callee: Wire,
    dialled: Dialled,
    server: &Server,
    ends: &mut Ends,
    run: u32,
) -> Outcome<Vec<Pair>> {
    if (caller, callee, dialled) == (Wire::Udp, Wire::Udp, Dialled::Address) {
        let phones: Vec<(usize, usize)> =
            (0..SOCKETS).map(|_| ends.pair(server.addresses.udp)).collect::<Outcome<_>>()?;
        return Ok(phones.into_iter().enumerate().map(|(user, (a, b))| pair(user, a, b, ends)).collect());
    }
    let from_pages = matches!(caller, Wire::Ws | Wire::Wss);
    let called = match dialled {
        Dialled::Address => SOCKETS,
        Dialled::User if from_pages || callee != Wire::Udp => USERS / 2,
        Dialled::User => USERS,
    };
    let callees = callees(callee, called, server, ends)?;
    let callers = callers(caller, if from_pages { USERS / 2 } else { SOCKETS }, server, ends)?;
    if dialled == Dialled::User {
        let pages = callers.iter().filter(|_| from_pages);
        register(Registrations::new(callees.iter().chain(pages).copied(), run), ends)?;
    }
    let pairs = callees.iter().enumerate().map(|(user, callee)| {
        let caller = user % callers.len();
        let mut pair = pair(user, callers[caller], *callee, ends);
        if dialled == Dialled::User {
            pair.to = format!("{}@{DOMAIN}", user_name(user));
        }
        if from_pages {
            pair.from = format!("{}@{DOMAIN}", user_name(called + caller));
        }
        pair
    });
    Ok(pairs.collect())
}

/// A stranger calls a user by the address of its contact.
pub(crate) fn pair(user: usize, caller: usize, callee: usize, ends: &Ends) -> Pair {
    let contact = ends.get(callee).contact(&user_name(user));
    let to = contact.trim_start_matches("sip:").to_owned();
    Pair { caller, from: outsider(&format!("c{user}")), to, callee, contact, others: Vec::new() }
}

/// Users with several phones, and who calls them.
fn forks(contacts: usize, server: &Server, ends: &mut Ends, run: u32) -> Outcome<Vec<Pair>> {
    let callers = callers(Wire::Udp, SOCKETS, server, ends)?;
    let phones: Vec<usize> =
        (0..contacts).map(|_| ends.phone(server.addresses.udp)).collect::<Outcome<_>>()?;
    let bindings = (0..FORKED).flat_map(|user| phones.iter().map(move |end| (user_name(user), *end)));
    register(Registrations::of(bindings, run), ends)?;
    let pairs = (0..FORKED).map(|user| {
        let mut pair = pair(user, callers[user % SOCKETS], phones[0], ends);
        pair.to = format!("{}@{DOMAIN}", user_name(user));
        pair.others =
            phones[1..].iter().map(|end| (*end, ends.get(*end).contact(&user_name(user)))).collect();
        pair
    });
    Ok(pairs.collect())
}

/// The ends of so many users who are called: phones share theirs, pages have their own.
pub(crate) fn callees(wire: Wire, users: usize, server: &Server, ends: &mut Ends) -> Outcome<Vec<usize>> {
    let own: Vec<usize> = match wire {
        Wire::Udp => (0..SOCKETS).map(|_| ends.phone(server.addresses.udp)).collect::<Outcome<_>>()?,
        Wire::Tcp => (0..SOCKETS).map(|_| ends.listener()).collect::<Outcome<_>>()?,
        Wire::Ws | Wire::Wss => (0..users).map(|_| page(wire, server, ends)).collect::<Outcome<_>>()?,
    };
    Ok((0..users).map(|user| own[user % own.len()]).collect())
}

pub(crate) fn callers(wire: Wire, count: usize, server: &Server, ends: &mut Ends) -> Outcome<Vec<usize>> {
    let one = |_| match wire {
        Wire::Udp => ends.phone(server.addresses.udp),
        Wire::Tcp => ends.connection(server.addresses.tcp),
        Wire::Ws | Wire::Wss => page(wire, server, ends),
    };
    (0..count).map(one).collect()
}

pub(crate) fn page(wire: Wire, server: &Server, ends: &mut Ends) -> Outcome<usize> {
    ends.page(page_address(wire, server), tls(wire, server).as_ref())
}

const fn page_address(wire: Wire, server: &Server) -> SocketAddr {
    if matches!(wire, Wire::Wss) { server.addresses.wss } else { server.addresses.ws }
}

fn tls(wire: Wire, server: &Server) -> Option<Arc<rustls::ClientConfig>> {
    if wire == Wire::Wss { server.tls.clone() } else { None }
}

/// Registers everybody once.
pub(crate) fn register(mut users: Registrations, ends: &mut Ends) -> Outcome<Registrations> {
    let count = users.users();
    users.begin(Manner::Challenged, SETTING_UP, count);
    let patience = Duration::from_secs(10 + 2 * count as u64 / u64::from(SETTING_UP));
    ends.run(&mut users, Instant::now() + patience)?;
    let figures = &users.figures;
    if figures.completed < count {
        return Err(format!(
            "only {} of {count} users could register: {:?}",
            figures.completed, figures.faults.words
        )
        .into());
    }
    Ok(users)
}

/// Begins what is measured.
pub(crate) fn begin(act: Act, run: u32) -> Running {
    match act {
        Act::Calls(plan) => Running::Calls(Box::new(Calls::new(plan, run))),
        Act::Registrations { mut users, manner, rate, count } => {
            users.begin(manner, rate, count);
            Running::Registrations(Box::new(users))
        }
        Act::Handshakes { address, tls, rate, count } => {
            Running::Handshakes(Handshakes::new(address, tls, rate, count))
        }
    }
}

/// What is being measured.
pub(crate) enum Running {
    Calls(Box<Calls>),
    Registrations(Box<Registrations>),
    Handshakes(Handshakes),
}

impl Running {
    /// As work for the ends.
    pub(crate) fn work(&mut self) -> &mut dyn Work {
        match self {
            Self::Calls(calls) => calls.as_mut(),
            Self::Registrations(registrations) => registrations.as_mut(),
            Self::Handshakes(handshakes) => handshakes,
        }
    }
}

/// Nothing more begins; what still comes is checked.
pub(crate) struct Listening<'a>(pub(crate) &'a mut dyn Work);

impl Work for Listening<'_> {
    fn due(&mut self, now: Instant, _: &mut Ends) -> Outcome<Option<Instant>> {
        Ok(Some(now + Duration::from_secs(1)))
    }

    fn message(&mut self, now: Instant, end: usize, bytes: &[u8], ends: &mut Ends) -> Outcome<()> {
        self.0.message(now, end, bytes, ends)
    }
}

/// Nothing happens yet.
pub(crate) struct Silence;

impl Work for Silence {
    fn due(&mut self, now: Instant, _: &mut Ends) -> Outcome<Option<Instant>> {
        Ok(Some(now + Duration::from_secs(1)))
    }

    fn message(&mut self, _: Instant, _: usize, _: &[u8], _: &mut Ends) -> Outcome<()> {
        Ok(())
    }
}
