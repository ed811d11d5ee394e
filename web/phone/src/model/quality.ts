/** Looks at the sound of a running call every other second: how good it is, and what is wrong with it for longer than a moment. */
import type { Call } from './call.ts';
import type { Library, Quality } from './library.ts';

const EVERY = 2_000;
/** A phone that says nothing in silence is no trouble yet; one that says nothing for so many looks is. */
const LOOKS = 3;

export type Trouble = NonNullable<Quality['trouble']>;

export class QualityWatch {
  readonly #measure: Library['quality'];
  readonly #changed: () => void;
  #call: Call | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #looks = 0;
  #looking = false;

  constructor(measure: Library['quality'], changed: () => void) {
    this.#measure = measure;
    this.#changed = changed;
  }

  /** The call that is on the screen. */
  follow(call: Call | undefined): void {
    const running = call?.phase === 'talking' ? call : undefined;
    if (running === this.#call) return;
    this.#call = running;
    this.#looks = 0;
    clearInterval(this.#timer);
    if (running) this.#timer = setInterval(() => void this.look(), EVERY);
  }

  async look(): Promise<void> {
    const call = this.#call;
    const connection = call?.session?.connection;
    if (!call || !connection || this.#looking) return;
    this.#looking = true;
    try {
      const quality = await this.#measure(connection, call.quality);
      // Nobody misses the sound of a call that is on hold.
      const held = call.held.local || call.held.remote;
      const wrong = held ? undefined : quality.trouble;
      this.#looks = wrong && wrong === call.quality?.trouble ? this.#looks + 1 : wrong ? 1 : 0;
      if (call !== this.#call) return;
      call.quality = quality;
      const atOnce = wrong === 'path' || wrong === 'microphone';
      call.trouble = wrong && (atOnce || this.#looks >= LOOKS) ? wrong : undefined;
      this.#changed();
    } catch {
      // The connection was closed meanwhile: there is nothing to say.
    } finally {
      this.#looking = false;
    }
  }
}
