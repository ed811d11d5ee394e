/** Random names, from the browser's cryptographic generator. */

/** A token of `size` characters out of the first `base` digits of 0-9a-z. */
export function createRandomToken(size: number, base = 32): string {
  let token = '';
  while (token.length < size) {
    for (const octet of crypto.getRandomValues(new Uint8Array(size))) {
      // Octets at and above the largest multiple of `base` are thrown away: the rest is evenly spread.
      if (octet < 256 - (256 % base) && token.length < size) {
        token += (octet % base).toString(base);
      }
    }
  }
  return token;
}

/** A tag for From or To. RFC 3261 §19.3 asks for 32 bits of randomness; this has 50. */
export function newTag(): string {
  return createRandomToken(10);
}

/** A random UUID (RFC 9562 §5.4). `crypto.randomUUID` does not exist in pages without a secure context. */
export function newUUID(): string {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  const digits = Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
