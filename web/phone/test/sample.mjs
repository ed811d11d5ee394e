// People, calls and messages for pictures: what a browser that has been used for a while remembers.
const HOUR = 3_600_000;

const PEERS = {
  bob: { uri: 'sip:bob@example.com', name: 'Bob Martin' },
  carmen: { uri: 'sip:carmen@example.com', name: 'Carmen Ruiz' },
  desk: { uri: 'sip:200@example.com', name: 'Reception' },
  number: { uri: 'sip:+34911234567@example.com' },
  dora: { uri: 'sip:dora@office.example.org', name: 'Dora Lindqvist' },
};

export function stored() {
  const now = Date.now();
  const recent = (peer, kind, hours, seconds = 0) => ({ peer, kind, at: now - hours * HOUR, seconds, video: false });
  const line = (id, own, body, minutes, state = 'done', outcome = undefined) => ({ id, own, body, at: now - minutes * 60_000, state, outcome });
  return {
    contacts: [PEERS.bob, PEERS.carmen, PEERS.desk, PEERS.dora],
    recents: [recent(PEERS.carmen, 'incoming', 0.4, 754), recent(PEERS.bob, 'missed', 1.2), recent(PEERS.number, 'outgoing', 2.1, 63),
      recent(PEERS.dora, 'notReached', 26), recent(PEERS.bob, 'outgoing', 27, 1890), recent(PEERS.desk, 'incoming', 29, 45), recent(PEERS.carmen, 'outgoing', 75, 312)],
    conversations: [
      { peer: PEERS.bob, unread: 2, messages: [line(1, false, 'Are you back from the workshop?', 64), line(2, true, 'Just now. Shall I call you?', 61), line(3, false, 'In ten minutes, please.\nI am still in the lift :-)', 59), line(4, true, 'Fine', 58, 'failed', { key: 'endedUnavailable', normal: false, code: 480 }), line(5, false, 'Ready when you are', 2)] },
      { peer: PEERS.carmen, unread: 0, messages: [line(6, true, 'Thanks for the numbers!', 190)] },
      { peer: PEERS.dora, unread: 0, messages: [line(7, false, 'The contract is in your mailbox', 1600)] },
    ],
  };
}

/** Runs in the page before it loads. */
export function prepare({ language, kept, refused, insecure }) {
  localStorage.setItem('sipweb.language', JSON.stringify(language));
  if (kept) {
    localStorage.setItem('sipweb.recents.sip:alice@example.com', JSON.stringify(kept.recents));
    localStorage.setItem('sipweb.contacts.sip:alice@example.com', JSON.stringify(kept.contacts));
    localStorage.setItem('sipweb.conversations.sip:alice@example.com', JSON.stringify(kept.conversations));
  }
  if (refused) navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
  if (insecure) Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
}
