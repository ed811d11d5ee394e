// The page's service worker, run over doubles of the browser's cache and network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import { serviceWorker } from '../../service_worker.mjs';

const PAGE = 'https://phone.example.com/';

/** Caches that can be told to fail. */
class Disk {
  #caches = new Map();
  full = false;
  broken = false;

  async open(name) {
    if (this.broken) throw new Error('storage');
    if (!this.#caches.has(name)) this.#caches.set(name, new Map());
    const entries = this.#caches.get(name);
    return {
      addAll: async (requests) => { for (const request of requests) entries.set(request.url, await request.answer()); },
      match: async (key) => entries.get(key)?.clone(),
      put: async (key, response) => {
        if (this.full) throw new Error('quota');
        entries.set(key, response);
      },
    };
  }

  async match(key) {
    if (this.broken) throw new Error('storage');
    for (const entries of this.#caches.values()) if (entries.has(key)) return entries.get(key).clone();
    return undefined;
  }

  keys = async () => [...this.#caches.keys()];
  delete = async (name) => this.#caches.delete(name);
}

/** The worker of a build with `files`, installed; `network` answers by path, or throws. */
async function installed(disk, network, files) {
  const listeners = {};
  const answer = async (url) => new Response(network(new URL(url).pathname));
  class Request {
    constructor(url) {
      this.url = String(url);
      this.answer = () => answer(this.url);
    }
  }
  vm.runInNewContext(serviceWorker(files.map((path) => [path, Buffer.from(path)])), {
    URL, Request, AbortSignal, caches: disk, fetch: (request) => answer(request.url), self: { location: new URL('sw.js', PAGE) },
    addEventListener: (event, listener) => { listeners[event] = listener; }, skipWaiting() {}, clients: { claim() {} },
  });
  const run = async (name) => {
    let done;
    listeners[name]({ waitUntil: (work) => { done = work; } });
    await done;
  };
  await run('install');
  await run('activate');
  return async (path, mode = 'no-cors') => {
    let response;
    listeners.fetch({ request: { url: new URL(path, PAGE).href, method: 'GET', mode }, respondWith: (given) => { response = given; } });
    return (await response).text();
  };
}

const offline = () => { throw new TypeError('network'); };

test('without a network the page of the installed build comes, with its own files, even when a newer page was seen', async () => {
  const disk = new Disk();
  let network = (path) => `old ${path}`;
  const ask = await installed(disk, (path) => network(path), ['index.html', 'assets/phone-1.js']);
  network = (path) => `new ${path}`;
  assert.equal(await ask('/?call=bob', 'navigate'), 'new /');
  network = offline;
  assert.equal(await ask('/', 'navigate'), 'old /');
  assert.equal(await ask('/assets/phone-1.js'), 'old /assets/phone-1.js');
});

test('the settings are those that the server told last', async () => {
  let network = () => 'first';
  const ask = await installed(new Disk(), (path) => network(path), ['index.html']);
  network = () => 'second';
  assert.equal(await ask('/config.json'), 'second');
  network = offline;
  assert.equal(await ask('/config.json'), 'second');
});

test('a new build goes on with the settings that the old one was told', async () => {
  const disk = new Disk();
  let network = (path) => path;
  const old = await installed(disk, (path) => network(path), ['index.html', 'assets/phone-1.js']);
  network = () => 'settings';
  await old('/config.json');
  network = (path) => path;
  const ask = await installed(disk, (path) => network(path), ['index.html', 'assets/phone-2.js']);
  network = offline;
  assert.equal(await ask('/config.json'), 'settings');
});

test('a new build takes the place of the old one', async () => {
  const disk = new Disk();
  await installed(disk, () => 'old', ['index.html', 'assets/phone-1.js']);
  const ask = await installed(disk, () => 'new', ['index.html', 'assets/phone-2.js']);
  assert.equal((await disk.keys()).length, 1);
  assert.equal(await ask('/assets/phone-2.js'), 'new');
});

for (const fault of ['full', 'broken']) {
  test(`a cache that is ${fault} keeps nobody from a server that answers`, async () => {
    const disk = new Disk();
    const ask = await installed(disk, (path) => path, ['index.html', 'assets/phone-1.js']);
    disk[fault] = true;
    assert.equal(await ask('/', 'navigate'), '/');
    assert.equal(await ask('/config.json'), '/config.json');
    assert.equal(await ask('/assets/phone-1.js'), '/assets/phone-1.js');
  });
}

/** The worker of a build with what the system shows, and with `windows` of this origin, the latest first. */
function withPages(windows) {
  const listeners = {};
  const shown = [];
  const log = [];
  const pages = windows.map(({ id, path }) => ({ id, url: new URL(path, PAGE).href, focus: async () => { log.push(`focus ${id}`); }, postMessage: (word) => log.push([id, word.tag, word.action].join(' ')) }));
  vm.runInNewContext(serviceWorker([]), {
    URL, self: { location: new URL('sw.js', PAGE) }, addEventListener: (event, listener) => { listeners[event] = listener; },
    registration: {
      // The system takes its time.
      showNotification: (title, options) => new Promise((done) => setImmediate(() => { shown.push({ title, ...options, close() { shown.splice(shown.indexOf(this), 1); } }); done(); })),
      getNotifications: async ({ tag }) => shown.filter((each) => each.tag === tag),
    },
    clients: { matchAll: async () => pages, openWindow: async (address) => { log.push(`open ${address}`); } },
  });
  const run = async (name, event) => {
    let done;
    listeners[name]({ ...event, waitUntil: (work) => { done = work; } });
    await done;
  };
  return {
    shown, log,
    told: (id, data) => run('message', { data, source: { id } }),
    pressed: (action = '') => run('notificationclick', { notification: shown[0], action }),
  };
}

const PHONE = { id: 'phone', path: '/' };
const CALL = { title: 'Bob is calling', options: { tag: 'call', body: '' } };

test('a press on a notification brings the page that showed it to the front, and tells it', async () => {
  const worker = withPages([{ id: 'other', path: '/' }, PHONE]);
  await worker.told('phone', CALL);
  assert.equal(worker.shown[0].title, 'Bob is calling');
  await worker.pressed();
  assert.deepEqual(worker.log, ['focus phone', 'phone call ']);
  assert.deepEqual(worker.shown, []);
});

test('declining from a notification leaves the user where he is; answering does not', async () => {
  const worker = withPages([PHONE]);
  await worker.told('phone', CALL);
  await worker.pressed('reject');
  await worker.told('phone', CALL);
  await worker.pressed('answer');
  assert.deepEqual(worker.log, ['phone call reject', 'focus phone', 'phone call answer']);
});

test('a notification is taken back, also when it is not there yet', async () => {
  const worker = withPages([PHONE]);
  void worker.told('phone', CALL);
  await worker.told('phone', { close: 'call' });
  assert.deepEqual(worker.shown, []);
});

test('a press on a notification whose page was loaded anew finds the page; one whose page is gone opens it', async () => {
  for (const [windows, wanted] of [[[{ id: 'docs', path: '/docs/' }, { id: 'again', path: '/?call=bob' }], ['focus again', 'again call ']], [[], [`open ${PAGE}`]]]) {
    const worker = withPages(windows);
    await worker.told('phone', CALL);
    await worker.pressed();
    assert.deepEqual(worker.log, wanted);
  }
});
