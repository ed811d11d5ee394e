/** How loud a stream is now, from 0 to 1. */
export class LevelMeter {
  readonly #context = new AudioContext();
  readonly #analyser = new AnalyserNode(this.#context, { fftSize: 512 });
  readonly #samples = new Float32Array(this.#analyser.fftSize);
  #source: MediaStreamAudioSourceNode | undefined;

  listen(stream: MediaStream): void {
    this.#source?.disconnect();
    this.#source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream });
    this.#source.connect(this.#analyser);
  }

  get level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this.#samples.length + 1e-9);
    return Math.min(1, Math.max(0, (decibels + 60) / 55));
  }

  close(): void {
    this.#source?.disconnect();
    void this.#context.close();
  }
}
