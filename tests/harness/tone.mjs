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

/** The strongest of some frequencies at the end of a recording (16 bit WAV), and how far it stands out. */
export function strongestIn(wav, frequencies) {
  const rate = wav.readUInt32LE(24);
  const channels = wav.readUInt16LE(22);
  const samples = [];
  for (let at = 44; at + 2 <= wav.length; at += 2 * channels) samples.push(wav.readInt16LE(at) / 32_768);
  const window = samples.slice(-Math.round(rate / 2));
  const power = (hertz) => {
    let real = 0;
    let imaginary = 0;
    window.forEach((sample, index) => {
      real += sample * Math.cos((2 * Math.PI * hertz * index) / rate);
      imaginary += sample * Math.sin((2 * Math.PI * hertz * index) / rate);
    });
    return (2 * Math.hypot(real, imaginary)) / Math.max(1, window.length);
  };
  const found = frequencies.map((hertz) => ({ hertz, level: power(hertz) })).sort((one, other) => other.level - one.level);
  return { ...found[0], next: found[1]?.level ?? 0, seconds: samples.length / rate };
}
