//! Connections that we open, and the life of every connection.

use std::future::poll_fn;
use std::rc::Rc;

use sip::{Flow, Hop, Transport};
use tokio::net::TcpStream;

use crate::config::Protocol;
use crate::connection::{Connection, Step};
use crate::handler::Event;
use crate::http;
use crate::listen;
use crate::shared::{Notice, Shared, Target, Way};
use crate::tls::SessionError;

/// Opens a connection to `target`, sends what waits for it, and drives it to its end.
pub(crate) async fn connect(net: Rc<Shared>, target: Target) {
    match Box::pin(open(&net, &target)).await {
        Ok(connection) => {
            let waiting = match net.ways.borrow_mut().insert(target.clone(), Way::Open(connection.id())) {
                Some(Way::Connecting(waiting, _)) => waiting,
                _ => Vec::new(),
            };
            net.connections.borrow_mut().insert(connection.id(), Rc::clone(&connection));
            if target.transport == Transport::Tls {
                if target.server_name.is_some() {
                    net.named.borrow_mut().insert(target.address, connection.id());
                }
                connection.deadlines.handshake.set(net.calendar.after(net.limits.handshake));
                connection.enter(&net);
            } else {
                connection.begin_sip(&net);
            }
            for message in waiting {
                connection.send_message(&net, &message);
            }
            drive(net, connection).await;
        }
        Err(reason) => {
            net.event(&Event::ConnectFailed { remote: target.address, reason });
            net.ways.borrow_mut().remove(&target);
            net.notice(Notice::Unreachable(target.into()));
        }
    }
}

async fn open(net: &Shared, target: &Target) -> Result<Rc<Connection>, String> {
    let stream = tokio::time::timeout(net.limits.connect, TcpStream::connect(target.address))
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|error| error.to_string())?;
    listen::tune(&stream);
    let (protocol, session) = if target.transport == Transport::Tls {
        let address = target.address.ip().to_string();
        let name = target.server_name.as_deref().unwrap_or(&address);
        let session = net.connector.borrow().connect(name).map(|mut session| {
            session.bound_waiting(net.limits.send_queue);
            session
        });
        let session = session.map_err(|error| match error {
            SessionError::Socket(error) => error.to_string(),
            SessionError::Tls(reason) => reason,
        })?;
        (Protocol::Tls, Some(session))
    } else {
        (Protocol::Tcp, None)
    };
    let flow = Flow {
        transport: target.transport,
        connection: net.next_connection(),
        local: stream.local_addr().map_err(|error| error.to_string())?,
        remote: target.address,
    };
    let hop = Box::new(Hop::from(target.clone()));
    Ok(Rc::new(Connection::new(net, flow, protocol, stream, session, Some(hop))))
}

/// Drives a connection to its end, then forgets it.
pub(crate) async fn drive(net: Rc<Shared>, connection: Rc<Connection>) {
    let farewell = Farewell { net: &net, connection: &connection };
    while poll_fn(|cx| connection.poll(&net, cx)).await == Step::Http {
        // Boxed, so that every other connection's task stays small.
        Box::pin(http::serve(&net, &connection)).await;
    }
    drop(farewell);
}

/// Forgets a connection however its task ends.
struct Farewell<'a> {
    net: &'a Shared,
    connection: &'a Rc<Connection>,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let (net, connection) = (self.net, self.connection);
        connection.die();
        net.connections.borrow_mut().remove(&connection.id());
        let target = match connection.hop.as_deref() {
            Some(Hop::Address { transport, address, server_name }) => {
                Target { transport: *transport, address: *address, server_name: server_name.clone() }
            }
            _ => Target {
                transport: connection.flow.transport,
                address: connection.flow.remote,
                server_name: None,
            },
        };
        if target.server_name.is_some() {
            let mut named = net.named.borrow_mut();
            if named.get(&target.address) == Some(&connection.id()) {
                named.remove(&target.address);
            }
        }
        {
            let mut ways = net.ways.borrow_mut();
            if matches!(ways.get(&target), Some(Way::Open(id)) if *id == connection.id()) {
                ways.remove(&target);
                if connection.hop.is_none() {
                    net.joint.closed(&target, net.place);
                }
            }
        }
        // What waited is lost, and so is what waited for a handshake that never ended.
        match &connection.hop {
            Some(hop) if connection.has_waiting() || !connection.opened.get() => {
                net.notice(Notice::Unreachable((**hop).clone()));
            }
            None if connection.opened.get() && connection.has_waiting() => {
                net.notice(Notice::Unreachable(connection.flow.into()));
            }
            _ => {}
        }
        if connection.opened.get() {
            net.notice(Notice::Closed(Rc::clone(connection)));
        }
        if connection.hop.is_none() {
            net.dismiss(connection.flow.remote);
        }
        net.gone.notify_waiters();
    }
}
