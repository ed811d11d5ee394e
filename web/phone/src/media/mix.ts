/** Mixes the microphone and what comes in from several calls: a track for each call, with everything but its own sound. */

interface Member {
  readonly remote: MediaStream;
  /** Absent until the first sound track has come. */
  source: MediaStreamAudioSourceNode | undefined;
  readonly output: MediaStreamAudioDestinationNode;
}

export class Mix {
  readonly #context = new AudioContext();
  readonly #gain = new GainNode(this.#context);
  readonly #members = new Map<object, Member>();
  #stream: MediaStream;
  #microphone: MediaStreamAudioSourceNode;

  /** Takes the microphone over: `close` stops it. */
  constructor(microphone: MediaStream) {
    this.#stream = microphone;
    this.#microphone = this.#listen(microphone);
    // The page was clicked to get here; a browser that waits all the same is asked again.
    if (this.#context.state === 'suspended') void this.#context.resume().catch(() => undefined);
  }

  /** What `key`, who sends `remote`, is to hear. */
  add(key: object, remote: MediaStream): MediaStreamTrack | undefined {
    const output = new MediaStreamAudioDestinationNode(this.#context);
    this.#gain.connect(output);
    for (const member of this.#members.values()) member.source?.connect(output);
    this.#members.set(key, { remote, source: undefined, output });
    this.refresh();
    return output.stream.getAudioTracks()[0];
  }

  /** Listens to those whose sound has come meanwhile. */
  refresh(): void {
    for (const member of this.#members.values()) {
      if (member.source || member.remote.getAudioTracks().length === 0) continue;
      member.source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: member.remote });
      for (const other of this.#members.values()) if (other !== member) member.source.connect(other.output);
    }
  }

  remove(key: object): void {
    const gone = this.#members.get(key);
    if (!gone) return;
    this.#members.delete(key);
    gone.source?.disconnect();
    this.#gain.disconnect(gone.output);
    for (const member of this.#members.values()) member.source?.disconnect(gone.output);
  }

  setMicrophone(on: boolean): void {
    this.#gain.gain.value = on ? 1 : 0;
  }

  changeMicrophone(microphone: MediaStream): void {
    this.#microphone.disconnect();
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = microphone;
    this.#microphone = this.#listen(microphone);
  }

  close(): void {
    for (const track of this.#stream.getTracks()) track.stop();
    void this.#context.close();
  }

  #listen(microphone: MediaStream): MediaStreamAudioSourceNode {
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: microphone });
    source.connect(this.#gain);
    return source;
  }
}
