// Takes a WebAssembly module apart so that it compresses better; library/src/wasm_streams.ts puts it together again in the page.
//
//   the module's size, the lengths of the streams (LEB128), the streams in the order of STREAMS
//
// Everything but the code is in `frame` as it is. Of a function body the length is left out, since its last `end` tells where it ends.
// In `operation` stand the opcodes, and in place of two octets one where it says the same:
//   0xc5         i32.const whose number is in `large`: addresses and the like, of three octets and more
//   0xd8..0xee   an access to memory (opcode + 0xb0) with alignment 0 where the natural one is another
//   0xff         an access with any other alignment, which follows: opcode, alignment
// An access with its natural alignment is its opcode alone.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const STREAMS = ['frame', 'declared', 'operation', 'block', 'branch', 'call', 'local', 'global', 'offset', 'small', 'large', 'long', 'rest'];
const NATURAL = [2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 3, 2, 3, 0, 1, 0, 1, 2];

/** Operations without operands, besides those from i32.eqz (0x45) on. */
const BARE = [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1];

/** The streams of a module, checked: put together again they are the module. @throws Error where they are not. */
export async function splitModule(module) {
  const packed = split(module);
  const source = fileURLToPath(new URL('library/src/wasm_streams.ts', import.meta.url));
  const { code } = await esbuild.transform(await readFile(source, 'utf8'), { loader: 'ts', format: 'esm', target: 'es2022' });
  const { wholeModule } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  if (Buffer.compare(Buffer.from(wholeModule(packed)), Buffer.from(module)) !== 0) {
    throw new Error('the WebAssembly module is not the same after it was taken apart and put together');
  }
  return packed;
}

function split(module) {
  const streams = Object.fromEntries(STREAMS.map((name) => [name, []]));
  let at = 0;
  const read = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const put = (name, from) => {
    for (let i = from; i < at; i += 1) streams[name].push(module[i]);
  };
  const number = (name) => {
    const from = at;
    const value = read();
    put(name, from);
    return value;
  };
  const octets = (name, count) => {
    at += count;
    put(name, at - count);
  };
  const operation = (...codes) => streams.operation.push(...codes);

  const instruction = () => {
    const code = module[at++];
    if (code >= 0x28 && code <= 0x3e) {
      const alignment = module[at++];
      if (alignment === NATURAL[code - 0x28]) operation(code);
      else if (alignment === 0) operation(code + 0xb0);
      else operation(0xff, code, alignment);
      number('offset');
      return;
    }
    if (code === 0x41) {
      const from = at;
      read();
      operation(at - from > 2 ? 0xc5 : code);
      put(at - from > 2 ? 'large' : 'small', from);
      return;
    }
    operation(code);
    if (code >= 0x02 && code <= 0x04) number('block');
    else if (code === 0x0c || code === 0x0d) number('branch');
    else if (code === 0x10) number('call');
    else if (code >= 0x20 && code <= 0x22) number('local');
    else if (code === 0x23 || code === 0x24) number('global');
    else if (code === 0x42) number('long');
    else if (code === 0x3f || code === 0x40 || code === 0xd0 || code === 0xd2) number('rest');
    else if (code === 0x0e) for (let more = number('rest') + 1; more > 0; more -= 1) number('rest');
    else if (code === 0x11) {
      number('rest');
      number('rest');
    } else if (code === 0x1c) octets('rest', number('rest'));
    else if (code === 0x43) octets('rest', 4);
    else if (code === 0x44) octets('rest', 8);
    else if (code === 0xfc) {
      const which = number('rest');
      const operands = { 8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1 }[which] ?? 0;
      for (let i = 0; i < operands; i += 1) number('rest');
    } else if (!((code >= 0x45 && code <= 0xc4) || BARE.includes(code))) {
      throw new Error(`wasm_split.mjs does not know the WebAssembly operation 0x${code.toString(16)}`);
    }
  };

  octets('frame', 8);
  while (at < module.length) {
    const code = module[at] === 10;
    octets('frame', 1);
    const length = number('frame');
    if (!code) {
      octets('frame', length);
      continue;
    }
    for (let bodies = number('frame'); bodies > 0; bodies -= 1) {
      const end = read() + at;
      for (let declarations = number('declared'); declarations > 0; declarations -= 1) {
        number('declared');
        octets('declared', 1);
      }
      while (at < end) instruction();
    }
  }
  const parts = STREAMS.map((name) => streams[name]);
  return Uint8Array.from([module.length, ...parts.map((part) => part.length)].flatMap(leb).concat(...parts));
}

function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}
