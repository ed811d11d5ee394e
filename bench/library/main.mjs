// The browser library beside JsSIP and SIP.js: how large, how fast, how much a call leaves behind.
//
//   node --expose-gc bench/library/main.mjs [--write]        (`cargo xtask bench library` builds and installs what it needs)
//
// `--write` puts the numbers between the marks of bench/RESULTS-library.md. All are measured the same way; for speed, each of the
// others and Sipweb in turn in one process, in several processes. What is told are medians, for a machine that has other work
// disturbs some rounds and not others.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus, release, type } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { beBrowser } from './browser.mjs';
import { pass, takeTimers } from './clock.mjs';
import { SDP, invite } from './far_end.mjs';
import { JsSip, SipJs, Sipweb } from './libraries.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const RESULTS = fileURLToPath(new URL('../RESULTS-library.md', import.meta.url));
const require = createRequire(new URL('../../web/package.json', import.meta.url));
const LIBRARIES = [Sipweb, JsSip, SipJs];
const TARGET = 'sip:alice@example.com';

/** Messages in one turn of a library, and turns of each. */
const TURN = 20;
const TURNS = 200;
/** Processes in which two libraries take turns: one compiles and collects otherwise than the next. */
const PROCESSES = 5;
const CALLS = 1000;
/** More than any transaction lives (64*T1), in milliseconds. */
const LATER = 40_000;

/** What is timed in {@link speedsBeside}. */
const WORK = [
  'an INVITE parsed and read: the first ones of a page',
  'the same, median',
  'an INVITE into a user agent: 100, the application told, 486, ACK; median',
];

/** What a process of its own does, and prints. */
const PARTS = { '--calls': callsOf, '--speeds': speedsBeside };

const [word, value] = process.argv.slice(2);
if (word in PARTS) {
  console.log(JSON.stringify(await PARTS[word](LIBRARIES.find(({ title }) => title === value))));
  process.exit();
}
if (word !== undefined && word !== '--write') {
  console.error(`unknown option ${word}; known: --write`);
  process.exit(64);
}
report(word === '--write');
process.exit();

function report(writes) {
  const sizes = LIBRARIES.map(sizeOf);
  const others = LIBRARIES.slice(1).map(({ title }) => ({ title, runs: Array.from({ length: PROCESSES }, () => apart('--speeds', title)) }));
  const calls = LIBRARIES.map(({ title }) => apart('--calls', title));
  const sections = {
    circumstances: circumstances(),
    sizes: table(['bytes', ...LIBRARIES.map(({ title }) => title)], [
      ['minified', ...sizes.map(({ raw }) => raw)],
      ['gzip -9', ...sizes.map(({ gzip }) => gzip)],
      ['brotli 11', ...sizes.map(({ brotli }) => brotli)],
    ]),
    speed: table(
      ['microseconds', ...others.flatMap(({ title }) => ['Sipweb', title, `${title} to Sipweb`])],
      WORK.map((name, row) => [name, ...others.flatMap(({ runs }) => compared(runs.map((run) => run[row])))]),
    ),
    calls: table(['', ...LIBRARIES.map(({ title }) => title)], [
      ['microseconds a call', ...calls.map(({ time }) => time.toFixed(0))],
      [`bytes of heap that each of ${CALLS} calls leaves, second thousand`, ...calls.map(({ left }) => left[0].toFixed(0))],
      ['third thousand', ...calls.map(({ left }) => left[1].toFixed(0))],
      ['WebAssembly memory before and after them, bytes', ...calls.map(({ wasm }) => (wasm[0] === 0 ? '-' : wasm.join(', ')))],
    ]),
  };
  for (const [name, text] of Object.entries(sections)) console.log(`\n${name}\n\n${text}`);
  if (writes) {
    let page = readFileSync(RESULTS, 'utf8');
    for (const [name, text] of Object.entries(sections)) {
      page = page.replace(new RegExp(`(<!-- made: ${name} -->\n)[^]*?(<!-- end -->)`), (_, begin, end) => `${begin}${text}\n${end}`);
    }
    writeFileSync(RESULTS, page);
  }
}

/** One of {@link PARTS} in a process of its own. */
function apart(part, title) {
  const child = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), part, title], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`${part} of ${title} failed:\n${child.stderr}`);
  return JSON.parse(child.stdout);
}

/** Of the times of two in several processes: both medians, and that of the ratios with the least and the most. */
function compared(pairs) {
  const ratios = pairs.map(([ours, other]) => other / ours);
  const spread = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(1));
  return [0, 1].map((place) => median(pairs.map((pair) => pair[place])).toFixed(1))
    .concat(`**${median(ratios).toFixed(1)}** (${spread.join(' to ')})`);
}

function circumstances() {
  const said = (program, ...words) => spawnSync(program, words, { cwd: HERE, encoding: 'utf8' }).stdout.trim();
  const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
  const changed = said('git', 'status', '--porcelain', '--', '../../crates', '../../web') === '' ? '' : '+';
  return [
    `- Machine: ${cpus()[0].model.trim()}, ${cpus().length} cores, ${type()} ${release()}. Node ${process.versions.node}, V8 ${process.versions.v8}.`,
    `- Date: ${new Date().toISOString().slice(0, 10)}. Sipweb ${said('git', 'rev-parse', '--short=10', 'HEAD')}${changed}, JsSIP ${version('jssip')}, SIP.js ${version('sip.js')}, esbuild ${require('esbuild').version}.`,
  ].join('\n');
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The whole library, for a page that has nothing else. Ours is what the build ships, its WebAssembly inside. */
function sizeOf({ title }) {
  const contents = { Sipweb: '', JsSIP: "export { default } from 'jssip';", 'SIP.js': "export * from 'sip.js';" }[title];
  const bytes = title === 'Sipweb'
    ? readFileSync(new URL('../../web/dist/library/sipweb.js', import.meta.url))
    : require('esbuild').buildSync({
      stdin: { contents, resolveDir: HERE }, bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022',
      charset: 'utf8', legalComments: 'none', write: false, logLevel: 'error', define: { global: 'globalThis' },
    }).outputFiles[0].contents;
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotli.length };
}

/** Microseconds of both for each of {@link WORK}: Sipweb and another, in turn. */
async function speedsBeside(Other) {
  beBrowser(SDP);
  takeTimers();
  const libraries = [];
  for (const Library of [Sipweb, Other]) {
    const library = await Library.load();
    await library.open();
    libraries.push(library);
  }
  const parsed = libraries.map((library) => library.parse(invite(0, TARGET)));
  if (new Set(parsed).size !== 1) throw new Error(`they do not read the same:\n${parsed.join('\n')}`);

  let number = 0;
  const parse = await inTurn(libraries, async (library, texts) => {
    for (const text of texts) library.parse(text);
  }, () => Array.from({ length: TURN }, () => invite((number += 1), TARGET)));
  const take = await inTurn(libraries, async (library, numbers) => {
    for (const each of numbers) await library.take(each);
  }, () => Array.from({ length: TURN }, () => (number += 1)));
  return [parse.map((times) => times[0]), parse.map(median), take.map(median)];
}

/** Microseconds for one of a turn's messages, by library: a list of all turns. */
async function inTurn(libraries, run, prepare) {
  const times = libraries.map(() => []);
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [index, library] of libraries.entries()) {
      const input = prepare();
      const begin = performance.now();
      await run(library, input);
      times[index].push((performance.now() - begin) * 1000 / TURN);
    }
    await pass(LATER);
  }
  return times;
}

function median(times) {
  return [...times].sort((a, b) => a - b)[times.length >> 1];
}

/** Calls out of one library, each answered and hung up: what they take, and what they leave. */
async function callsOf(Library) {
  beBrowser(SDP);
  takeTimers();
  const memories = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (...words) {
    const made = new Instance(...words);
    memories.push(made.exports.memory);
    return made;
  };
  const library = await Library.load();
  await library.open();
  const wasm = () => memories.reduce((sum, memory) => sum + (memory?.buffer.byteLength ?? 0), 0);
  const held = async () => {
    await pass(LATER);
    for (let round = 0; round < 4; round += 1) globalThis.gc();
    return process.memoryUsage().heapUsed;
  };
  const times = [];
  const marks = [];
  const pages = [];
  for (let thousand = 0; thousand < 3; thousand += 1) {
    for (let call = 0; call < CALLS; call += TURN) {
      const begin = performance.now();
      for (let each = 0; each < TURN; each += 1) await library.call();
      times.push((performance.now() - begin) * 1000 / TURN);
      await pass(LATER);
    }
    marks.push(await held());
    pages.push(wasm());
  }
  const left = [(marks[1] - marks[0]) / CALLS, (marks[2] - marks[1]) / CALLS];
  return { time: median(times), left, wasm: [pages[0], pages[2]] };
}
