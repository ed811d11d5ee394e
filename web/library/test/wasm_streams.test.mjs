/** The WebAssembly module, taken apart for the way and put together again in the page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitModule } from '../../wasm_split.mjs';
import { wholeModule } from '../src/wasm_streams.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module with these function bodies, each with two locals and its last `end`, behind a section of 100 octets. */
function moduleOf(...bodies) {
  const code = [bodies.length, ...bodies.flatMap((body) => [...leb(body.length + 4), 1, 2, 0x7f, ...body, 0x0b])];
  return Uint8Array.from([...HEADER, 0, 100, ...Array(100).fill(7), 10, ...leb(code.length), ...code]);
}

function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

test('Every operation that the compiler emits comes back as it was', async () => {
  const module = moduleOf(
    [0x02, 0x40, 0x03, 0x7f, 0x20, 0, 0x0d, 1, 0x0b, 0x1a, 0x0b],
    [0x20, 0, 0x04, 0x40, 0x05, 0x0c, 0, 0x0b, 0x0e, 2, 0, 1, 0, 0x10, 0x85, 1, 0x11, 3, 0],
    [0x41, 5, 0x41, 0x80, 0x80, 0xc0, 0, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    [0x28, 2, 4, 0x28, 0, 4, 0x29, 2, 0x90, 1, 0x3e, 2, 0, 0x2c, 0, 9],
    [0x43, 1, 2, 3, 4, 0x44, 1, 2, 3, 4, 5, 6, 7, 8, 0x23, 0, 0x24, 0, 0x3f, 0, 0x40, 0],
    [0xfc, 10, 0, 0, 0xfc, 11, 0, 0xfc, 2, 0xfc, 8, 1, 0, 0xfc, 9, 1, 0x1c, 1, 0x7f, 0xd0, 0x70, 0xd2, 3, 0xc0],
    Array(500).fill(0x01),
  );
  const packed = await splitModule(module);
  assert.ok(packed.length < module.length + 20);
  assert.deepEqual([...wholeModule(packed)], [...module]);
});

test('A module that was not taken apart is taken as it is', () => {
  const module = moduleOf([0x01]);
  assert.equal(wholeModule(module), module);
});

test('A module with operations that are not known is refused at build time', async () => {
  await assert.rejects(splitModule(moduleOf([0xfd, 0x0c, ...Array(16).fill(2), 0x1a])), /operation 0xfd/);
});
