// Pictures of every state of the page, in both languages, wide and narrow, light and dark: one sheet for each state, and an index.
//   node phone/test/pictures.mjs [NAME]    writes docs/pictures; with NAME, only the sheets whose name contains it
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchBrowser, servePage } from './fake/server.mjs';
import { prepare, stored } from './sample.mjs';
import { STATES } from './states.mjs';

const OUT = fileURLToPath(new URL('../../../docs/pictures', import.meta.url));
const LANGUAGES = ['en', 'es'];
/** Drawn this much smaller, so that a sheet is looked at in one view. */
const SIZES = { wide: { width: 1280, height: 800, deviceScaleFactor: 0.6 }, narrow: { width: 360, height: 740, deviceScaleFactor: 0.65 } };
const LOOKS = ['light', 'dark'];
const AT_ONCE = 2;
const GAP = 8;
const QUALITY = 0.6;

const only = process.argv[2] ?? '';
const wanted = Object.entries(STATES).filter(([name]) => name.includes(only));
await mkdir(OUT, { recursive: true });
const server = await servePage();
let faults = 0;

const waiting = [...wanted];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  // One each: a page that is behind another one does not hear that it shall be dark.
  const browser = await launchBrowser(['--use-fake-ui-for-media-stream']);
  const easel = await browser.newPage();
  for (let next = waiting.shift(); next; next = waiting.shift()) await sheet(browser, easel, ...next);
  await browser.close();
}));
server.close();
if (!only) for (const file of await readdir(OUT)) if (!(file.replace(/\.webp$/, '') in STATES)) await rm(join(OUT, file));
await writeFile(join(OUT, 'README.md'), index());
process.exit(faults > 0 ? 1 : 0);

function index() {
  const entries = Object.entries(STATES).map(([name, { says }]) => `## ${name}\n\n${says}\n\n![${name}](${name}.webp)\n`);
  return `# Every state of the phone page\n\nEach sheet has English above and Spanish below; wide and narrow, light and dark. Made by \`npm run pictures\` in \`web/\`.\n\n${entries.join('\n')}`;
}

async function sheet(browser, easel, name, state) {
  const rows = [];
  for (const language of LANGUAGES) {
    const row = [];
    for (const viewport of Object.values(SIZES)) row.push(...(await views(browser, name, state, language, viewport)));
    rows.push(row);
  }
  await writeFile(join(OUT, `${name}.webp`), Buffer.from(await easel.evaluate(draw, rows, GAP, QUALITY), 'base64'));
  console.log(name);
}

/** The state in light and in dark, as it is reached once. */
async function views(browser, name, state, language, viewport) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const fault = (words) => {
    faults += 1;
    console.error(`${name}: ${words}`);
  };
  page.on('pageerror', (error) => fault(error.message));
  page.on('console', (message) => { if (message.type() === 'error') fault(message.text()); });
  await page.setViewport(viewport);
  await page.evaluateOnNewDocument(prepare, { language, kept: state.empty ? undefined : stored(), refused: state.refused, insecure: state.insecure });
  await page.goto(server.url + (state.query ?? '') + (state.signedIn ? '#alice:secret' : ''));
  await page.evaluate(() => window.ready);
  if (state.signedIn) await page.waitForFunction(() => phone.line.state === 'registered');
  await state.run?.(page);
  await new Promise((resolve) => setTimeout(resolve, 350));
  const pictures = [];
  for (const look of LOOKS) {
    await wear(page, look);
    await new Promise((resolve) => setTimeout(resolve, 250));
    pictures.push(await page.screenshot({ encoding: 'base64' }));
  }
  await context.close();
  return pictures;
}

/** The page hears of it, which a browser sometimes forgets: then it is told once more. */
async function wear(page, look) {
  const told = (value) => page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
  for (let tries = 0; tries < 10; tries += 1) {
    await told(look);
    const heard = page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, { polling: 50, timeout: 2000 }, look);
    if (await heard.then(() => true, () => false)) return;
    await told(LOOKS.find((other) => other !== look));
  }
  throw new Error(`a page does not become ${look}`);
}

/** Runs in a page: puts rows of pictures on one sheet. */
async function draw(rows, gap, quality) {
  const loaded = await Promise.all(rows.map((row) => Promise.all(row.map(async (bytes) => createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob())))));
  const heights = loaded.map((row) => Math.max(...row.map(({ height }) => height)));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(...loaded.map((row) => row.reduce((sum, { width }) => sum + width + gap, gap)));
  canvas.height = heights.reduce((sum, height) => sum + height + gap, gap);
  const brush = canvas.getContext('2d');
  brush.fillStyle = '#808890';
  brush.fillRect(0, 0, canvas.width, canvas.height);
  let top = gap;
  for (const [at, row] of loaded.entries()) {
    let left = gap;
    for (const picture of row) {
      brush.drawImage(picture, left, top);
      left += picture.width + gap;
    }
    top += heights[at] + gap;
  }
  return canvas.toDataURL('image/webp', quality).split(',')[1];
}
