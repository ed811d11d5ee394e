//! The loop's centre: what the network receives goes to the proxy, what the proxy wants goes to the network, the
//! store, the users and the resolver.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use net::{
    AfterFault, Event as NetEvent, Handler, HttpRefusal, HttpRequest, HttpResponse, IssuedCertificates,
    LoadedTls, Malformed, Network, Resolver, UpgradeRequest,
};
use proxy::{AskId, Output, Proxy, Question, TokenHolder};
use sip::{Builder, ConnectionId, Flow, Hop, Instant, Message, Method, Transport};
use store::StoreError;
use tokio::sync::Notify;
use websocket::CloseCode;

use crate::clock::Clock;
use crate::configuration::Origins;
use crate::event_lines::EventLines;
use crate::ice_servers::IceServers;
use crate::kept::Kept;
use crate::log::{self, Level};
use crate::media_joining::{Inward, MediaJoining, Onward, Reason, Released};
use crate::origin;
use crate::post::{Letter, Post, Reconfiguration};
use crate::stir::{Call, Stir};
use crate::taking_turns::Turn;
use crate::tokens::{SignIns, Tokens};
use crate::web_page::WebPage;

/// How long nothing must have been sent for the server to count as quiet.
const QUIET: Duration = Duration::from_secs(1);

/// Alarms ring on multiples of this, so that those of many transactions share one: under load there are thousands a
/// second, and none is so urgent.
const GRID: Duration = Duration::from_millis(16);

/// Everything one event loop owns.
pub(crate) struct Server {
    /// For tasks that answer later.
    me: Weak<Self>,
    clock: Clock,
    proxy: RefCell<Proxy>,
    network: Network,
    kept: Arc<Kept>,
    /// The other event loops.
    post: Post,
    /// The server is to stop.
    stopping: Notify,
    resolver: Resolver,
    /// Joins browsers and phones, unless that is switched off.
    media: Option<Rc<MediaJoining>>,
    page: RefCell<WebPage>,
    origins: RefCell<Origins>,
    tokens: RefCell<Option<Arc<Tokens>>>,
    stir: RefCell<Arc<Stir>>,
    sign_ins: SignIns,
    /// What pages are told when they have registered.
    ice: RefCell<Option<Arc<IceServers>>>,
    /// Proofs for the authority that gives us certificates.
    issued: Option<IssuedCertificates>,
    lines: EventLines,
    /// When the proxy wants to be woken.
    wake_at: Cell<Instant>,
    /// The proxy wants to be woken earlier than it said before.
    sooner: Notify,
    /// When the last message was sent.
    last_sent: Cell<std::time::Instant>,
    /// What the store is to keep when the network's turn is over.
    to_store: RefCell<Vec<Unstored>>,
    /// The output is being drained: what comes meanwhile is drained by the same loop.
    draining: Cell<bool>,
}

/// A record that the proxy wants kept: the question, the address-of-record, and the record unless it is to be forgotten.
type Unstored = (AskId, Vec<u8>, Option<Vec<u8>>);

/// What a server is made of.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) proxy: Proxy,
    pub(crate) network: Network,
    pub(crate) resolver: Resolver,
    pub(crate) kept: Arc<Kept>,
    pub(crate) post: Post,
    pub(crate) media: Option<Rc<MediaJoining>>,
    pub(crate) page: WebPage,
    pub(crate) origins: Origins,
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) ice: Option<Arc<IceServers>>,
    pub(crate) issued: Option<IssuedCertificates>,
    pub(crate) stir: Arc<Stir>,
}

impl Server {
    pub(crate) fn new(parts: Parts) -> Rc<Self> {
        let server = Rc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            clock: parts.clock,
            proxy: RefCell::new(parts.proxy),
            network: parts.network,
            kept: parts.kept,
            lines: EventLines::new(parts.post.loops()),
            post: parts.post,
            stopping: Notify::new(),
            resolver: parts.resolver,
            media: parts.media,
            page: RefCell::new(parts.page),
            origins: RefCell::new(parts.origins),
            tokens: RefCell::new(parts.tokens),
            stir: RefCell::new(parts.stir),
            sign_ins: SignIns::default(),
            ice: RefCell::new(parts.ice),
            issued: parts.issued,
            wake_at: Cell::new(Instant::NEVER),
            sooner: Notify::new(),
            last_sent: Cell::new(std::time::Instant::now()),
            to_store: RefCell::default(),
            draining: Cell::new(false),
        });
        if let Some(media) = &server.media {
            let me = server.me.clone();
            media.release_to(Rc::new(move |released| {
                if let Some(server) = me.upgrade() {
                    server.released(released);
                }
            }));
        }
        server
    }

    /// Takes what of a configuration can change while the server runs, on this event loop and on all others.
    pub(crate) fn reconfigure_all(&self, anew: Reconfiguration) {
        let letter = Letter::Reconfiguration(Arc::new(anew));
        self.post.tell(&letter);
        self.open(letter);
    }

    /// Takes other certificates on all event loops, for connections from now on.
    pub(crate) fn replace_certificates(&self, tls: LoadedTls) {
        let letter = Letter::Certificates(tls);
        self.post.tell(&letter);
        self.open(letter);
    }

    fn reconfigure(&self, anew: &Reconfiguration) {
        self.network.replace_tls(&anew.tls);
        self.page.borrow_mut().serve(&anew.proxy.domains);
        self.origins.replace(anew.origins.clone());
        self.tokens.replace(anew.tokens.clone());
        self.ice.replace(anew.ice.clone());
        self.stir.replace(Arc::clone(&anew.stir));
        self.with_proxy(|running, _| running.reconfigure(anew.proxy.clone()));
    }

    /// What joins browsers and phones.
    pub(crate) fn media(&self) -> Option<Rc<MediaJoining>> {
        self.media.clone()
    }

    /// Wakes the proxy whenever it asked for it. Ends never: it is dropped with the loop.
    pub(crate) async fn keep_time(self: Rc<Self>) {
        self.drain();
        loop {
            let at = self.wake_at.get();
            if at == Instant::NEVER {
                self.sooner.notified().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(at)) => {
                    if self.clock.now() >= at {
                        // What is due at one time leaves together.
                        self.network.together(|| self.with_proxy(|proxy, now| proxy.timeout(now)));
                    }
                }
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Closes connections whose tokens have ended. Ends never.
    pub(crate) async fn end_sign_ins(self: Rc<Self>) {
        loop {
            match self.sign_ins.ended(self.clock.now()) {
                Ok(flow) => self.network.close(&flow, CloseCode::POLICY_VIOLATION),
                Err(Instant::NEVER) => self.sign_ins.one_ends_sooner().await,
                Err(at) => tokio::select! {
                    () = tokio::time::sleep(self.clock.until(at)) => {}
                    () = self.sign_ins.one_ends_sooner() => {}
                },
            }
        }
    }

    /// Carries out what the gateway for media wants of the proxy: calls hung up, parties told something. Ends never,
    /// as long as there is a gateway.
    pub(crate) async fn speak_for_media(self: Rc<Self>) {
        let Some(media) = self.media() else { return };
        loop {
            media.requests_wait().await;
            self.send_own_requests();
        }
    }

    /// Hangs up all calls that the gateway joins: their media is about to end.
    pub(crate) fn hang_up_joined_calls(&self, reason: &Reason) {
        if let Some(media) = &self.media {
            media.hang_up_all(reason);
            self.send_own_requests();
        }
    }

    fn send_own_requests(&self) {
        for request in self.media.as_ref().map(|media| media.take_requests()).unwrap_or_default() {
            self.with_proxy(|proxy, now| {
                proxy.send_in_dialog(now, &request);
            });
        }
    }

    /// Whether nothing is in progress: no transaction is left, or nothing has been sent for a while. What waits
    /// longer waits for a person, and one that is over only for what the network may still bring.
    pub(crate) fn is_quiet(&self) -> bool {
        self.proxy.borrow().transactions() == 0 || self.last_sent.get().elapsed() > QUIET
    }

    /// Does what the other loops leave here. Ends never.
    pub(crate) async fn read_letters(self: Rc<Self>) {
        let mut letters = Vec::new();
        loop {
            self.post.take(&mut letters).await;
            self.network.together(|| {
                for letter in letters.drain(..) {
                    // As with a message from the network: one that nobody foresaw does not end the loop.
                    if catch_unwind(AssertUnwindSafe(|| self.open(letter))).is_err() {
                        self.lines.tell_network(&NetEvent::HandlerPanicked);
                    }
                }
            });
            // The sockets have their turn, however many letters come.
            tokio::task::yield_now().await;
        }
    }

    fn open(&self, letter: Letter) {
        match letter {
            Letter::Arrived { flow, bytes } => self.arrived(&flow, &bytes),
            Letter::Send { hop, bytes } => self.network.send(&hop, &bytes),
            Letter::Closed(flow) => self.with_proxy(|proxy, now| proxy.flow_closed(now, &flow)),
            Letter::Unreachable(hop) => self.with_proxy(|proxy, now| proxy.unreachable(now, &hop)),
            Letter::News(news) => self.with_proxy(|proxy, now| proxy.hear(now, &news)),
            Letter::Reconfiguration(anew) => self.reconfigure(&anew),
            Letter::Certificates(tls) => self.network.replace_tls(&tls),
            Letter::Stop => self.stopping.notify_one(),
        }
    }

    fn hand_over(&self, place: usize, letter: Letter) {
        if !self.post.hand_over(place, letter) {
            self.lines.refused("an event loop has too much to do: a message for it is lost");
        }
    }

    /// Waits until another loop says that the server stops.
    pub(crate) async fn told_to_stop(&self) {
        self.stopping.notified().await;
    }

    /// The way to the other event loops.
    pub(crate) const fn post(&self) -> &Post {
        &self.post
    }

    /// One thing handed to the proxy, and all that follows from it.
    fn with_proxy(&self, hand_in: impl FnOnce(&mut Proxy, Instant)) {
        hand_in(&mut self.proxy.borrow_mut(), self.clock.now());
        self.drain();
    }

    fn drain(&self) {
        let Some(_turn) = Turn::take(&self.draining) else { return };
        loop {
            // The proxy is borrowed for this line only: what follows may hand something in again.
            let output = self.proxy.borrow_mut().poll();
            match output {
                Output::Transmit { hop, bytes } => self.send_onward(&hop, &bytes),
                Output::Ask { id, question } => self.answer(id, question),
                Output::Event(event) => self.lines.tell(&event),
                Output::Share(news) => self.post.tell(&Letter::News(news)),
                Output::Timeout(at) => {
                    let at = on_the_grid(at);
                    if at < self.wake_at.replace(at) {
                        self.sooner.notify_one();
                    }
                    break;
                }
            }
        }
    }

    /// Sends what the proxy wants sent, its description translated where browser and phone must be joined.
    fn send_onward(&self, hop: &Hop, bytes: &[u8]) {
        let onward = self.media.as_ref().map_or(Onward::AsItIs, |media| media.outgoing(hop, bytes));
        if let (Onward::AsItIs, Some(ice)) = (&onward, &*self.ice.borrow())
            && let Some(with_servers) = ice.told(hop, bytes, SystemTime::now)
        {
            return self.send_renumbered(hop, &with_servers);
        }
        self.go_on(hop, bytes, onward);
    }

    fn go_on(&self, hop: &Hop, bytes: &[u8], onward: Onward) {
        match onward {
            Onward::AsItIs => self.send_renumbered(hop, bytes),
            Onward::Nowhere => {}
            Onward::Instead(translated) => self.send_renumbered(hop, &translated),
            Onward::Refused(response) => {
                let back = back_from(hop);
                if let Some(media) = &self.media {
                    media.hears(&back, &response);
                }
                self.proxy.borrow_mut().receive(self.clock.now(), &back, &response);
            }
        }
    }

    /// A message that waited for its translation goes on.
    fn released(&self, released: Released) {
        match released {
            Released::Leaves { hop, bytes, onward } => {
                self.go_on(&hop, &bytes, onward);
                self.drain();
            }
            Released::Arrives { flow, bytes } => {
                self.with_proxy(|proxy, now| proxy.receive(now, &flow, &bytes));
            }
        }
    }

    /// Sends a message with the CSeq number that it has among requests of our own.
    fn send_renumbered(&self, hop: &Hop, bytes: &[u8]) {
        let renumbered = self.media.as_ref().and_then(|media| media.renumbered(bytes));
        self.send(hop, renumbered.as_deref().unwrap_or(bytes));
    }

    fn send(&self, hop: &Hop, bytes: &[u8]) {
        trace("to", hop.transport(), hop.address(), bytes);
        self.last_sent.set(std::time::Instant::now());
        match self.post.connection_elsewhere(&self.network, hop) {
            None => self.network.send(hop, bytes),
            Some(place) => self.hand_over(place, Letter::Send { hop: hop.clone(), bytes: bytes.into() }),
        }
    }

    fn answer(&self, id: AskId, question: Question) {
        match question {
            Question::Credentials { user, realm } => {
                let secret = self.kept.secret_of(&user, &realm);
                self.proxy.borrow_mut().credentials(self.clock.now(), id, secret);
            }
            Question::Token { token } => {
                let holder = self.holder_of(&token);
                self.proxy.borrow_mut().token(self.clock.now(), id, holder);
            }
            Question::Sign { claims } => {
                let signed = self.stir.borrow().signed(&claims);
                self.proxy.borrow_mut().signed(self.clock.now(), id, signed);
            }
            Question::Verify { identities, date, orig, dest } => {
                let call = Call { identities: &identities, date: date.as_deref(), orig: &orig, dest: &dest };
                let result = self.stir.borrow().verified(call);
                self.proxy.borrow_mut().verified(self.clock.now(), id, result);
            }
            Question::Store { aor, record } if self.network.is_together() => {
                self.to_store.borrow_mut().push((id, aor, record));
            }
            Question::Store { aor, record } => {
                self.stored(id, self.kept.store(&aor, record.as_deref()));
            }
            Question::Resolve { host, port, transport, secure } => {
                if let Some(hop) = Hop::literal(&host, port, transport, secure) {
                    return self.proxy.borrow_mut().resolved(self.clock.now(), id, Ok(vec![hop]));
                }
                let (resolver, me) = (self.resolver.clone(), self.me.clone());
                tokio::task::spawn_local(async move {
                    let found = resolver.resolve(&host, port, transport, secure).await;
                    if let Err(error) = &found {
                        log::debug(format!("{} leads nowhere: {error}", log::Escaped(host.as_bytes())));
                    }
                    if let Some(server) = me.upgrade() {
                        server.with_proxy(|proxy, now| proxy.resolved(now, id, found.map_err(resolve_error)));
                    }
                });
            }
        }
    }

    fn holder_of(&self, token: &str) -> Option<TokenHolder> {
        let tokens = self.tokens.borrow().clone()?;
        let holder = tokens.holder(self.clock.now(), token);
        match holder.inspect_err(|error| log::debug(format!("a token counts for nothing: {error}"))) {
            Ok(holder) => Some(holder),
            Err(error) if error.is_of_time() => {
                Some(TokenHolder { user: String::new(), until: Instant::ZERO })
            }
            Err(_) => None,
        }
    }

    fn stored(&self, id: AskId, kept: Result<(), StoreError>) {
        if let Err(error) = &kept {
            self.lines.refused(&error.to_string());
        }
        self.proxy.borrow_mut().stored(self.clock.now(), id, kept.map_err(|_| proxy::StoreError));
    }

    /// Keeps what the registrations of a turn left to be kept, with one write, and lets them be answered.
    fn store_waiting(&self) {
        // A registration that waited behind another of its user comes up only now.
        loop {
            let waiting = self.to_store.take();
            if waiting.is_empty() {
                return;
            }
            let records: Vec<_> =
                waiting.iter().map(|(_, aor, record)| (aor.as_slice(), record.as_deref())).collect();
            let outcomes = self.kept.store_all(&records);
            for ((id, ..), kept) in waiting.iter().zip(outcomes) {
                self.stored(*id, kept);
            }
            self.drain();
        }
    }

    /// A message of this loop's, whichever loop received it.
    fn arrived(&self, flow: &Flow, bytes: &[u8]) {
        let renumbered = self.media.as_ref().and_then(|media| media.renumbered_back(bytes));
        let bytes = renumbered.as_deref().unwrap_or(bytes);
        if let Some(media) = self.media.as_ref().filter(|media| media.wants_second_attempt(bytes)) {
            self.with_proxy(|proxy, now| proxy.receive_for_second_attempt(now, flow, bytes));
            media.hears(flow, bytes);
            return;
        }
        match self.media.as_ref().map_or(Inward::AsItIs, |media| media.incoming(flow, bytes)) {
            Inward::AsItIs => self.with_proxy(|proxy, now| proxy.receive(now, flow, bytes)),
            Inward::Instead(translated) => {
                self.with_proxy(|proxy, now| proxy.receive(now, flow, &translated))
            }
            Inward::Later => {}
        }
    }

    /// An answer to what is too large or cannot be cut, as far as its headers can be read (RFC 3261 §18.3,
    /// §21.5.7).
    fn refuse_malformed(&self, flow: &Flow, status: u16, bytes: &[u8]) -> bool {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let Ok(request) = Message::parse(&bytes[..end + 4]) else { return false };
        if request.method().is_none_or(|method| matches!(method, Method::Ack)) || request.top_via().is_err() {
            return false;
        }
        let Ok(response) = Builder::response_to(&request, status, "").finish() else { return false };
        self.send(&Hop::Flow(*flow), &response);
        true
    }
}

/// The next multiple of [`GRID`].
fn on_the_grid(at: Instant) -> Instant {
    let grid = u64::try_from(GRID.as_micros()).unwrap_or(1);
    at.as_micros().checked_next_multiple_of(grid).map_or(Instant::NEVER, Instant::from_micros)
}

/// The flow on which an answer of that hop would come.
const fn back_from(hop: &Hop) -> Flow {
    match hop {
        Hop::Flow(flow) => *flow,
        Hop::Address { transport, address, .. } => {
            Flow { transport: *transport, connection: ConnectionId(0), local: *address, remote: *address }
        }
    }
}

/// For the search for a fault: one line a message, with its first line.
fn trace(direction: &str, transport: Transport, address: SocketAddr, bytes: &[u8]) {
    if log::writes(Level::Debug) {
        let line = bytes.split(|octet| *octet == b'\r').next().unwrap_or_default();
        log::debug(format!("{direction} {address} over {}: {}", transport.via_token(), log::Escaped(line)));
    }
}

fn resolve_error(error: net::ResolveError) -> proxy::ResolveError {
    match error {
        net::ResolveError::Unanswered => proxy::ResolveError::Unavailable,
        _ => proxy::ResolveError::NotFound,
    }
}

impl Handler for Server {
    fn message(&self, flow: &Flow, bytes: &[u8]) {
        trace("from", flow.transport, flow.remote, bytes);
        match self.post.owner_elsewhere(bytes) {
            None => self.arrived(flow, bytes),
            Some(owner) => self.hand_over(owner, Letter::Arrived { flow: *flow, bytes: bytes.into() }),
        }
    }

    fn turn_over(&self) {
        self.store_waiting();
    }

    fn opened(&self, flow: &Flow) {
        if let Some(holder) = self.sign_ins.opened(flow) {
            self.with_proxy(|proxy, now| proxy.signed_in(now, flow, holder));
        }
    }

    fn identified(&self, flow: &Flow, domains: Vec<String>) {
        log::debug(format!(
            "{} shows a certificate for {}",
            flow.remote,
            log::Escaped(domains.join(", ").as_bytes())
        ));
        self.with_proxy(|proxy, now| proxy.identified(now, flow, domains));
    }

    fn closed(&self, flow: &Flow) {
        self.sign_ins.closed(flow);
        self.post.tell(&Letter::Closed(*flow));
        self.with_proxy(|proxy, now| proxy.flow_closed(now, flow));
    }

    fn unreachable(&self, hop: &Hop) {
        // Whoever sent there may be another loop; so it is with a datagram, whose error any socket of the port may get.
        self.post.tell(&Letter::Unreachable(hop.clone()));
        self.with_proxy(|proxy, now| proxy.unreachable(now, hop));
    }

    fn malformed(&self, flow: &Flow, fault: &Malformed, bytes: &[u8]) -> AfterFault {
        let status = if *fault == Malformed::TooLarge { 513 } else { 400 };
        let answered = self.refuse_malformed(flow, status, bytes);
        let answer = if answered { format!("answered {status}") } else { "dropped".to_owned() };
        let transport = flow.transport.via_token();
        self.lines
            .refused(&format!("malformed message from {} over {transport}, {answer}: {fault}", flow.remote));
        AfterFault::Close
    }

    fn accept(&self, request: &UpgradeRequest<'_>) -> Result<(), HttpRefusal> {
        if origin::may_connect(request.request.origin(), request.request.host(), &self.origins.borrow()) {
            return match &*self.tokens.borrow() {
                Some(tokens) => self.sign_ins.asked(self.clock.now(), tokens, request),
                None => Ok(()),
            };
        }
        let origin = log::Escaped(request.request.origin().unwrap_or_default()).to_string();
        Err(HttpRefusal {
            status: 403,
            reason: format!(
                "pages of {origin} may not connect here; web.origins in the configuration can let them"
            )
            .into(),
        })
    }

    fn http(&self, request: &HttpRequest<'_>) -> HttpResponse {
        if let Some(answer) = self.issued.as_ref().and_then(|issued| issued.answer_at(request.target)) {
            return HttpResponse::text(200, answer);
        }
        self.page.borrow().answer(request)
    }

    fn event(&self, event: &NetEvent) {
        self.lines.tell_network(event);
    }
}
