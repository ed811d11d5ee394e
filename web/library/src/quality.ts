/**
 * How well a call is heard: the browser's many statistics (W3C webrtc-stats) as one small object.
 *
 * ```js
 * let last;
 * setInterval(async () => {
 *   last = await callQuality(session.connection, last);
 *   show(last.score, last.received.lost, last.roundTrip);
 * }, 2000);
 * ```
 */

/** The quality of the sound of a call. Times are in milliseconds; counts are of the whole call. */
export interface CallQuality {
  /** In a word. `none`: nothing can be said yet. */
  readonly score: 'good' | 'fair' | 'poor' | 'none';
  /**
   * What is wrong now: the network path is gone (`path`), packets should arrive and do not (`nothingIn`), none are sent
   * (`nothingOut`), or the microphone gives no sound, because it was taken away or switched off (`microphone`).
   */
  readonly trouble: 'path' | 'nothingIn' | 'nothingOut' | 'microphone' | undefined;
  /** As descriptions name it: `opus`, `PCMU`. */
  readonly codec: string | undefined;
  /** Packets that came, and that should have come; how unevenly they came (RFC 3550 §6.4.1). */
  readonly received: { readonly packets: number; readonly lost: number; readonly jitter: number };
  /** `lost` is what the other end says. */
  readonly sent: { readonly packets: number; readonly lost: number };
  /** There and back. */
  readonly roundTrip: number | undefined;
  /** The ICE pair in use, as `address:port`; browsers hide local addresses that the page may not know. */
  readonly pair: { readonly local: string; readonly remote: string; readonly protocol: string } | undefined;
  /** When it was measured. */
  readonly at: number;
}

type Stats = Readonly<Record<string, any>>;

/** Two looks closer together than this say nothing about packets that stay away. */
const LOOK = 900;

/**
 * Reads the quality of a peer connection. With what was read before, loss and silence are those since then; without, those
 * of the whole call.
 */
export async function callQuality(connection: RTCPeerConnection, before?: CallQuality): Promise<CallQuality> {
  const all: Stats[] = [];
  const byId = new Map<string, Stats>();
  (await connection.getStats()).forEach((entry: Stats) => {
    all.push(entry);
    byId.set(entry['id'], entry);
  });
  const audio = (type: string) => all.find((entry) => entry['type'] === type && (entry['kind'] ?? 'audio') === 'audio');
  const incoming = audio('inbound-rtp');
  const outgoing = audio('outbound-rtp');
  const told = audio('remote-inbound-rtp');
  const pair = pairOf(all, byId);
  const trip = told?.['roundTripTime'] ?? pair?.['currentRoundTripTime'];
  const seen = {
    codec: (byId.get(incoming?.['codecId']) ?? byId.get(outgoing?.['codecId']))?.['mimeType']?.split('/')[1] as string | undefined,
    received: {
      packets: count(incoming?.['packetsReceived']),
      lost: count(incoming?.['packetsLost']),
      jitter: Math.round(count(incoming?.['jitter']) * 1000),
    },
    sent: { packets: count(outgoing?.['packetsSent']), lost: count(told?.['packetsLost']) },
    roundTrip: trip === undefined ? undefined : Math.round(trip * 1000),
    pair: pair && {
      local: address(byId.get(pair['localCandidateId'])),
      remote: address(byId.get(pair['remoteCandidateId'])),
      protocol: String(byId.get(pair['localCandidateId'])?.['protocol'] ?? ''),
    },
    at: performance.now(),
  };
  return { ...seen, score: score(seen, before), trouble: trouble(connection, seen, before) };
}

type Seen = Omit<CallQuality, 'score' | 'trouble'>;

/** By the planning model of ITU-T G.107 as it is usually shortened: delay and loss take away from 93. */
function score(seen: Seen, before: CallQuality | undefined): CallQuality['score'] {
  const arrived = seen.received.packets - (before?.received.packets ?? 0);
  const sent = seen.sent.packets - (before?.sent.packets ?? 0);
  if (arrived <= 0) {
    return 'none';
  }
  const lost = Math.max(0, seen.received.lost - (before?.received.lost ?? 0));
  const lostThere = Math.max(0, seen.sent.lost - (before?.sent.lost ?? 0));
  const loss = Math.max(lost / (lost + arrived), sent > 0 ? Math.min(1, lostThere / sent) : 0);
  const delay = (seen.roundTrip ?? 0) / 2 + seen.received.jitter * 2;
  const rating = 93 - (delay < 160 ? delay / 40 : (delay - 120) / 10) - 250 * loss;
  return rating >= 80 ? 'good' : rating >= 60 ? 'fair' : 'poor';
}

function trouble(connection: RTCPeerConnection, seen: Seen, before: CallQuality | undefined): CallQuality['trouble'] {
  const { iceConnectionState: ice } = connection;
  if (ice === 'failed' || ice === 'disconnected') {
    return 'path';
  }
  const lines = connection.getTransceivers().filter((line) => line.receiver.track.kind === 'audio');
  const track = lines.map((line) => line.sender.track).find((each) => each);
  const sends = lines.some((line) => line.currentDirection?.startsWith('send'));
  // Whoever holds us (`recvonly`) need not send anything.
  const receives = lines.some((line) => line.currentDirection === 'sendrecv');
  if (sends && (!track || track.readyState === 'ended' || track.muted)) {
    return 'microphone';
  }
  if (!before || seen.at - before.at < LOOK) {
    return undefined;
  }
  if (receives && seen.received.packets === before.received.packets) {
    return 'nothingIn';
  }
  return sends && seen.sent.packets === before.sent.packets ? 'nothingOut' : undefined;
}

/** The pair that carries the call: Chromium and Safari name it in the transport, Firefox marks it. */
function pairOf(all: readonly Stats[], byId: ReadonlyMap<string, Stats>): Stats | undefined {
  const transport = all.find((entry) => entry['type'] === 'transport' && entry['selectedCandidatePairId']);
  return byId.get(transport?.['selectedCandidatePairId']) ?? all.find((entry) => entry['type'] === 'candidate-pair' && entry['selected']);
}

function address(candidate: Stats | undefined): string {
  const host = String(candidate?.['address'] || '?');
  return `${host.includes(':') ? `[${host}]` : host}:${candidate?.['port'] ?? '?'}`;
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
