//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
//!
//! What identifies a transaction is chosen by the peer and has any length. The table keeps a fingerprint of it: 128
//! bits of SipHash under two secrets of this run. Who does not know them cannot make two transactions meet, nor fill
//! one bucket of the table; that they meet by chance is not to be expected in the life of any server.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::entropy::Entropy;
use crate::fingerprint::{Mixer, Secrets};
use crate::header::HeaderName;
use crate::message::Message;
use crate::method::Method;

/// The identity of a transaction, in 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(u64, u64);

impl Fingerprint {
    fn of(mixer: &Mixer) -> Self {
        let [one, other] = mixer.finish();
        Self(one, other)
    }

    const fn piece(self) -> usize {
        (self.0 as usize) % PIECES
    }
}

/// Whether a request names its transaction as RFC 3261 has it, or must be recognised as RFC 2543 had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// The branch starts with the magic cookie and goes on.
    Branch,
    /// No branch, one without the cookie, or the bare cookie, which cannot be unique (RFC 4475 §3.1.2.19 has one).
    Rfc2543,
}

/// Makes fingerprints under secrets of this run.
pub(super) struct Fingerprints {
    secrets: Secrets,
}

/// A table from fingerprints to indices. It is in pieces, so that no message waits while all entries move into a larger
/// one: a piece that has to grow moves its own.
pub(super) struct FingerprintTable {
    pieces: [Piece; PIECES],
}

type Piece = HashMap<Fingerprint, u32, BuildHasherDefault<Folded>>;

const PIECES: usize = 64;

impl Default for FingerprintTable {
    fn default() -> Self {
        Self { pieces: core::array::from_fn(|_| Piece::default()) }
    }
}

impl FingerprintTable {
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<u32> {
        self.pieces.get(fingerprint.piece())?.get(&fingerprint).copied()
    }

    pub(super) fn insert(&mut self, fingerprint: Fingerprint, index: u32) {
        if let Some(piece) = self.pieces.get_mut(fingerprint.piece()) {
            piece.insert(fingerprint, index);
        }
    }

    pub(super) fn remove(&mut self, fingerprint: Fingerprint) {
        if let Some(piece) = self.pieces.get_mut(fingerprint.piece()) {
            piece.remove(&fingerprint);
        }
    }
}

/// A fingerprint is a keyed hash already: half of it serves the table.
#[derive(Default)]
pub(super) struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 ^= number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Fingerprints {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let [one, other] = [(); 2].map(|()| [entropy.number(), entropy.number()].map(u64::to_le_bytes));
        Self { secrets: Secrets::new([one.as_flattened(), other.as_flattened()]) }
    }

    /// The server transaction of a request, taking its method to be `method`: INVITE for an ACK, and for the INVITE
    /// that a CANCEL cancels (RFC 3261 §17.2.3, §9.2).
    pub(super) fn server(&self, request: &Message, method: Method<'_>) -> (Fingerprint, Generation) {
        let mut mixer = self.secrets.mixer();
        mixer.field(method.as_bytes());
        if let Ok(via) = request.top_via()
            && let Some(branch) = via.transaction_branch()
        {
            mixer.field(b"server");
            // Tokens compare without case, but real peers draw branches out of both cases: a message of theirs with
            // another case is another transaction.
            mixer.field(branch);
            mixer.folded_field(via.sent_by());
            return (Fingerprint::of(&mixer), Generation::Branch);
        }
        mixer.field(b"server of RFC 2543");
        mixer.field(request.request_uri());
        mixer.field(request.from_tag().unwrap_or_default());
        mixer.field(request.header(HeaderName::CallId).unwrap_or_default());
        match request.cseq() {
            Ok(cseq) => mixer.number(cseq.number),
            Err(_) => mixer.field(request.header(HeaderName::CSeq).unwrap_or_default()),
        }
        mixer.field(request.first_value(HeaderName::Via).unwrap_or_default());
        // The ACK's To tag is the response's, not the INVITE's; it is compared when the ACK comes. Within one dialog
        // the CSeq tells INVITEs apart.
        if !matches!(method, Method::Invite) {
            mixer.field(request.to_tag().unwrap_or_default());
        }
        (Fingerprint::of(&mixer), Generation::Rfc2543)
    }

    /// The client transaction of a request of ours, or of the response to it: the branch and the sent-by that we
    /// wrote, and the method, since a CANCEL shares the branch of its INVITE (RFC 3261 §17.1.3). `None` if they
    /// cannot be read.
    pub(super) fn client(&self, message: &Message) -> Option<Fingerprint> {
        let via = message.top_via().ok()?;
        Some(self.client_named(via.branch()?, via.sent_by(), message.cseq().ok()?.method))
    }

    /// The client transaction of a request of this method with this branch and this sent-by in the Via on top.
    pub(super) fn client_named(&self, branch: &[u8], sent_by: &[u8], method: Method<'_>) -> Fingerprint {
        let mut mixer = self.secrets.mixer();
        mixer.field(method.as_bytes());
        mixer.field(b"client");
        mixer.field(branch);
        mixer.folded_field(sent_by);
        Fingerprint::of(&mixer)
    }
}
