// Tones: made as WAV files for a browser's fake microphone, and told apart by what a page hears.
import { writeFileSync } from 'node:fs';

/** Writes two seconds of a sine (16 bit, mono, 48 kHz); a whole number of periods, so that it loops cleanly. */
export function writeTone(path, hertz) {
  const rate = 48_000;
  const samples = rate * 2;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples * 2, 40);
  for (let index = 0; index < samples; index++) {
    wav.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hertz * index) / rate)), 44 + index * 2);
  }
  writeFileSync(path, wav);
}

/**
 * Runs inside a page: the strongest frequency that comes out of a peer connection, and how strong it is
 * (decibels of full scale; below -80 is silence).
 */
export async function heardInPage(find, milliseconds) {
  // The caller hands in the source of a function: pages share no closures with the test.
  const connection = new Function(`return (${find})()`)();
  const tracks = connection.getReceivers().map((receiver) => receiver.track).filter((track) => track?.kind === 'audio');
  const context = (window.heardContext ??= new AudioContext({ sampleRate: 48_000 }));
  await context.resume();
  const stream = new MediaStream(tracks);
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  analyser.smoothingTimeConstant = 0;
  source.connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  source.disconnect();
  let best = 0;
  for (let bin = 1; bin < levels.length; bin++) if (levels[bin] > levels[best]) best = bin;
  return { hertz: (best * context.sampleRate) / analyser.fftSize, level: levels[best] };
}

/** The format of a recording that says it (16 bit WAV). */
function formatOf(wav, otherwise) {
  if (wav.toString('latin1', 0, 4) !== 'RIFF') return otherwise;
  return { rate: wav.readUInt32LE(24), channels: wav.readUInt16LE(22) };
}

/** The tones of the tests: whoever looks for one must find it stronger than the others. */
const TONES = [440, 660, 880];
/** So much of a recording is needed to judge it. */
const SECONDS = 0.3;

/**
 * What a phone hears, by its recording: `read` gives the file as it is now, or nothing. Only what is recorded from now
 * on counts. `format` is for recordings that are told their format only when they are closed.
 */
export class Listening {
  constructor(read, format) {
    this.read = read;
    this.format = format;
    this.from = read()?.length ?? 44;
  }

  /** How strong each tone is, all sound as loud as it is, and for how long was listened; throws while that is too short. */
  found() {
    const wav = this.read() ?? Buffer.alloc(0);
    if (wav.length < 44) throw new Error('nothing is recorded');
    const { rate, channels } = formatOf(wav, this.format);
    const start = Math.max(44, this.from, wav.length - Math.round(rate * SECONDS) * 2 * channels);
    const samples = [];
    for (let at = start - ((start - 44) % (2 * channels)); at + 2 <= wav.length; at += 2 * channels) samples.push(wav.readInt16LE(at) / 32_768);
    if (samples.length < rate * SECONDS * 0.9) throw new Error(`${Math.round((1000 * samples.length) / rate)} ms are recorded so far`);
    const tones = Object.fromEntries(TONES.map((hertz) => [hertz, power(samples, hertz, rate)]));
    return { tones, level: Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length) };
  }

  /** What was found if this tone stands out; otherwise an error that says what was heard. */
  hears(hertz) {
    const { tones } = this.found();
    const others = Math.max(...TONES.filter((other) => other !== hertz).map((other) => tones[other]));
    if (tones[hertz] > 0.02 && tones[hertz] > 10 * others) return tones;
    throw new Error(JSON.stringify(tones));
  }

  /** Whether there is silence. */
  hearsNothing() {
    const { level } = this.found();
    if (level < 0.003) return true;
    throw new Error(`a level of ${level}`);
  }
}

function power(samples, hertz, rate) {
  let real = 0;
  let imaginary = 0;
  samples.forEach((sample, index) => {
    real += sample * Math.cos((2 * Math.PI * hertz * index) / rate);
    imaginary += sample * Math.sin((2 * Math.PI * hertz * index) / rate);
  });
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}
