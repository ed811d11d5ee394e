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
