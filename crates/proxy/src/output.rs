//! What the proxy asks of its surroundings, and how it is answered.

use core::hash::BuildHasherDefault;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sip::digest::Ha1;
use sip::{Hop, Instant, Transport};

use crate::common::Spread;
use crate::event::Event;
use crate::news::News;
use crate::stir::{Claims, Party};

/// What to do next.
#[derive(Debug)]
pub enum Output {
    /// Send `bytes`, one message, to `hop`.
    Transmit {
        /// Where to.
        hop: Hop,
        /// The message.
        bytes: Arc<[u8]>,
    },
    /// Look something up, and answer with the same `id`.
    Ask {
        /// The number to answer with.
        id: AskId,
        /// What is asked.
        question: Question,
    },
    /// Something happened that a log may tell.
    Event(Event),
    /// The proxies of the other event loops are to hear this ([`Proxy::hear`](crate::Proxy::hear)). A proxy that is
    /// alone shares nothing.
    Share(News),
    /// Nothing more to do before this instant ([`Instant::NEVER`]: before something arrives).
    Timeout(Instant),
}

/// What was asked for, by the numbers of questions. They are ours and count up: a product spreads them.
pub(crate) type ByQuestion<V> = HashMap<AskId, V, BuildHasherDefault<Spread>>;

/// The number of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub(crate) u64);

/// What the proxy wants to know or to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Where to send, by RFC 3263. Answered with [`Proxy::resolved`](crate::Proxy::resolved).
    Resolve {
        /// A name, or an address without brackets.
        host: String,
        /// The port that the URI names.
        port: Option<u16>,
        /// The transport that the URI names, or that the message asks for.
        transport: Option<Transport>,
        /// Whether only TLS will do (`sips`).
        secure: bool,
    },
    /// The secret of a user, `None` if there is no such user. Answered with
    /// [`Proxy::credentials`](crate::Proxy::credentials).
    Credentials {
        /// The user name.
        user: String,
        /// The realm.
        realm: String,
    },
    /// Whose token this is, also of one that has ended; `None` if it is none that counts. Answered with
    /// [`Proxy::token`](crate::Proxy::token).
    Token {
        /// The token: visible characters, as the request has it.
        token: String,
    },
    /// Who calls and is called, to be signed (RFC 8224 §4.1). Answered with [`Proxy::signed`](crate::Proxy::signed).
    Sign {
        /// What is to be signed.
        claims: Box<Claims>,
    },
    /// Whether one of these signatures holds for this call (RFC 8224 §6.2). Answered with
    /// [`Proxy::verified`](crate::Proxy::verified).
    Verify {
        /// The values of its `Identity` headers, one at the least.
        identities: Vec<Vec<u8>>,
        /// The value of its `Date` header.
        date: Option<Vec<u8>>,
        /// The caller, in all forms in which a signer may have named him; the one to be preferred first.
        orig: Vec<Party>,
        /// The callee, likewise.
        dest: Vec<Party>,
    },
    /// Keep this record in place of the one before. Answered with [`Proxy::stored`](crate::Proxy::stored), once
    /// it will survive a crash.
    Store {
        /// The address-of-record.
        aor: Vec<u8>,
        /// Its bindings in an encoding of the proxy's own; `None` if there are none left.
        record: Option<Vec<u8>>,
    },
}

/// The hashes of one user's password, as far as they are known (RFC 7616 §3.4.2).
#[derive(Clone, Debug, Default)]
pub struct UserSecret {
    /// For MD5.
    pub md5: Option<Ha1>,
    /// For SHA-256.
    pub sha256: Option<Ha1>,
    /// For SHA-512-256.
    pub sha512_256: Option<Ha1>,
}

/// Who is behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    /// The user name, without a domain: one of ours in each of our domains, as with passwords.
    pub user: String,
    /// When the token ends.
    pub until: Instant,
}

/// Why a name led nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such name.
    NotFound,
    /// The name is there, but no transport of ours leads to it.
    NoTransport,
    /// The name servers did not answer.
    Unavailable,
}

/// The store did not keep the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

/// What waits to be polled.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    last_question: u64,
}

impl Outbox {
    pub(crate) fn transmit(&mut self, hop: Hop, bytes: Arc<[u8]>) {
        self.queue.push_back(Output::Transmit { hop, bytes });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.queue.push_back(Output::Event(event));
    }

    pub(crate) fn share(&mut self, news: News) {
        self.queue.push_back(Output::Share(news));
    }

    pub(crate) fn ask(&mut self, question: Question) -> AskId {
        self.last_question += 1;
        let id = AskId(self.last_question);
        self.queue.push_back(Output::Ask { id, question });
        id
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
