/** Three or more people in one conversation, mixed in this page: each hears the microphone and all the others. */
import { Mix } from '../media/mix.ts';
import type { Call } from './call.ts';

export class Conference {
  members: readonly Call[] = [];
  muted = false;
  #away = false;
  readonly #mix: Mix;
  readonly #changed: () => void;

  constructor(microphone: MediaStream, changed: () => void) {
    this.#mix = new Mix(microphone);
    this.#changed = changed;
  }

  add(call: Call): void {
    if (this.members.includes(call)) return;
    this.members = [...this.members, call];
    void this.#send(call, this.#mix.add(call, call.remote));
    this.#changed();
  }

  async #send(call: Call, track: MediaStreamTrack | undefined): Promise<void> {
    await call.sendSound(track);
    // Here the microphone is silenced before the mix.
    if (call.muted && this.members.includes(call)) call.toggleMute();
  }

  /** Something changed with a call: its sound may have come. */
  refresh(): void {
    this.#mix.refresh();
  }

  remove(call: Call): void {
    if (!this.members.includes(call)) return;
    this.members = this.members.filter((each) => each !== call);
    this.#mix.remove(call);
    if (!call.over) {
      if (this.muted && !call.muted) call.toggleMute();
      void call.sendSound(undefined);
    }
    this.#changed();
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    this.#mix.setMicrophone(!this.muted && !this.#away);
    this.#changed();
  }

  /** The user talks to somebody else; the others go on without him. */
  setAway(away: boolean): void {
    this.#away = away;
    this.setMuted(this.muted);
  }

  changeMicrophone(microphone: MediaStream): void {
    this.#mix.changeMicrophone(microphone);
  }

  /** Everybody hears the microphone alone again. */
  close(): void {
    for (const call of this.members) this.remove(call);
    this.#mix.close();
  }
}
