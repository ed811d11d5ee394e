/**
 * The WebAssembly module as it travels: its code taken apart into streams of one kind each (operations, locals, offsets, constants ..),
 * which compress an eighth better than the mixture. `wasm_split.mjs` takes it apart at build time, and has the format.
 */

/** The natural alignment of each access to memory, from i32.load (0x28) to i64.store32 (0x3e). */
const ALIGNMENT = [2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 3, 2, 3, 0, 1, 0, 1, 2];

const enum Stream { frame, declared, operation, block, branch, call, local, global, offset, small, large, long, rest }
const STREAMS = 13;

/** The stream of an operation's one number, where it has one; else 0. */
const NUMBER = new Uint8Array(256);
for (const [stream, ...operations] of [
  [Stream.block, 0x02, 0x03, 0x04], [Stream.branch, 0x0c, 0x0d], [Stream.call, 0x10], [Stream.local, 0x20, 0x21, 0x22],
  [Stream.global, 0x23, 0x24], [Stream.small, 0x41], [Stream.long, 0x42], [Stream.large, 0xc5],
  [Stream.rest, 0x0e, 0x11, 0x1c, 0x3f, 0x40, 0xd0, 0xd2, 0xfc],
] as const) {
  for (const operation of operations) {
    NUMBER[operation] = stream;
  }
}

/** The streams, where each is read next, and the module as far as it is written. */
interface Work {
  packed: Uint8Array<ArrayBuffer>;
  cursors: Uint32Array;
  bytes: Uint8Array<ArrayBuffer>;
  to: number;
}

/** The module. One that has not been taken apart (tests import it as it is) is returned as it is. */
export function wholeModule(packed: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (packed[0] === 0) {
    return packed;
  }
  const cursors = new Uint32Array(STREAMS);
  const work: Work = { packed, cursors, bytes: new Uint8Array(5 * (STREAMS + 1)), to: 0 };
  const size = number(work, Stream.frame);
  const lengths = Array.from(cursors, () => number(work, Stream.frame));
  let begin = cursors[Stream.frame]!;
  lengths.forEach((length, stream) => {
    cursors[stream] = begin;
    begin += length;
  });
  // Five octets more: a body is written before its length is known.
  work.bytes = new Uint8Array(size + 5);
  work.to = 0;
  octets(work, Stream.frame, 8);
  while (work.to < size) {
    const code = packed[cursors[Stream.frame]!] === 10;
    octets(work, Stream.frame, 1);
    const length = number(work, Stream.frame);
    if (code) {
      for (let bodies = number(work, Stream.frame); bodies > 0; bodies -= 1) {
        body(work);
      }
    } else {
      octets(work, Stream.frame, length);
    }
  }
  return work.bytes.subarray(0, size);
}

/** Copies a number in LEB128, and returns it. */
function number(work: Work, stream: Stream): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = work.packed[work.cursors[stream]!++]!;
    work.bytes[work.to++] = byte;
    value |= (byte & 127) << shift;
    if (byte < 128) {
      return value >>> 0;
    }
  }
}

function octets(work: Work, stream: Stream, count: number): void {
  const from = work.cursors[stream]!;
  work.bytes.set(work.packed.subarray(from, from + count), work.to);
  work.to += count;
  work.cursors[stream] = from + count;
}

function body(work: Work): void {
  const start = work.to;
  work.to += 5;
  for (let declarations = number(work, Stream.declared); declarations > 0; declarations -= 1) {
    number(work, Stream.declared);
    octets(work, Stream.declared, 1);
  }
  instructions(work);
  const end = work.to;
  work.to = start;
  let length = end - start - 5;
  for (; length > 127; length >>>= 7) {
    work.bytes[work.to++] = (length & 127) | 128;
  }
  work.bytes[work.to++] = length;
  work.bytes.copyWithin(work.to, start + 5, end);
  work.to += end - start - 5;
}

/** The instructions of a body. Almost all of the module is written here, before an engine has optimised anything: so it is one loop. */
function instructions(work: Work): void {
  const { packed, cursors, bytes } = work;
  let { to } = work;
  let next = cursors[Stream.operation]!;
  for (let depth = 1; depth > 0; ) {
    const operation = packed[next++]!;
    let stream = NUMBER[operation]!;
    if (stream === Stream.rest || operation === 0x43 || operation === 0x44) {
      bytes[to++] = operation;
      work.to = to;
      rare(work, operation);
      to = work.to;
      continue;
    }
    if (stream === Stream.large) {
      bytes[to++] = 0x41;
    } else if (operation >= 0x28 && operation < 0x3f) {
      bytes[to++] = operation;
      bytes[to++] = ALIGNMENT[operation - 0x28]!;
      stream = Stream.offset;
    } else if (operation >= 0xd8) {
      const special = operation === 0xff;
      bytes[to++] = special ? packed[next++]! : operation - 0xb0;
      bytes[to++] = special ? packed[next++]! : 0;
      stream = Stream.offset;
    } else {
      bytes[to++] = operation;
    }
    if (stream > 0) {
      let at = cursors[stream]!;
      let byte = 128;
      while (byte > 127) {
        bytes[to++] = byte = packed[at++]!;
      }
      cursors[stream] = at;
      if (stream === Stream.block) {
        depth += 1;
      }
    } else if (operation === 0x0b) {
      depth -= 1;
    }
  }
  cursors[Stream.operation] = next;
  work.to = to;
}

/** What follows br_table, call_indirect, select with types, constants of floating point, operations on memory and references. */
function rare(work: Work, operation: number): void {
  if (operation === 0x43 || operation === 0x44) {
    octets(work, Stream.rest, operation === 0x43 ? 4 : 8);
    return;
  }
  const value = number(work, Stream.rest);
  let more = operation === 0x0e ? value + 1 : operation === 0x11 ? 1 : 0;
  if (operation === 0xfc && value > 7) {
    more = value % 2 === 0 && value < 15 ? 2 : 1;
  }
  for (; more > 0; more -= 1) {
    number(work, Stream.rest);
  }
  if (operation === 0x1c) {
    octets(work, Stream.rest, value);
  }
}
