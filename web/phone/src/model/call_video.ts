/** The picture that a running call sends: the camera, the screen, or none. It comes and goes by a new offer. */
import type { Devices } from '../media/devices.ts';
import type { Session } from './library.ts';

export type VideoSource = 'camera' | 'screen';

/** How often, and how many milliseconds apart, an offer is tried while another one is under way. */
const ATTEMPTS = 20;
const PAUSE = 250;

export class CallVideo {
  /** What is sent now. */
  source: VideoSource | undefined;
  #track: MediaStreamTrack | undefined;

  constructor(
    private readonly devices: Devices,
    private readonly session: () => Session | undefined,
    private readonly local: () => MediaStream | undefined,
    /** Whether nothing is to be seen for now. */
    private readonly away: () => boolean,
    private readonly changed: () => void,
  ) {}

  /** The call began with the camera on. */
  adopt(track: MediaStreamTrack | undefined): void {
    this.#track = track;
    this.source = track ? 'camera' : undefined;
  }

  /** Sends `wanted`, or stops if it is sent already. @throws MediaError if it cannot be had. */
  async toggle(wanted: VideoSource): Promise<void> {
    if (this.source === wanted) {
      await this.#send(undefined, undefined);
      return;
    }
    const track = wanted === 'camera' ? await this.devices.openCamera() : await openScreen();
    if (!track) return;
    // The browser's own bar ends the sharing, too.
    track.addEventListener('ended', () => { if (this.#track === track) void this.#send(undefined, undefined); });
    await this.#send(track, wanted);
  }

  /** Uses the chosen camera from now on. */
  async changeCamera(): Promise<void> {
    if (this.source !== 'camera') return;
    const track = await this.devices.openCamera();
    if (track) await this.#send(track, 'camera');
  }

  stop(): void {
    this.#track?.stop();
    this.#track = undefined;
    this.source = undefined;
  }

  async #send(track: MediaStreamTrack | undefined, source: VideoSource | undefined): Promise<void> {
    const connection = this.session()?.connection;
    const local = this.local();
    if (!connection || !local) {
      track?.stop();
      return;
    }
    const old = this.#track;
    this.#track = track;
    this.source = source;
    if (track) {
      track.enabled = !this.away();
      local.addTrack(track);
    }
    const place = connection.getTransceivers().find((each) => each.receiver.track.kind === 'video' && each.direction !== 'stopped');
    const before = place?.direction;
    if (!place) {
      if (track) connection.addTrack(track, local);
    } else {
      await place.sender.replaceTrack(track ?? null);
      place.direction = track ? 'sendrecv' : 'recvonly';
    }
    if (old) {
      local.removeTrack(old);
      old.stop();
    }
    if (place?.direction !== before || !place) this.#offer(ATTEMPTS);
    this.changed();
  }

  #offer(attempts: number): void {
    const session = this.session();
    if (!session || session.isEnded() || attempts === 0) return;
    if (session.renegotiate({}) === false) setTimeout(() => this.#offer(attempts - 1), PAUSE);
  }
}

/** Whether this browser can share its screen at all. */
export function canShareScreen(): boolean {
  return typeof (navigator.mediaDevices as MediaDevices | undefined)?.getDisplayMedia === 'function';
}

/** `undefined` if the user changed his mind. */
async function openScreen(): Promise<MediaStreamTrack | undefined> {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false }).catch(() => undefined);
  return stream?.getVideoTracks()[0];
}
