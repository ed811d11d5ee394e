/** Microphones, speakers and cameras: which ones to use, and why one cannot be had. */
import { read, write } from '../model/storage.ts';

export type MediaProblem = 'insecure' | 'refused' | 'missing' | 'busy' | 'camera';
export type DeviceKind = 'microphone' | 'speaker' | 'ringer' | 'camera';

export interface DeviceChoice {
  microphone?: string;
  speaker?: string;
  ringer?: string;
  camera?: string;
  /** How loud the ringtone is, from 0 to 1. */
  ringerVolume?: number;
  /** Echo cancellation, noise suppression and gain control. */
  processing: boolean;
}

export class MediaError extends Error {
  readonly problem: MediaProblem;
  constructor(problem: MediaProblem) {
    super(problem);
    this.problem = problem;
  }
}

export class Devices {
  readonly choice: DeviceChoice = { processing: true, ...read<Partial<DeviceChoice>>('devices') };
  list: readonly MediaDeviceInfo[] = [];
  /** Told when a device was plugged in or taken away. */
  onplugged = (): void => undefined;
  /** Told when a microphone was opened. */
  onopened = (): void => undefined;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#media?.addEventListener?.('devicechange', () => void this.refresh().then(() => this.onplugged()));
  }

  /** Whether the browser lets this page have a microphone at all: not in an insecure context. */
  get available(): boolean {
    return typeof this.#media?.getUserMedia === 'function';
  }

  get canChooseSpeaker(): boolean {
    return 'setSinkId' in HTMLMediaElement.prototype;
  }

  get #media(): MediaDevices | undefined {
    return navigator.mediaDevices as MediaDevices | undefined;
  }

  async refresh(): Promise<void> {
    try {
      this.list = (await this.#media?.enumerateDevices()) ?? [];
    } catch {
      this.list = [];
    }
    this.#changed();
  }

  of(kind: DeviceKind): readonly MediaDeviceInfo[] {
    const wanted = kind === 'microphone' ? 'audioinput' : kind === 'camera' ? 'videoinput' : 'audiooutput';
    return this.list.filter((device) => device.kind === wanted && device.deviceId && device.deviceId !== 'default');
  }

  /** The chosen speaker; while it is unplugged, that of the system. */
  get speaker(): string | undefined {
    const { speaker } = this.choice;
    // Before a microphone was allowed no device has an id.
    const known = this.list.filter((device) => device.kind === 'audiooutput' && device.deviceId);
    return known.length === 0 || known.some((device) => device.deviceId === speaker) ? speaker : undefined;
  }

  choose(kind: DeviceKind, id: string): void {
    if (id) this.choice[kind] = id;
    else delete this.choice[kind];
    this.#keep();
  }

  setRingerVolume(volume: number): void {
    this.choice.ringerVolume = volume;
    this.#keep();
  }

  setProcessing(on: boolean): void {
    this.choice.processing = on;
    this.#keep();
  }

  /** Opens the chosen microphone, and the camera if wanted. A chosen device that is gone gives way to the default one. */
  async open(video: boolean): Promise<MediaStream> {
    if (!this.available) throw new MediaError('insecure');
    try {
      const stream = await this.#chosen(video);
      this.onopened();
      return stream;
    } catch (error) {
      throw new MediaError(problemOf(error));
    } finally {
      void this.refresh(); // Names of devices are only told once a microphone was allowed.
    }
  }

  async #chosen(video: boolean): Promise<MediaStream> {
    try {
      return await this.#request(video, this.choice.microphone);
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      if (this.choice.microphone && (name === 'OverconstrainedError' || name === 'NotFoundError')) return this.#request(video, undefined);
      throw error;
    }
  }

  /** The chosen camera alone. A chosen one that is gone gives way to any. */
  async openCamera(): Promise<MediaStreamTrack | undefined> {
    if (!this.available) throw new MediaError('insecure');
    try {
      const stream = await this.#media!.getUserMedia({ video: this.#camera });
      return stream.getVideoTracks()[0];
    } catch {
      throw new MediaError('camera');
    } finally {
      void this.refresh();
    }
  }

  get #camera(): MediaTrackConstraints {
    return { width: { ideal: 1280 }, height: { ideal: 720 }, ...(this.choice.camera ? { deviceId: this.choice.camera } : {}) };
  }

  #request(video: boolean, microphone: string | undefined): Promise<MediaStream> {
    const { processing } = this.choice;
    const audio: MediaTrackConstraints = {
      echoCancellation: processing,
      noiseSuppression: processing,
      autoGainControl: processing,
      ...(microphone ? { deviceId: { exact: microphone } } : {}),
    };
    return this.#media!.getUserMedia({ audio, video: video && this.#camera });
  }

  #keep(): void {
    write('devices', this.choice);
    this.#changed();
  }
}

function problemOf(error: unknown): MediaProblem {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    default:
      return 'busy';
  }
}

/** Sends `element` to the chosen output where the browser can; a device that is gone means the default. */
export async function sendTo(element: HTMLMediaElement, id: string | undefined): Promise<void> {
  if (!('setSinkId' in element)) return;
  await element.setSinkId(id ?? '').catch(() => element.setSinkId('').catch(() => undefined));
}
