/** What a visitor loads before he can call, compressed as a server sends it. Needs the built page. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const PAGE = fileURLToPath(new URL('../../dist/page', import.meta.url));

test('The page with all that it loads is under 150 kB', async () => {
  const entries = await readdir(PAGE, { recursive: true, withFileTypes: true });
  // The service worker comes later, and in the background.
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'sw.js').map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const sizes = await Promise.all(files.map(async (file) => brotliCompressSync(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length));
  assert.ok(files.length >= 4, `${files}`);
  const sum = sizes.reduce((all, size) => all + size, 0);
  assert.ok(sum < 150_000, `${sum} bytes`);
});
