//! The table of transactions: finds or makes the machine that a message, a response or an alarm is for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::context::{Alarm, Alarms, Context, Handing};
use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::key::{Fingerprint, FingerprintTable, Fingerprints, Generation};
use super::names::{ClientKey, ServerKey};
use super::non_invite_client::NonInviteClient;
use super::non_invite_server::NonInviteServer;
use super::timers::Timers;
use super::{NextHop, Output, Received};
use crate::deadlines::Deadlines;
use crate::entropy::Entropy;
use crate::message::Message;
use crate::method::Method;
use crate::slots::{Slot, Slots};
use crate::time::Instant;

/// The transaction layer: all transactions of one element.
pub struct Transactions<H> {
    timers: Timers,
    fingerprints: Fingerprints,
    index: FingerprintTable,
    slots: Slots<Entry<H>>,
    deadlines: Deadlines,
    outputs: VecDeque<Output<H>>,
}

/// A request as it goes out, and what tells its transaction.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// The request.
    pub bytes: Arc<[u8]>,
    /// Its method.
    pub method: Method<'a>,
    /// The branch in its top Via, with the magic cookie.
    pub branch: &'a [u8],
    /// The sent-by in its top Via, as it stands there.
    pub sent_by: &'a [u8],
}

struct Entry<H> {
    machine: Machine,
    alarms: Alarms,
    /// Where the machine sends: a client to the next hop, a server back to the previous one.
    hop: H,
    /// Of a server whose responses the user sent elsewhere: where its request came from.
    origin: Option<Box<H>>,
    /// `None` for a client whose request names no transaction: no response will find it.
    fingerprint: Option<Fingerprint>,
    private: bool,
}

enum Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer),
    /// Only while a transaction is being made.
    Starting,
}

impl<H: NextHop> Transactions<H> {
    /// No transactions. The entropy makes the secrets under which peers' identifiers are hashed.
    pub fn new(timers: Timers, entropy: &mut dyn Entropy) -> Self {
        Self {
            timers,
            fingerprints: Fingerprints::new(entropy),
            index: FingerprintTable::default(),
            slots: Slots::new(),
            deadlines: Deadlines::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The timers' lengths.
    #[must_use]
    pub const fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Other lengths, for the transactions that begin from now on and for the timers that are set from now on.
    pub const fn set_timers(&mut self, timers: Timers) {
        self.timers = timers;
    }

    /// How many transactions there are, those of our CANCELs counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no transaction.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in a message from the network (RFC 3261 §18.1.2, §18.2.1). `from` is the way back to its sender.
    ///
    /// The message should have passed [`Message::check`], so that what is wrong with it is answered as the RFC says;
    /// whatever it is, nothing breaks here. A server that is full does not call this for a new request, but
    /// [`Transactions::is_known`] first.
    pub fn receive(&mut self, now: Instant, from: &H, message: Message) -> Received {
        let message = Arc::new(message);
        match message.method() {
            None => self.receive_response(now, message),
            Some(Method::Ack) => self.receive_ack(now, from, message),
            Some(method) => self.receive_request(now, from, &message, method),
        }
    }

    /// Whether `message` belongs to a transaction that exists: a retransmission, the ACK for a final response other
    /// than 2xx, a CANCEL for a known INVITE, or a response to a request of ours.
    #[must_use]
    pub fn is_known(&self, message: &Message) -> bool {
        let known = |fingerprint| self.index.get(fingerprint).is_some();
        match message.method() {
            None => self.fingerprints.client(message).is_some_and(known),
            Some(Method::Ack) => known(self.fingerprints.server(message, Method::Invite).0),
            Some(Method::Cancel) => {
                known(self.fingerprints.server(message, Method::Cancel).0)
                    || known(self.fingerprints.server(message, Method::Invite).0)
            }
            Some(method) => known(self.fingerprints.server(message, method).0),
        }
    }

    fn receive_request(
        &mut self,
        now: Instant,
        from: &H,
        request: &Arc<Message>,
        method: Method<'_>,
    ) -> Received {
        let (fingerprint, _) = self.fingerprints.server(request, method);
        if let Some(slot) = self.find(fingerprint) {
            self.adopt(slot, from);
            self.step(slot, now, |machine, context| match machine {
                Machine::InviteServer(server) => server.retransmission(context),
                Machine::NonInviteServer(server) => server.retransmission(context),
                _ => {}
            });
            return Received::Absorbed;
        }
        let key = self.create(now, from.clone(), Some(fingerprint), false, |context| match method {
            Method::Invite => Machine::InviteServer(InviteServer::start(request, context)),
            _ => Machine::NonInviteServer(NonInviteServer::start(request, context)),
        });
        let (key, request_of_user) = (ServerKey(key), Arc::clone(request));
        if method == Method::Cancel {
            // RFC 3261 §9.2: the transaction that the CANCEL would match if it were the INVITE.
            let (invite, _) = self.fingerprints.server(request, Method::Invite);
            let invite = self.find(invite).map(ServerKey);
            return Received::Cancel { key, invite, request: request_of_user };
        }
        Received::Request { key, request: request_of_user }
    }

    fn receive_ack(&mut self, now: Instant, from: &H, ack: Arc<Message>) -> Received {
        let (fingerprint, generation) = self.fingerprints.server(&ack, Method::Invite);
        let Some(slot) = self.find(fingerprint) else { return Received::Ack { request: ack } };
        let handing = self.step(slot, now, |machine, context| match machine {
            Machine::InviteServer(server)
                if generation == Generation::Branch || server.is_acknowledged_by(&ack) =>
            {
                server.ack(context)
            }
            _ => Handing::Up,
        });
        match handing {
            Some(Handing::Absorbed) => {
                self.adopt(slot, from);
                Received::Absorbed
            }
            _ => Received::Ack { request: ack },
        }
    }

    fn receive_response(&mut self, now: Instant, response: Arc<Message>) -> Received {
        let slot = self.fingerprints.client(&response).and_then(|fingerprint| self.find(fingerprint));
        let (Some(slot), Some(status)) = (slot, response.status()) else {
            return Received::StrayResponse { response };
        };
        let private = self.slots.get(slot).is_some_and(|entry| entry.private);
        let handing = self.step(slot, now, |machine, context| match machine {
            Machine::InviteClient(client) => client.response(status, &response, context),
            Machine::NonInviteClient(client) => client.response(status, context),
            _ => Handing::Absorbed,
        });
        self.release_cancel(now, slot);
        match handing {
            Some(Handing::Up) if !private => Received::Response { key: ClientKey(slot), response },
            _ => Received::Absorbed,
        }
    }

    /// Passes a response of the user's to a server transaction. The status is read from the bytes. Without effect if
    /// the transaction has ended, or in a state that takes no such response (RFC 6026 §8.3: it is discarded).
    pub fn respond(&mut self, now: Instant, key: ServerKey, response: Vec<u8>) {
        let Some(status) = status_of(&response) else { return };
        self.step(key.0, now, |machine, context| match machine {
            Machine::InviteServer(server) => server.respond(status, response, context),
            Machine::NonInviteServer(server) => server.respond(status, response, context),
            _ => {}
        });
    }

    /// Sends the responses of a server transaction to `hop` from now on, instead of back where the request came from
    /// (RFC 3261 §18.2.2: `maddr`, the sent-by of a client without rport). A retransmission of the request from a new
    /// place turns them there again.
    pub fn redirect_responses(&mut self, key: ServerKey, hop: H) {
        if let Some(entry) = self.slots.get_mut(key.0).filter(|entry| entry.is_server()) {
            let before = core::mem::replace(&mut entry.hop, hop);
            entry.origin.get_or_insert_with(|| Box::new(before));
        }
    }

    /// Sends the last response of a server transaction once more, as if the request had been received again: to where its
    /// responses go now. A 2xx to an INVITE is not kept; its user repeats it (RFC 6026 §7.1).
    pub fn repeat_response(&mut self, now: Instant, key: ServerKey) {
        self.step(key.0, now, |machine, context| match machine {
            Machine::InviteServer(server) => server.retransmission(context),
            Machine::NonInviteServer(server) => server.retransmission(context),
            _ => {}
        });
    }

    /// Where the messages of a server transaction go now. `None` if it has ended.
    #[must_use]
    pub fn hop_of(&self, key: ServerKey) -> Option<&H> {
        self.slots.get(key.0).map(|entry| &entry.hop)
    }

    /// Sends a request in a new client transaction. Its top Via carries a fresh branch already; the method decides
    /// the machine.
    ///
    /// Not for ACK, which has no transaction: the ACK for a 2xx is sent by the user straight to the transport
    /// (RFC 3261 §13.2.2.4). If one is given all the same, it is sent once and its transaction has ended.
    pub fn request(&mut self, now: Instant, to: H, request: Message) -> ClientKey {
        let fingerprint = self.fingerprints.client(&request);
        let is_ack = matches!(request.method(), Some(Method::Ack) | None);
        let is_invite = matches!(request.method(), Some(Method::Invite));
        self.send(now, to, request.into_bytes().into(), fingerprint, is_invite, !is_ack)
    }

    /// [`Transactions::request`] for a request that was just written. Its branch and its sent-by, which stand in the Via
    /// on top of it, are not read again.
    pub fn request_written(&mut self, now: Instant, to: H, request: Written<'_>) -> ClientKey {
        let Written { bytes, method, branch, sent_by } = request;
        let fingerprint = self.fingerprints.client_named(branch, sent_by, method);
        self.send(now, to, bytes, Some(fingerprint), method == Method::Invite, method != Method::Ack)
    }

    fn send(
        &mut self,
        now: Instant,
        to: H,
        bytes: Arc<[u8]>,
        fingerprint: Option<Fingerprint>,
        is_invite: bool,
        has_transaction: bool,
    ) -> ClientKey {
        let slot = self.create(now, to, fingerprint, false, |context| {
            if is_invite {
                Machine::InviteClient(InviteClient::start(bytes, context))
            } else if has_transaction {
                Machine::NonInviteClient(NonInviteClient::start(bytes, context))
            } else {
                context.transmit(&bytes);
                Machine::Starting
            }
        });
        ClientKey(slot)
    }

    /// Cancels an INVITE of ours (RFC 3261 §9.1): at once if it has a provisional response, else when one comes. After
    /// a final response, for other methods and for ended transactions it has no effect. `reason` is the value of a
    /// Reason header (RFC 3326).
    ///
    /// The transaction of the CANCEL belongs to the table. The INVITE ends as it would, mostly by 487; if no final
    /// response comes within 64*T1, by [`Output::TimedOut`].
    pub fn cancel(&mut self, now: Instant, key: ClientKey, reason: Option<&[u8]>) {
        self.step(key.0, now, |machine, _| {
            if let Machine::InviteClient(client) = machine {
                client.cancel(reason.unwrap_or_default());
            }
        });
        self.release_cancel(now, key.0);
    }

    /// Ends a client transaction without waiting for anything more; `ClientEnded` follows. For a user that has lost
    /// its interest, such as a proxy that shuts down.
    pub fn forget(&mut self, key: ClientKey) {
        if self.slots.get(key.0).is_some_and(|entry| !entry.is_server()) {
            self.end(key.0);
        }
    }

    /// Drops a server transaction without an answer; `ServerEnded` follows. For a request that is forwarded
    /// statelessly (RFC 3261 §16.11): each of its retransmissions is new again.
    pub fn forget_request(&mut self, key: ServerKey) {
        if self.slots.get(key.0).is_some_and(Entry::is_server) {
            self.end(key.0);
        }
    }

    /// The transport says that nothing gets to `to`: every client transaction that waits for a response from there
    /// ends with [`Output::Unreachable`]. Server transactions stay (RFC 6026 §7.1).
    ///
    /// Looks at every transaction: O(n).
    pub fn unreachable(&mut self, now: Instant, to: &H) {
        self.unreachable_among(now, |hop| hop == to);
    }

    /// [`Transactions::unreachable`] for all hops that `is_one` says yes to, in one look at every transaction.
    pub fn unreachable_among(&mut self, now: Instant, is_one: impl Fn(&H) -> bool) {
        let concerned: Vec<Slot> = self
            .slots
            .iter()
            .filter(|(_, entry)| !entry.is_server() && is_one(&entry.hop))
            .map(|(slot, _)| slot)
            .collect();
        for slot in concerned {
            self.step(slot, now, |machine, context| match machine {
                Machine::InviteClient(client) => client.transport_error(context),
                Machine::NonInviteClient(client) => client.transport_error(context),
                _ => {}
            });
        }
    }

    /// Fires every alarm that is due.
    pub fn timeout(&mut self, now: Instant) {
        while let Some(slot) = self.deadlines.pop(now).and_then(|index| self.slots.slot_at(index)) {
            while let Some(alarm) = self.slots.get_mut(slot).and_then(|entry| entry.alarms.take_due(now)) {
                self.step(slot, now, |machine, context| machine.alarm(alarm, context));
            }
        }
    }

    /// The next output, in the order in which they arose.
    pub fn poll(&mut self) -> Option<Output<H>> {
        let output = self.outputs.pop_front()?;
        match &output {
            Output::ClientEnded { key: ClientKey(slot) } | Output::ServerEnded { key: ServerKey(slot) } => {
                self.slots.release(*slot);
            }
            _ => {}
        }
        Some(output)
    }

    /// When [`Transactions::timeout`] is to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn find(&self, fingerprint: Fingerprint) -> Option<Slot> {
        self.index.get(fingerprint).and_then(|index| self.slots.slot_at(index))
    }

    fn create(
        &mut self,
        now: Instant,
        hop: H,
        fingerprint: Option<Fingerprint>,
        private: bool,
        start: impl FnOnce(&mut Context<'_, H>) -> Machine,
    ) -> Slot {
        let entry = Entry {
            machine: Machine::Starting,
            alarms: Alarms::none(),
            hop,
            origin: None,
            fingerprint,
            private,
        };
        let slot = self.slots.insert(entry);
        if let Some(fingerprint) = fingerprint {
            self.index.insert(fingerprint, slot.index());
        }
        self.step(slot, now, |machine, context| *machine = start(context));
        slot
    }

    /// One step of one machine: what it sends and tells goes into the queue, its earliest alarm into the deadlines,
    /// and if it has come to its end it goes.
    fn step<R>(
        &mut self,
        slot: Slot,
        now: Instant,
        act: impl FnOnce(&mut Machine, &mut Context<'_, H>) -> R,
    ) -> Option<R> {
        let entry = self.slots.get_mut(slot)?;
        let mut context = Context {
            now,
            timers: &self.timers,
            hop: &entry.hop,
            slot,
            private: entry.private,
            alarms: &mut entry.alarms,
            outputs: &mut self.outputs,
        };
        let result = act(&mut entry.machine, &mut context);
        if entry.machine.is_terminated() {
            self.end(slot);
        } else {
            let next = entry.alarms.next();
            if self.deadlines.get(slot.index()).unwrap_or(Instant::NEVER) != next {
                self.deadlines.set(slot.index(), next);
            }
        }
        Some(result)
    }

    fn end(&mut self, slot: Slot) {
        // The user may know it beside others until it has heard of its end: until then no other takes its place.
        let Some(entry) = self.slots.retire(slot) else { return };
        self.deadlines.cancel(slot.index());
        // A later transaction may have taken the name: it keeps it.
        if let Some(fingerprint) = entry.fingerprint
            && self.index.get(fingerprint) == Some(slot.index())
        {
            self.index.remove(fingerprint);
        }
        if entry.is_server() {
            self.outputs.push_back(Output::ServerEnded { key: ServerKey(slot) });
        } else if entry.private {
            self.slots.release(slot);
        } else {
            self.outputs.push_back(Output::ClientEnded { key: ClientKey(slot) });
        }
    }

    /// A request that comes again by another way is answered there: the old connection may be gone.
    fn adopt(&mut self, slot: Slot, from: &H) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if entry.origin.as_deref().unwrap_or(&entry.hop) != from {
            entry.origin = None;
            entry.hop = from.clone();
        }
    }

    /// Sends the CANCEL of an INVITE if its time has come. It takes the INVITE's way (RFC 3261 §9.1).
    fn release_cancel(&mut self, now: Instant, slot: Slot) {
        let cancel = self.step(slot, now, |machine, context| match machine {
            Machine::InviteClient(client) => client.release_cancel(context),
            _ => None,
        });
        let Some(bytes) = cancel.flatten() else { return };
        let Some(hop) = self.slots.get(slot).map(|entry| entry.hop.clone()) else { return };
        let Ok(message) = Message::parse(&bytes) else { return };
        let fingerprint = self.fingerprints.client(&message);
        self.create(now, hop, fingerprint, true, |context| {
            Machine::NonInviteClient(NonInviteClient::start(bytes, context))
        });
    }
}

impl<H> Entry<H> {
    const fn is_server(&self) -> bool {
        matches!(self.machine, Machine::InviteServer(_) | Machine::NonInviteServer(_))
    }
}

impl Machine {
    fn alarm<H: NextHop>(&mut self, alarm: Alarm, context: &mut Context<'_, H>) {
        match self {
            Self::InviteClient(client) => client.alarm(alarm, context),
            Self::NonInviteClient(client) => client.alarm(alarm, context),
            Self::InviteServer(server) => server.alarm(alarm, context),
            Self::NonInviteServer(server) => server.alarm(alarm, context),
            Self::Starting => {}
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::InviteClient(client) => client.is_terminated(),
            Self::NonInviteClient(client) => client.is_terminated(),
            Self::InviteServer(server) => server.is_terminated(),
            Self::NonInviteServer(server) => server.is_terminated(),
            Self::Starting => true,
        }
    }
}

/// The status code of a response (RFC 3261 §7.2).
fn status_of(response: &[u8]) -> Option<u16> {
    let code = response.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    let status = code.iter().try_fold(0u16, |number, digit| {
        Some(number * 10 + u16::try_from(char::from(*digit).to_digit(10)?).ok()?)
    })?;
    (100..700).contains(&status).then_some(status)
}
