// Runs every `*.test.ts` and `*.test.mjs` of the library, the page and the element with node's own test runner.
// `node test.mjs PART` runs only the files whose path contains PART.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv[2] ?? '';
const files = ['library/test', 'phone/test', 'element/test'].flatMap(tests).filter((file) => file.includes(wanted));
if (files.length === 0) {
  console.error(`no test file${wanted && ` with "${wanted}" in its path`} in library/test, phone/test or element/test`);
  process.exit(1);
}
const run = spawnSync(process.execPath, ['--import', './typescript-loader.mjs', '--test', ...files], { cwd: here, stdio: 'inherit' });
process.exit(run.status ?? 1);

function tests(folder) {
  let entries = [];
  try {
    entries = readdirSync(join(here, folder), { recursive: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return entries.filter((name) => /\.test\.(ts|mjs)$/.test(name)).map((name) => join(folder, name)).sort();
}
