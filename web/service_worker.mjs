// The page's service worker, written for one build: it keeps exactly the files of that build.
import { createHash } from 'node:crypto';

/**
 * The script for `files` (path below the page, bytes). The page itself is asked for at the server first, so that a new build
 * shows at once; everything else is named by its content, or changes with the build, and comes from the cache.
 */
export function serviceWorker(files) {
  const digest = createHash('sha256');
  for (const [path, bytes] of files) digest.update(path).update(bytes);
  const name = `sipweb-${digest.digest('hex').slice(0, 16)}`;
  const paths = ['./', ...files.map(([path]) => path).filter((path) => path !== 'index.html')];
  return `const NAME = ${JSON.stringify(name)};
const FILES = ${JSON.stringify(paths)};
const HERE = new URL('./', self.location.href);
const KEPT = new Set(FILES.map((path) => new URL(path, HERE).href));
const SETTINGS = new URL('/config.json', HERE).href;
/** Milliseconds that the server gets before the cache answers in its place. */
const PATIENCE = 3000;

addEventListener('install', (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES.map((path) => new Request(new URL(path, HERE), { cache: 'no-cache' })))).then(() => skipWaiting()));
});

addEventListener('activate', (event) => {
  event.waitUntil(takeOver().then(() => caches.keys()).then((names) => Promise.all(names.filter((name) => name.startsWith('sipweb-') && name !== NAME).map((name) => caches.delete(name)))).then(() => clients.claim()));
});

addEventListener('fetch', (event) => {
  const { request } = event;
  const address = new URL(request.url);
  address.hash = '';
  if (request.method !== 'GET') return;
  if (request.mode === 'navigate' && address.pathname === HERE.pathname) event.respondWith(serverFirst(request, HERE.href));
  else if (address.href === SETTINGS) event.respondWith(serverFirst(request, SETTINGS, true));
  else if (KEPT.has(address.href)) event.respondWith(kept(address.href).then((found) => found ?? fetch(request)));
});

/** What the pages want shown or taken back, in turn: what is taken back may only just be on its way to the screen. */
let done = Promise.resolve();
addEventListener('message', (event) => {
  const { title, options, close } = event.data;
  const data = event.source.id;
  done = done.then(() => (title ? registration.showNotification(title, { ...options, data }) : takeBack(close))).catch(() => undefined);
  event.waitUntil(done);
});

async function takeBack(tag) {
  for (const shown of await registration.getNotifications({ tag })) shown.close();
}

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(tell(event.notification, event.action));
});

/** Tells the page that showed it, and brings it to the front: declining is done from where the user is. */
async function tell({ tag, data }, action) {
  const pages = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const page = pages.find(({ id }) => id === data) ?? pages.find(({ url }) => new URL(url).pathname === HERE.pathname);
  if (!page) return clients.openWindow(HERE.href);
  if (action !== 'reject') await page.focus().catch(() => undefined);
  page.postMessage({ tag, action });
}

/** The page is kept as this build installed it, and never as a newer build has it, which needs other files; the settings as they were told last. */
async function serverFirst(request, key, renew = false) {
  let response;
  try {
    response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    const found = await kept(key);
    if (found) return found;
    throw error;
  }
  if (response.ok && renew) await caches.open(NAME).then((cache) => cache.put(key, response.clone())).catch(() => undefined);
  return response;
}

/** The settings that the server told the build before are good for this one, too. */
async function takeOver() {
  const settings = await kept(SETTINGS);
  if (settings) await caches.open(NAME).then((cache) => cache.put(SETTINGS, settings)).catch(() => undefined);
}

/** What cannot be read, as what cannot be written, is only not kept: the server is there. */
function kept(key) {
  return caches.match(key).catch(() => undefined);
}
`;
}
