/** Doubles of the browser's media: enough of WebRTC's signalling states to catch a wrong order. */

export class FakeTrack {
  enabled = true;
  readyState = 'live';
  constructor(readonly kind: 'audio' | 'video') {}
  stop(): void {
    this.readyState = 'ended';
  }
  clone(): FakeTrack {
    return Object.assign(new FakeTrack(this.kind), { enabled: this.enabled });
  }
}

export class FakeStream {
  #tracks: FakeTrack[];
  constructor(...kinds: ('audio' | 'video')[]) {
    this.#tracks = kinds.map((kind) => new FakeTrack(kind));
  }
  getTracks(): FakeTrack[] {
    return [...this.#tracks];
  }
  getAudioTracks(): FakeTrack[] {
    return this.#tracks.filter((track) => track.kind === 'audio');
  }
  getVideoTracks(): FakeTrack[] {
    return this.#tracks.filter((track) => track.kind === 'video');
  }
  removeTrack(track: FakeTrack): void {
    this.#tracks = this.#tracks.filter((each) => each !== track);
  }
}

/** Microphone and camera: they give what is asked for, or refuse. */
export class FakeDevices {
  asked: MediaStreamConstraints[] = [];
  given: FakeStream[] = [];
  refusal: Error | undefined;
  /** Set to keep the user thinking. */
  answer: Promise<void> = Promise.resolve();

  async getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
    this.asked.push(constraints);
    await this.answer;
    if (this.refusal) {
      throw this.refusal;
    }
    const stream = new FakeStream(...(['audio', 'video'] as const).filter((kind) => constraints[kind]));
    this.given.push(stream);
    return stream as unknown as MediaStream;
  }
}

class FakeDtmf {
  canInsertDTMF = true;
  toneBuffer = '';
  played: [string, number, number][] = [];
  insertDTMF(tones: string, duration: number, gap: number): void {
    this.toneBuffer = tones;
    this.played.push([tones, duration, gap]);
  }
}

interface FakeTransceiver {
  direction: string;
  currentDirection: string | null;
  sender: { track: FakeTrack | null; dtmf: FakeDtmf | null };
}

export class FakePeerConnection extends EventTarget {
  static last: FakePeerConnection;
  /** What the next connections do with candidates: nothing more to find, or one found and then silence. */
  static gathering: 'complete' | 'one' | 'none' = 'complete';
  /** Methods that fail, by name. */
  static failing = new Set<string>();
  /** What a browser without provisional answers says. */
  static provisionalAnswers = true;

  readonly done: string[] = [];
  configuration: RTCConfiguration | undefined;
  signalingState = 'stable';
  iceGatheringState = 'new';
  iceConnectionState = 'new';
  connectionState = 'new';
  localDescription: { type: string; sdp: string } | null = null;
  remoteDescription: { type: string; sdp: string } | null = null;
  closed = false;
  #transceivers: FakeTransceiver[] = [];
  #offers = 0;
  #restarts = 0;
  /** What the peer's candidates were said to be. */
  readonly added: RTCIceCandidateInit[] = [];

  constructor(configuration?: RTCConfiguration) {
    super();
    this.configuration = configuration;
    FakePeerConnection.last = this;
  }

  getConfiguration(): RTCConfiguration {
    return this.configuration ?? {};
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }

  addTrack(track: FakeTrack): void {
    const dtmf = track.kind === 'audio' ? new FakeDtmf() : null;
    this.#transceivers.push({ direction: 'sendrecv', currentDirection: null, sender: { track, dtmf } });
  }

  getTransceivers(): FakeTransceiver[] {
    return this.#transceivers;
  }

  getSenders(): FakeTransceiver['sender'][] {
    return this.#transceivers.map((each) => each.sender);
  }

  async createOffer(options?: RTCOfferOptions): Promise<{ type: string; sdp: string }> {
    this.#step('createOffer');
    if (options?.iceRestart) {
      this.done.push('iceRestart');
      this.iceGatheringState = 'new';
      this.#restarts += 1;
    }
    this.#offers += 1;
    return { type: 'offer', sdp: this.#description('offer') };
  }

  async createAnswer(): Promise<{ type: string; sdp: string }> {
    this.#step('createAnswer');
    if (this.signalingState !== 'have-remote-offer') {
      throw new Error(`createAnswer in ${this.signalingState}`);
    }
    return { type: 'answer', sdp: this.#description('answer') };
  }

  async setLocalDescription(description: { type: string; sdp: string }): Promise<void> {
    this.#step(`setLocalDescription ${description.type}`);
    const next = this.#next(description.type, 'local');
    if (description.type !== 'rollback') {
      this.localDescription = description;
    }
    this.signalingState = next;
    if (description.type !== 'rollback' && this.iceGatheringState !== 'complete') {
      this.#gather();
    }
  }

  async setRemoteDescription(description: { type: string; sdp: string }): Promise<void> {
    this.#step(`setRemoteDescription ${description.type}`);
    if (description.type === 'pranswer' && !FakePeerConnection.provisionalAnswers) {
      throw new Error('pranswer not yet implemented');
    }
    if (description.sdp?.includes('broken')) {
      throw new Error('a description that WebRTC does not take');
    }
    this.signalingState = this.#next(description.type, 'remote');
    if (description.type !== 'rollback') {
      this.remoteDescription = description;
    }
  }

  close(): void {
    this.closed = true;
    this.signalingState = 'closed';
  }

  /** The page's network says something. */
  ice(state: string): void {
    this.iceConnectionState = state;
    this.dispatchEvent(new Event('iceconnectionstatechange'));
  }

  /** The whole connection, checks and encryption, is in this state. */
  connected(state: string): void {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  async addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    this.#step('addIceCandidate');
    this.added.push(candidate);
  }

  /** A candidate is found after the description, or the last one was. */
  finds(candidate: string | null): void {
    if (candidate === null) {
      this.iceGatheringState = 'complete';
    } else if (this.localDescription !== null) {
      this.localDescription = { ...this.localDescription, sdp: `${this.localDescription.sdp}a=${candidate}\r\n` };
    }
    this.candidate(candidate === null ? null : { candidate });
  }

  candidate(candidate: unknown): void {
    this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
  }

  #gather(): void {
    const { gathering } = FakePeerConnection;
    this.iceGatheringState = 'gathering';
    queueMicrotask(() => {
      if (gathering === 'none') {
        return;
      }
      this.finds('candidate:1');
      if (gathering === 'complete') {
        this.iceGatheringState = 'complete';
        this.candidate(null);
        this.dispatchEvent(new Event('icegatheringstatechange'));
      }
    });
  }

  #step(name: string): void {
    if (this.closed) {
      throw new Error(`${name} on a closed connection`);
    }
    this.done.push(name);
    if (FakePeerConnection.failing.has(name.split(' ')[0] ?? '')) {
      throw new Error(`${name} fails`);
    }
  }

  /** W3C WebRTC §4.3.1: the signalling states. */
  #next(type: string, side: 'local' | 'remote'): string {
    const other = side === 'local' ? 'remote' : 'local';
    const moves: Record<string, Record<string, string>> = {
      offer: { stable: `have-${side}-offer`, [`have-${side}-offer`]: `have-${side}-offer` },
      answer: { [`have-${other}-offer`]: 'stable', [`have-${side}-pranswer`]: 'stable' },
      pranswer: { [`have-${other}-offer`]: `have-${side}-pranswer`, [`have-${side}-pranswer`]: `have-${side}-pranswer` },
      rollback: { [`have-${side}-offer`]: 'stable' },
    };
    const next = moves[type]?.[this.signalingState];
    if (next === undefined) {
      throw new Error(`${side} ${type} in ${this.signalingState}`);
    }
    return next;
  }

  #description(type: string): string {
    const sections = this.#transceivers.map(
      (each, mid) =>
        `m=${each.sender.track?.kind} 9 UDP/TLS/RTP/SAVPF 111\r\na=${each.direction}\r\na=mid:${mid}\r\na=ice-ufrag:own${this.#restarts}\r\na=ice-pwd:secret\r\n`,
    );
    return `v=0\r\no=- 1 ${this.#offers} IN IP4 127.0.0.1\r\ns=${type}\r\nt=0 0\r\n${sections.join('')}`;
  }
}

/** A description of the far end. */
export function sdp(direction = 'sendrecv', note = 'far'): string {
  return `v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=${note}\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=${direction}\r\n`;
}
