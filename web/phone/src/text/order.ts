/**
 * Letters of both directions on one line (UAX #9). Whoever calls or writes names himself, so a name, a link or a note must not set
 * the order of what stands beside it, nor of its own letters: "gro.elpmaxe" could be read as "example.org" (UTR #36, Bidirectional
 * Text Spoofing).
 */

/** Letters that are not seen and turn the order of others. */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\ud802\ud803\ud83a\ud83b]/;

export function unturned(words: string): string {
  return words.replace(TURNING, '');
}

/** `words` as a piece of a longer line: digits and signs around it stay where they are. */
export function isolated(words: string): string {
  const plain = unturned(words);
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}
