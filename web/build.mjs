// Builds what the web part ships:
//   dist/library  sipweb.js (module), sipweb.global.js (window.Sipweb, and a second name by data-alias), sipweb-phone.js (the element <sipweb-phone>),
//                 sipweb-shared.js and sipweb-worker.js (many tabs, one phone), types/
//   dist/page     index.html and its assets, named by their content so that they can be cached for ever
//
//   node build.mjs [--wasm PATH] [--library] [--sizes]
//
// The WebAssembly module comes from cargo; its path is `--wasm`, else $SIPWEB_WASM, else cargo's usual place. It is shrunk with
// wasm-opt into library/generated, from where the sources import it, and inlined: `new UA()` needs no second request.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { ALIAS } from './classic_script.mjs';
import { serviceWorker } from './service_worker.mjs';
import { splitModule } from './wasm_split.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DIST = join(HERE, 'dist');
const GENERATED = join(HERE, 'library/generated');
const WASM = join(GENERATED, 'sipweb_wasm.wasm');
const CARGO_WASM = join(HERE, '../target/wasm32-unknown-unknown/browser/sipweb_wasm.wasm');

// What rustc's wasm32-unknown-unknown may emit; every browser since 2022 has them.
const WASM_FEATURES = ['bulk-memory', 'bulk-memory-opt', 'sign-ext', 'mutable-globals', 'nontrapping-float-to-int', 'multivalue', 'reference-types'];

// Each of these was worth it after compression, which is what counts; others made the module smaller, but not its brotli.
// `low-memory-unused`: the first kilobyte is the far end of the stack, so no pointer is that small.
const PASSES = ['--low-memory-unused', '--flatten', '--rereloop', '-Oz', '--converge', '--merge-similar-functions', '-Oz', '--reorder-functions'];

const COMMON = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

/**
 * Inlines the module as text that compresses nearly as well as its bytes do: base64 would cost a quarter more after brotli,
 * since it spreads each byte over two letters. The most frequent bytes become one ASCII character each, in their order, the others
 * the characters from U+0100 on, in theirs. A module script is always read as UTF-8, so nothing is lost.
 */
const WASM_AS_TEXT = {
  name: 'wasm-as-text',
  setup(build) {
    build.onLoad({ filter: /\.wasm$/ }, async ({ path }) => {
      const packed = await splitModule(await readFile(path));
      const times = new Uint32Array(256);
      for (const byte of packed) times[byte] += 1;
      const frequent = Array.from(times.keys()).sort((a, b) => times[b] - times[a]).slice(0, PLAIN.length).sort((a, b) => a - b);
      let others = 256;
      const letters = Array.from(times.keys(), (byte) => PLAIN[frequent.indexOf(byte)] ?? String.fromCharCode(others++));
      return {
        contents: `const plain = ${JSON.stringify(PLAIN)};
          const frequent = ${JSON.stringify(String.fromCharCode(...frequent.map((byte) => byte + 256)))};
          const byteOf = new Uint8Array(512);
          for (let byte = 0, others = 256; byte < 256; byte += 1) {
            const at = frequent.indexOf(String.fromCharCode(byte + 256));
            byteOf[at < 0 ? others++ : plain.charCodeAt(at)] = byte;
          }
          const text = ${JSON.stringify(Array.from(packed, (byte) => letters[byte]).join(''))};
          const bytes = new Uint8Array(text.length);
          for (let at = 0; at < bytes.length; at += 1) {
            bytes[at] = byteOf[text.charCodeAt(at)];
          }
          export default bytes;`,
      };
    });
  },
};

/** The characters that a string need not escape. */
const PLAIN = Array.from({ length: 95 }, (_, at) => String.fromCharCode(at + 32)).filter((letter) => !'"\\`'.includes(letter)).join('');

/** The same as base64, for scripts that must be ASCII. */
const WASM_AS_BASE64 = {
  name: 'wasm-as-base64',
  setup(build) {
    build.onLoad({ filter: /\.wasm$/ }, async ({ path }) => ({ contents: await splitModule(await readFile(path)), loader: 'binary' }));
  },
};

/** The library itself is the file beside it: a page that uses both has it once. */
const LIBRARY_BESIDE = {
  name: 'library-beside',
  setup(build) {
    build.onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: './sipweb.js', external: true }));
  },
};

const options = readArguments(process.argv.slice(2));
await shrinkWasm(options.wasm);
await buildLibrary();
if (!options.libraryOnly) await buildPage();
if (options.sizes) await printSizes();

function readArguments(words) {
  const found = { wasm: process.env.SIPWEB_WASM, libraryOnly: false, sizes: false };
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] === '--wasm' && words[i + 1]) found.wasm = words[(i += 1)];
    else if (words[i] === '--library') found.libraryOnly = true;
    else if (words[i] === '--sizes') found.sizes = true;
    else fail(`unknown option ${words[i]}; known: --wasm PATH, --library, --sizes`);
  }
  return found;
}

/** Shrinks the module, unless the same input has been shrunk before. */
async function shrinkWasm(given) {
  const source = resolve(given ?? CARGO_WASM);
  const bytes = await readFile(source).catch(() => undefined);
  if (!bytes) {
    fail(`no WebAssembly module at ${source}. Build it first:\n`
      + '  cargo build --profile browser -p sipweb-wasm --target wasm32-unknown-unknown\n'
      + 'or name it with --wasm PATH or SIPWEB_WASM');
  }
  const stamp = join(GENERATED, 'source.sha256');
  const digest = createHash('sha256').update(bytes).update([...WASM_FEATURES, ...PASSES].join()).digest('hex');
  const known = await readFile(stamp, 'utf8').catch(() => '');
  if (known === digest && (await readFile(WASM).catch(() => undefined))) return;
  await mkdir(GENERATED, { recursive: true });
  run('wasm-opt', [source, ...PASSES, '--strip-debug', '--strip-producers', '--strip-target-features',
    ...WASM_FEATURES.map((name) => `--enable-${name}`), '-o', WASM]);
  await writeFile(stamp, digest);
}

async function buildLibrary() {
  const out = join(DIST, 'library');
  await rm(out, { recursive: true, force: true });
  const entryPoints = ['library/src/index.ts'];
  await esbuild.build({ ...COMMON, entryPoints, plugins: [WASM_AS_TEXT], format: 'esm', outfile: join(out, 'sipweb.js') });
  // A classic script is read in the page's encoding, whatever that is: here only ASCII is safe, so base64.
  await esbuild.build({ ...COMMON, entryPoints, charset: 'ascii', plugins: [WASM_AS_BASE64], format: 'iife', globalName: 'Sipweb', footer: { js: ALIAS }, outfile: join(out, 'sipweb.global.js') });
  await esbuild.build({ ...COMMON, entryPoints: ['element/src/main.ts'], plugins: [WASM_AS_TEXT], format: 'esm', outfile: join(out, 'sipweb-phone.js') });
  await esbuild.build({ ...COMMON, entryPoints: ['library/src/shared/index.ts'], plugins: [LIBRARY_BESIDE], format: 'esm', outfile: join(out, 'sipweb-shared.js') });
  await esbuild.build({ ...COMMON, entryPoints: ['library/src/shared/worker.ts'], format: 'iife', outfile: join(out, 'sipweb-worker.js') });
  run('tsc', ['-p', 'tsconfig.types.json']);
}

async function buildPage() {
  const out = join(DIST, 'page');
  await rm(out, { recursive: true, force: true });
  const built = await esbuild.build({
    ...COMMON,
    plugins: [WASM_AS_TEXT],
    entryPoints: { phone: 'phone/src/main.ts', style: 'phone/style/phone.css' },
    format: 'esm',
    outdir: join(out, 'assets'),
    entryNames: '[name]-[hash]',
    metafile: true,
  });
  const names = Object.keys(built.metafile.outputs).map((name) => basename(name));
  const asset = (pattern) => `assets/${names.find((name) => pattern.test(name))}`;
  const html = (await readFile(join(HERE, 'phone/index.html'), 'utf8'))
    .replace('assets/phone.js', asset(/^phone-.*\.js$/))
    .replace('assets/phone.css', asset(/^style-.*\.css$/));
  await writeFile(join(out, 'index.html'), html);
  await cp(join(HERE, 'phone/static'), out, { recursive: true });
  // Pictures for the home screen are the system's business, not the page's.
  const files = (await filesBelow(out)).filter((file) => !file.endsWith('.png')).sort().map(async (file) => [relative(out, file).replaceAll('\\', '/'), await readFile(file)]);
  await writeFile(join(out, 'sw.js'), serviceWorker(await Promise.all(files)));
}

async function printSizes() {
  const rows = [['WebAssembly', [WASM]], ['library', [join(DIST, 'library/sipweb.js')]], ['<sipweb-phone>', [join(DIST, 'library/sipweb-phone.js')]],
    ['shared, tab', [join(DIST, 'library/sipweb-shared.js')]], ['shared, worker', [join(DIST, 'library/sipweb-worker.js')]]];
  if (!options.libraryOnly) rows.push(['page as loaded', (await filesBelow(join(DIST, 'page'))).filter((file) => !file.endsWith('sw.js'))]);
  console.log(`${''.padEnd(16)}${['raw', 'gzip', 'brotli'].map((word) => word.padStart(10)).join('')}`);
  for (const [name, files] of rows) {
    const sums = [0, 0, 0];
    for (const file of files) {
      const bytes = await readFile(file);
      sums[0] += bytes.length;
      sums[1] += gzipSync(bytes, { level: 9 }).length;
      sums[2] += brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
    }
    console.log(`${name.padEnd(16)}${sums.map((sum) => String(sum).padStart(10)).join('')}`);
  }
}

async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function run(tool, words) {
  const { status, error } = spawnSync(join(HERE, 'node_modules/.bin', tool), words, { cwd: HERE, stdio: 'inherit' });
  if (error) fail(`${tool} could not be started (${error.message}); run "npm ci" in web/ first`);
  if (status !== 0) fail(`${tool} failed`);
}

function fail(text) {
  console.error(`web build: ${text}`);
  process.exit(1);
}
