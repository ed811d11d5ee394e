import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callQuality, type CallQuality } from '../src/quality.js';

type Entry = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/** A peer connection with these statistics, sending and receiving unless told otherwise. */
function connection(entries: readonly Entry[], { ice = 'connected', direction = 'sendrecv', track = {} } = {}): RTCPeerConnection {
  const line = {
    currentDirection: direction,
    sender: { track: { kind: 'audio', readyState: 'live', muted: false, ...track } },
    receiver: { track: { kind: 'audio' } },
  };
  return {
    iceConnectionState: ice,
    getStats: async () => new Map(entries.map((entry) => [entry.id, entry])),
    getTransceivers: () => [line],
  } as unknown as RTCPeerConnection;
}

const figures = ({ received = 500, lost = 0, jitter = 0.004, sent = 500, lostThere = 0, trip = 0.04 } = {}): Entry[] => [
  { id: 'i', type: 'inbound-rtp', kind: 'audio', codecId: 'c', packetsReceived: received, packetsLost: lost, jitter },
  { id: 'o', type: 'outbound-rtp', kind: 'audio', codecId: 'c', packetsSent: sent },
  { id: 'r', type: 'remote-inbound-rtp', kind: 'audio', packetsLost: lostThere, roundTripTime: trip },
  { id: 'c', type: 'codec', mimeType: 'audio/opus' },
  { id: 'v', type: 'inbound-rtp', kind: 'video', packetsReceived: 7 },
  { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
  { id: 'p', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'm' },
  { id: 'l', type: 'local-candidate', address: '2001:db8::7', port: 4000, protocol: 'udp' },
  { id: 'm', type: 'remote-candidate', address: '203.0.113.7', port: 5000, protocol: 'udp' },
];

/** As it was some seconds ago. */
const earlier = (quality: CallQuality): CallQuality => ({ ...quality, at: quality.at - 2000 });

test('the statistics of a call become one object', async () => {
  const quality = await callQuality(connection(figures()));
  assert.deepEqual({ ...quality, at: 0 }, {
    score: 'good', trouble: undefined, codec: 'opus', roundTrip: 40, at: 0,
    received: { packets: 500, lost: 0, jitter: 4 }, sent: { packets: 500, lost: 0 },
    pair: { local: '[2001:db8::7]:4000', remote: '203.0.113.7:5000', protocol: 'udp' },
  });
});

test('Firefox marks the pair instead of naming it in a transport', async () => {
  const entries = figures().filter((entry) => entry.type !== 'transport').map((entry) => (entry.id === 'p' ? { ...entry, selected: true } : entry));
  assert.equal((await callQuality(connection(entries))).pair?.remote, '203.0.113.7:5000');
});

for (const [what, change, score] of [
  ['a loss of one in twenty', { received: 475, lost: 25 }, 'fair'],
  ['a loss of one in five', { received: 400, lost: 100 }, 'poor'],
  ['a loss on the way there', { lostThere: 100 }, 'poor'],
  ['a delay of half a second', { trip: 1 }, 'poor'],
  ['no packet yet', { received: 0 }, 'none'],
] as const) {
  test(`${what} makes the sound ${score}`, async () => {
    assert.equal((await callQuality(connection(figures(change)))).score, score);
  });
}

test('losses of long ago are forgotten', async () => {
  const before = await callQuality(connection(figures({ received: 300, lost: 200 })));
  assert.equal(before.score, 'poor');
  assert.equal((await callQuality(connection(figures({ received: 400, lost: 200, sent: 600 })), before)).score, 'good');
});

test('packets that stay away are told of, where they are expected', async () => {
  const before = earlier(await callQuality(connection(figures())));
  const trouble = async (stats: Entry[], options = {}) => (await callQuality(connection(stats, options), before)).trouble;
  assert.equal(await trouble(figures({ sent: 600 })), 'nothingIn');
  assert.equal(await trouble(figures({ received: 600 })), 'nothingOut');
  assert.equal(await trouble(figures({ sent: 600 }), { direction: 'sendonly' }), undefined);
  assert.equal(await trouble(figures(), { direction: 'inactive' }), undefined);
});

test('a path that is gone, or a microphone, is told of at once', async () => {
  const trouble = async (options: object) => (await callQuality(connection(figures(), options))).trouble;
  assert.equal(await trouble({ ice: 'disconnected' }), 'path');
  assert.equal(await trouble({ track: { readyState: 'ended' } }), 'microphone');
  assert.equal(await trouble({ track: { muted: true } }), 'microphone');
});

test('two looks at once say nothing about silence', async () => {
  const before = await callQuality(connection(figures()));
  assert.equal((await callQuality(connection(figures()), before)).trouble, undefined);
});
