/** Ringtone, ringback, key tones and the busy tone, all made from oscillators: nothing to download. */

interface Beat {
  /** Frequencies in hertz, sounding together. */
  readonly tones: readonly number[];
  /** Seconds of sound and then of silence. */
  readonly on: number;
  readonly off: number;
}

// Ringback and busy are the European cadence of 425 Hz (ITU-T E.180), so that people know them.
const RINGBACK: readonly Beat[] = [{ tones: [425], on: 1, off: 4 }];
const BUSY: readonly Beat[] = [{ tones: [425], on: 0.25, off: 0.25 }, { tones: [425], on: 0.25, off: 0.25 }, { tones: [425], on: 0.25, off: 0.25 }];
const RINGTONE: readonly Beat[] = [
  { tones: [659, 988], on: 0.18, off: 0.04 }, { tones: [784, 1175], on: 0.18, off: 0.04 },
  { tones: [988, 1480], on: 0.32, off: 0.3 }, { tones: [784, 1175], on: 0.18, off: 0.04 },
  { tones: [988, 1480], on: 0.4, off: 1.8 },
];
// A second caller: two short tones every ten seconds, under the conversation (ITU-T E.180: call waiting).
const KNOCK: readonly Beat[] = [{ tones: [425], on: 0.2, off: 0.2 }, { tones: [425], on: 0.2, off: 9.4 }];
const MESSAGE: readonly Beat[] = [{ tones: [880], on: 0.09, off: 0.03 }, { tones: [1175], on: 0.14, off: 0 }];
// RFC 4733 §3.2, table 3: the two frequencies of every key.
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = '123456789*0#';

export class Sounds {
  #context: AudioContext | undefined;
  #repeat: ReturnType<typeof setInterval> | undefined;
  #playing: 'ringtone' | 'ringback' | 'knock' | undefined;
  #output: GainNode | undefined;

  /** Call from a click or a key press: only then may the browser start sound. */
  unlock(): void {
    if (this.#context?.state === 'suspended') void this.#context.resume();
  }

  /** `volume` from 0 to 1. */
  ring(sink: string | undefined, volume = 0.7): void {
    this.#loop('ringtone', RINGTONE, 0.32 * volume, sink);
  }

  knock(sink: string | undefined): void {
    this.#loop('knock', KNOCK, 0.05, sink);
  }

  ringback(sink: string | undefined): void {
    this.#loop('ringback', RINGBACK, 0.09, sink);
  }

  busy(): void {
    this.stop();
    this.#play(BUSY, 0.1);
  }

  message(): void {
    if (!this.#playing) this.#play(MESSAGE, 0.12);
  }

  /** Three rising tones, to hear which speaker it is. */
  test(sink: string | undefined): void {
    if (!this.#playing) this.#play([523, 659, 784].map((tone) => ({ tones: [tone], on: 0.25, off: 0.05 })), 0.2, sink);
  }

  key(key: string): void {
    const place = KEYS.indexOf(key);
    if (place < 0 || this.#playing) return;
    this.#play([{ tones: [ROWS[Math.floor(place / 3)]!, COLUMNS[place % 3]!], on: 0.1, off: 0 }], 0.06);
  }

  stop(): void {
    clearInterval(this.#repeat);
    this.#playing = undefined;
    this.#output?.disconnect();
    this.#output = undefined;
  }

  #loop(name: 'ringtone' | 'ringback' | 'knock', beats: readonly Beat[], volume: number, sink: string | undefined): void {
    if (this.#playing === name) return;
    this.stop();
    this.#playing = name;
    const length = beats.reduce((sum, beat) => sum + beat.on + beat.off, 0);
    this.#play(beats, volume, sink);
    this.#repeat = setInterval(() => this.#play(beats, volume, sink), length * 1000);
  }

  #play(beats: readonly Beat[], volume: number, sink?: string): void {
    const context = this.#ready(sink);
    if (!context) return;
    this.#output?.disconnect();
    const output = new GainNode(context, { gain: volume });
    output.connect(context.destination);
    this.#output = output;
    let at = context.currentTime + 0.02;
    for (const beat of beats) {
      for (const frequency of beat.tones) sound(context, output, frequency, at, beat.on, beat.tones.length);
      at += beat.on + beat.off;
    }
  }

  #ready(sink: string | undefined): AudioContext | undefined {
    try {
      this.#context ??= new AudioContext();
      const context = this.#context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
      void context.setSinkId?.(sink ?? '').catch(() => undefined);
      if (context.state === 'suspended') void context.resume().catch(() => undefined);
      return context;
    } catch {
      return undefined; // A browser without sound still shows the call.
    }
  }
}

function sound(context: AudioContext, output: AudioNode, frequency: number, at: number, seconds: number, voices: number): void {
  const oscillator = new OscillatorNode(context, { frequency });
  const envelope = new GainNode(context, { gain: 0 });
  // Short ramps: a tone that starts or stops at once clicks.
  envelope.gain.setValueAtTime(0, at);
  envelope.gain.linearRampToValueAtTime(1 / voices, at + 0.012);
  envelope.gain.setValueAtTime(1 / voices, at + seconds - 0.012);
  envelope.gain.linearRampToValueAtTime(0, at + seconds);
  oscillator.connect(envelope).connect(output);
  oscillator.start(at);
  oscillator.stop(at + seconds + 0.02);
}
