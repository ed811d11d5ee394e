// Serves the page over the double, with the content security policy of the real server, on a free port of the loopback.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import puppeteer from 'puppeteer-core';
import { serviceWorker } from '../../../service_worker.mjs';

const PHONE = fileURLToPath(new URL('../..', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; media-src 'self' blob: data:; "
  + "connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', json: 'application/json', png: 'image/png', webmanifest: 'application/manifest+json' };

/** The sources of the page with the double in place of the library; `config` is what GET /config.json answers. */
export async function servePage(config = { domain: 'example.com', websocket: '/sip' }) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: PHONE, bundle: true, write: false, format: 'esm', target: 'es2022', outdir: 'out',
    entryPoints: { phone: 'test/fake/main.ts', style: 'style/phone.css' },
  });
  const built = new Map(outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]));
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://page').pathname;
    const found = await content(path, built, config);
    const type = TYPES[(path === '/' ? 'html' : path.split('.').pop())] ?? 'text/plain';
    response.writeHead(found ? 200 : 404, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY });
    response.end(found ?? '');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

async function content(path, built, config) {
  if (path === '/') return readFile(join(PHONE, 'index.html'));
  if (path === '/sw.js') return worker(built);
  if (path === '/config.json') return config && JSON.stringify(config);
  if (path === '/assets/phone.js') return built.get('phone.js');
  if (path === '/assets/phone.css') return built.get('style.css');
  return readFile(join(PHONE, 'static', basename(path))).catch(() => undefined);
}

/** The product's worker, over the files of the test page. */
async function worker(built) {
  const kept = [['index.html', await readFile(join(PHONE, 'index.html'))], ['assets/phone.js', built.get('phone.js')], ['assets/phone.css', built.get('style.css')]];
  for (const name of ['icon.svg', 'manifest.webmanifest']) kept.push([name, await readFile(join(PHONE, 'static', name))]);
  return serviceWorker(kept);
}

export function launchBrowser(more = []) {
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    timeout: Number(process.env.PATIENCE ?? 30_000),
    protocolTimeout: 6 * Number(process.env.PATIENCE ?? 30_000),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
      '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required', ...more],
  });
}
