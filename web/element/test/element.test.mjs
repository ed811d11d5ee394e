// <sipweb-phone> in a page of somebody else, with a strict content security policy, over a double of the library.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { launchBrowser } from '../../phone/test/fake/server.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self' wss:";
const FRENCH = { callUs: 'Appelez-nous', talking: 'En communication', nonsense: 'x', mute: 7 };

let browser;
let server;
let script;
/** Answers to `/slow.json` that wait for the test. */
const waiting = [];

before(async () => {
  const built = await esbuild.build({ absWorkingDir: HERE, bundle: true, write: false, format: 'esm', target: 'es2022', entryPoints: ['fake_main.ts'] });
  script = built.outputFiles[0].text;
  server = createServer((request, response) => {
    response.setHeader('content-security-policy', POLICY);
    const { pathname, searchParams } = new URL(request.url, 'http://shop');
    if (pathname === '/phone.js') response.setHeader('content-type', 'text/javascript').end(script);
    else if (pathname === '/fr.json') response.setHeader('content-type', 'application/json').end(JSON.stringify(FRENCH));
    else if (pathname === '/slow.json') waiting.push(() => response.setHeader('content-type', 'application/json').end(JSON.stringify(FRENCH)));
    else if (pathname === '/') response.setHeader('content-type', 'text/html; charset=utf-8').end(`<!doctype html><html lang="en"><title>Shop</title><script type="module" src="phone.js"></script><main><h1>Shop</h1>${searchParams.get('html')}</main>`);
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await launchBrowser(['--use-fake-ui-for-media-stream']);
});

after(async () => {
  await browser?.close();
  server?.close();
});

async function open(t, html) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });
  await page.evaluateOnNewDocument(() => {
    window.told = [];
    for (const name of ['sipweb-state', 'sipweb-ended', 'sipweb-error']) addEventListener(name, ({ detail }) => told.push([name.slice(7), detail.state ?? detail.reason ?? detail.cause]));
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/?html=${encodeURIComponent(html)}`);
  await page.waitForFunction(() => document.querySelector('sipweb-phone')?.shadowRoot?.querySelector('[part=panel]'));
  return page;
}

const BUTTON = '<sipweb-phone server="wss://sip.example.com/sip" user="guest" password="secret" target="shop" label="Call the shop"></sipweb-phone>';
const SMALL_PHONE = '<sipweb-phone server="wss://sip.example.com/sip" user="alice" password="secret"></sipweb-phone>';
const VIDEO_BUTTON = BUTTON.replace('target', 'video target');
const part = (page, name) => page.waitForSelector(`sipweb-phone >>> [part=${name}]`, { visible: true });
const press = async (page, name) => (await part(page, name)).click();
const see = (page, name, words) => page.waitForFunction((which, wanted) => {
  const found = document.querySelector('sipweb-phone').shadowRoot.querySelector(`[part=${which}]`);
  return found?.checkVisibility() && found.textContent.includes(wanted);
}, {}, name, words);
const gone = (page, name) => page.waitForFunction((which) => !document.querySelector('sipweb-phone').shadowRoot.querySelector(`[part=${which}]`).checkVisibility(), {}, name);
const pressed = (page, name) => page.evaluate((which) => document.querySelector('sipweb-phone').shadowRoot.querySelector(`[part=${which}]`).ariaPressed, name);
const withoutCamera = (page) => page.evaluate(() => {
  const media = navigator.mediaDevices;
  const ask = media.getUserMedia.bind(media);
  media.getUserMedia = (wanted) => (wanted.video ? Promise.reject(new DOMException('', 'NotFoundError')) : ask(wanted));
});
/** The other side's picture arrives. */
const filmed = (page) => inSession(page, `(session) => {
  session.connection = new RTCPeerConnection();
  const canvas = document.createElement('canvas');
  const brush = canvas.getContext('2d');
  setInterval(() => { brush.fillStyle = 'hsl(' + (performance.now() / 20 % 360) + ' 60% 60%)'; brush.fillRect(0, 0, 300, 150); }, 50);
  session.media(canvas.captureStream(20));
}`);
const inSession = (page, act) => page.evaluate(`(${act})(fake.agent.sessions.at(-1))`);
const answered = (page) => inSession(page, '(session) => { session.emit("accepted", {}); session.emit("confirmed", {}); }');

test('a visitor presses the button, talks to the shop, and hangs up; the page hears of each step', async (t) => {
  const page = await open(t, BUTTON);
  assert.equal(await page.evaluate(() => fake.agents), 0, 'nothing connects before the press');
  await press(page, 'launch');
  await see(page, 'name', 'Call the shop');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  assert.deepEqual(await page.evaluate(() => [fake.agent.options.uri, fake.agent.options.server, fake.agent.options.register, String(fake.agent.sessions[0].remote_identity.uri)]),
    ['sip:guest@sip.example.com', 'wss://sip.example.com/sip', false, 'sip:shop@sip.example.com']);
  await inSession(page, '(session) => session.emit("progress", { response: { status_code: 180 } })');
  await see(page, 'state', 'Ringing');
  await answered(page);
  await see(page, 'state', 'In call');
  await press(page, 'mute');
  await see(page, 'state', 'Your microphone is off');
  await press(page, 'keypad');
  await page.evaluate(() => [...document.querySelector('sipweb-phone').shadowRoot.querySelectorAll('[part=key]')].at(-1).click());
  assert.deepEqual(await page.evaluate(() => fake.agent.sessions[0].digits), [['#', 'INFO']]);
  await press(page, 'hang-up');
  await see(page, 'state', 'The call has ended.');
  await page.waitForFunction(() => fake.agent.stopped);
  const told = await page.evaluate(() => window.told);
  assert.deepEqual(told.filter(([, what]) => what !== 'idle'), [['state', 'connecting'], ['state', 'calling'], ['state', 'ringing'], ['state', 'talking'], ['ended', 'endedByYou'], ['state', 'ended']]);
  await press(page, 'close');
  await page.waitForFunction(() => !document.querySelector('sipweb-phone').shadowRoot.querySelector('[part=panel]').checkVisibility());
});

test('by keyboard: Escape gives up a connection, closes the keypad, and closes the panel of a call that is over, but hangs up nothing', async (t) => {
  const page = await open(t, BUTTON);
  const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.getAttribute('part'));
  await page.evaluate(() => { fake.onstart = () => undefined; window.escapes = 0; addEventListener('keydown', ({ key }) => { if (key === 'Escape') escapes += 1; }); });
  await page.evaluate(() => document.querySelector('sipweb-phone').shadowRoot.querySelector('[part=launch]').focus());
  await page.keyboard.press('Enter');
  await see(page, 'state', 'Connecting');
  await page.waitForFunction(() => document.activeElement.shadowRoot?.activeElement?.getAttribute('part') === 'close');
  await page.keyboard.press('Escape');
  await gone(page, 'panel');
  assert.deepEqual([await focused(), await page.evaluate(() => fake.agent.stopped)], ['launch', true]);
  await page.evaluate(() => { fake.onstart = (agent) => queueMicrotask(() => agent.accept()); });
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 1);
  await answered(page);
  await see(page, 'state', 'In call');
  await press(page, 'keypad');
  await part(page, 'keys');
  await page.keyboard.press('Escape');
  await gone(page, 'keys');
  assert.deepEqual([await focused(), await page.evaluate(() => escapes)], ['keypad', 0]);
  await page.keyboard.press('Escape');
  await see(page, 'state', 'In call');
  assert.equal(await page.evaluate(() => escapes), 1, 'what the panel has no use for is the page\'s');
  await press(page, 'hang-up');
  await see(page, 'state', 'The call has ended.');
  await page.keyboard.press('Escape');
  await gone(page, 'panel');
  assert.equal(await focused(), 'launch');
});

test('the account may be given as a SIP address of another domain than the server', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://edge.example.net/sip" user="sip:guest@shop.example.org" password="secret" target="shop"></sipweb-phone>');
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent);
  assert.equal(await page.evaluate(() => fake.agent.options.uri), 'sip:guest@shop.example.org');
});

test('a password or token is taken out of the document at once', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://sip.example.com/sip" token="guest-17:once:only" target="shop"></sipweb-phone>');
  assert.equal(await page.evaluate(() => document.documentElement.outerHTML.includes('once')), false);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent);
  assert.deepEqual(await page.evaluate(() => [fake.agent.options.uri, fake.agent.options.password]), ['sip:guest-17@sip.example.com', 'once:only']);
});

test('a busy shop is told in words for visitors, and can be called again', async (t) => {
  const page = await open(t, BUTTON);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await inSession(page, '(session) => session.fail(486, "Busy Here", "Busy")');
  await see(page, 'state', 'Everybody is on the phone just now.');
  await press(page, 'again');
  await page.waitForFunction(() => fake.agent.sessions.length === 2 || fake.agents === 2);
});

test('a server that does not answer and a refused microphone are told apart', async (t) => {
  const page = await open(t, BUTTON);
  await page.evaluate(() => { fake.onstart = (agent) => agent.emit('disconnected', {}); });
  await press(page, 'launch');
  await see(page, 'state', 'The telephone server does not answer.');
  await page.evaluate(() => {
    fake.onstart = (agent) => agent.emit('connected');
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
  });
  await press(page, 'again');
  await see(page, 'state', 'The microphone cannot be used.');
  assert.deepEqual((await page.evaluate(() => window.told)).filter(([kind]) => kind === 'error').map(([, reason]) => reason), ['server', 'microphone']);
});

test('a shop that declines is not taken for a call that is forbidden', async (t) => {
  const page = await open(t, BUTTON);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await inSession(page, '(session) => session.fail(603, "Decline", "Rejected")');
  await see(page, 'state', 'Nobody answered. Please try again later.');
});

test('whoever answers without a microphone is told, goes on being called, and can answer again', async (t) => {
  const page = await open(t, SMALL_PHONE);
  await see(page, 'state', 'Ready for calls');
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    window.allow = () => { mediaDevices.getUserMedia = ask; };
    fake.agent.ring('sip:bob@example.com', 'Bob');
  });
  await press(page, 'answer');
  await see(page, 'state', 'The microphone cannot be used.');
  await page.evaluate(() => allow());
  await press(page, 'answer');
  await see(page, 'state', 'In call');
  await press(page, 'hang-up');
  await see(page, 'state', 'The call has ended.');
  await page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob'); });
  await see(page, 'state', 'Bob is calling');
});

test('however long the name of a caller is, the panel is no larger for it', async (t) => {
  const page = await open(t, SMALL_PHONE);
  await see(page, 'state', 'Ready for calls');
  await page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob'.repeat(500)); });
  const panel = await (await part(page, 'panel')).boundingBox();
  for (const name of ['state', 'answer', 'decline']) {
    const each = await (await part(page, name)).boundingBox();
    assert.ok(each.x + each.width <= panel.x + panel.width && each.y + each.height < 400, `${name}: ${JSON.stringify(each)}`);
  }
});

test('without a target it is a small phone: registered, called, answered', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://sip.example.com/sip" user="alice" password="secret" language="es"></sipweb-phone>');
  await see(page, 'state', 'Listo para llamadas');
  await page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob <b>Martin</b>'); });
  await see(page, 'state', 'Llama Bob <b>Martin</b>');
  await press(page, 'answer');
  await see(page, 'state', 'En llamada');
  await press(page, 'hang-up');
  const field = await part(page, 'field');
  await field.type('two words');
  await page.keyboard.press('Enter');
  await see(page, 'state', 'No es un nombre');
  await field.click({ count: 3 });
  await field.type('dora');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => String(fake.agent.sessions.at(-1).remote_identity.uri) === 'sip:dora@sip.example.com');
});

test('another language comes from a file; what the file leaves out stays English', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://sip.example.com/sip" user="guest" password="x" target="shop" language="fr" texts="/fr.json"></sipweb-phone>');
  await see(page, 'launch', 'Appelez-nous');
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await answered(page);
  await see(page, 'state', 'En communication');
  await see(page, 'mute', 'Mute');
});

test('a language that comes while the visitor presses the button changes the words under the finger, not the button', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://sip.example.com/sip" user="guest" password="x" target="shop" texts="/slow.json"></sipweb-phone>');
  const { x, y, width, height } = await (await part(page, 'launch')).boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  assert.equal(waiting.length, 1, 'one file is asked for once');
  waiting[0]();
  await see(page, 'launch', 'Appelez-nous');
  await page.mouse.up();
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
});

test('the page styles it by parts and variables, and chooses the theme', async (t) => {
  const page = await open(t, `${BUTTON.replace('target', 'theme="dark" target')}`);
  const colour = (property) => page.evaluate((name) => getComputedStyle(document.querySelector('sipweb-phone').shadowRoot.querySelector('[part=launch]'))[name], property);
  const dark = await colour('backgroundColor');
  await page.evaluate(() => document.querySelector('sipweb-phone').setAttribute('theme', 'light'));
  assert.notEqual(await colour('backgroundColor'), dark);
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('sipweb-phone { --sipweb-accent: rgb(1, 2, 3); } sipweb-phone::part(launch) { border-radius: 5px; }');
    document.adoptedStyleSheets = [sheet];
  });
  assert.deepEqual([await colour('backgroundColor'), await colour('borderRadius')], ['rgb(1, 2, 3)', '5px']);
});

for (const [how, giveUp] of [['closes the panel', (page) => press(page, 'close')], ['hangs up by script', (page) => page.evaluate(() => document.querySelector('sipweb-phone').hangUp())]]) {
  test(`a visitor who ${how} while the server is still connected to does not call`, async (t) => {
    const page = await open(t, BUTTON);
    await page.evaluate(() => { fake.onstart = () => undefined; });
    await press(page, 'launch');
    await see(page, 'state', 'Connecting');
    await giveUp(page);
    await page.waitForFunction(() => fake.agent.stopped);
    await page.evaluate(() => { fake.agent.emit('connected'); fake.onstart = (agent) => queueMicrotask(() => agent.accept()); });
    assert.equal(await page.evaluate(() => fake.agent.sessions.length), 0);
    await press(page, 'launch');
    await page.waitForFunction(() => fake.agents === 2 && fake.agent.sessions.length === 1);
    await part(page, 'hang-up');
  });
}

test('taken out of the page, it hangs up and disconnects', async (t) => {
  const page = await open(t, BUTTON);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await answered(page);
  await page.evaluate(() => document.querySelector('sipweb-phone').remove());
  assert.deepEqual(await page.evaluate(() => [fake.agent.sessions[0].ended, fake.agent.stopped]), [true, true]);
});

test('the panel opens where there is room, also when the window becomes another one', async (t) => {
  const page = await open(t, VIDEO_BUTTON);
  await page.setViewport({ width: 900, height: 700 });
  await page.evaluate(() => { document.querySelector('sipweb-phone').style.cssText = 'position: fixed; left: 30rem; bottom: 1rem'; });
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  const sides = () => page.evaluate(() => {
    const panel = document.querySelector('sipweb-phone').shadowRoot.querySelector('.panel');
    const { left, right } = panel.getBoundingClientRect();
    return [panel.hasAttribute('data-right'), left >= 0 && right <= innerWidth];
  });
  assert.deepEqual(await sides(), [false, true]);
  await page.evaluate(() => { document.querySelector('sipweb-phone').style.left = '1rem'; });
  await page.setViewport({ width: 700, height: 700 });
  await page.waitForFunction(() => document.querySelector('sipweb-phone').shadowRoot.querySelector('.panel').hasAttribute('data-right'));
  assert.deepEqual(await sides(), [true, true]);
});

test('with `video` the call begins with the camera: the visitor sees himself small, and the shop when its picture comes', async (t) => {
  const page = await open(t, VIDEO_BUTTON);
  await page.setViewport({ width: 360, height: 640 });
  await page.evaluate(() => { document.querySelector('sipweb-phone').style.cssText = 'position: fixed; right: 1rem; bottom: 1rem'; });
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  assert.equal(await inSession(page, '(session) => session.options.mediaStream.getVideoTracks().length'), 1);
  await part(page, 'own-picture');
  await answered(page);
  await gone(page, 'picture');
  await filmed(page);
  const [whole, own] = [await (await part(page, 'picture')).boundingBox(), await (await part(page, 'own-picture')).boundingBox()];
  assert.ok(own.width < whole.width / 3 && own.x > whole.x && own.y > whole.y, 'small, in the corner');
  assert.deepEqual(await page.evaluate(() => ['picture', 'own-picture'].map((name) => document.querySelector('sipweb-phone').shadowRoot.querySelector(`[part=${name}]`).ariaLabel)),
    ['Picture of Call the shop', 'Your own picture']);
  await press(page, 'keypad');
  await part(page, 'keys');
  const { y, height } = await (await part(page, 'panel')).boundingBox();
  assert.ok(y >= 0 && y + height <= 640, `the keypad besides the picture: from ${y} to ${y + height} of 640`);
  await press(page, 'keypad');
  await press(page, 'camera');
  await gone(page, 'own-picture');
  assert.equal(await pressed(page, 'camera'), 'false');
  await press(page, 'hang-up');
  await gone(page, 'picture');
});

test('with `video="later"` no camera is asked for before its button is pressed, but the picture of the shop is', async (t) => {
  const page = await open(t, VIDEO_BUTTON.replace('video', 'video="later"'));
  await page.evaluate(() => {
    window.asked = [];
    const media = navigator.mediaDevices;
    const ask = media.getUserMedia.bind(media);
    media.getUserMedia = (wanted) => {
      window.asked.push(Object.keys(wanted).filter((kind) => wanted[kind]).join());
      return ask(wanted);
    };
  });
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  assert.deepEqual(await inSession(page, '(session) => session.options.rtcOfferConstraints'), { offerToReceiveVideo: true });
  await inSession(page, '(session) => { session.connection = new RTCPeerConnection(); }');
  await answered(page);
  assert.equal(await pressed(page, 'camera'), 'false');
  assert.deepEqual(await page.evaluate(() => window.asked), ['audio']);
  await (await part(page, 'camera')).focus();
  await page.keyboard.press('Space');
  await part(page, 'own-picture');
  assert.equal(await pressed(page, 'camera'), 'true');
  assert.deepEqual(await page.evaluate(() => window.asked), ['audio', 'video']);
});

test('a visitor without a camera is heard all the same, and told', async (t) => {
  const page = await open(t, VIDEO_BUTTON);
  await withoutCamera(page);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await answered(page);
  await see(page, 'state', 'The camera cannot be used; you are heard all the same.');
  assert.deepEqual((await page.evaluate(() => window.told)).filter(([kind]) => kind === 'error'), [['error', 'camera']]);
});

test('a camera that is refused in a call leaves the call as it is', async (t) => {
  const page = await open(t, VIDEO_BUTTON.replace('video', 'video="later" language="es"'));
  await withoutCamera(page);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await answered(page);
  await see(page, 'state', 'En llamada');
  await press(page, 'camera');
  await see(page, 'state', 'No se puede usar la cámara');
  await part(page, 'hang-up');
  assert.deepEqual((await page.evaluate(() => window.told)).filter(([kind]) => kind === 'error'), [['error', 'camera']]);
});

test('a call that offers video can be answered with the camera or without; without `video` it is answered by voice', async (t) => {
  const page = await open(t, '<sipweb-phone server="wss://sip.example.com/sip" user="alice" password="secret" video="later" language="es"></sipweb-phone>');
  await see(page, 'state', 'Listo para llamadas');
  const ring = () => page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob', 'm=audio 9 X\r\nm=video 9 X'); });
  const answeredWith = () => inSession(page, '(session) => session.options.mediaStream.getTracks().map(({ kind }) => kind).sort().join()');
  await ring();
  await see(page, 'answer', 'Contestar');
  await see(page, 'answer-video', 'Con cámara');
  await press(page, 'answer-video');
  await see(page, 'state', 'En llamada');
  assert.equal(await answeredWith(), 'audio,video');
  await press(page, 'hang-up');
  await ring();
  await press(page, 'answer');
  await see(page, 'state', 'En llamada');
  assert.equal(await answeredWith(), 'audio');
  await press(page, 'hang-up');
  await page.evaluate(() => document.querySelector('sipweb-phone').removeAttribute('video'));
  await ring();
  await part(page, 'answer');
  await gone(page, 'answer-video');
});

test('no camera runs on when `video` is taken away', async (t) => {
  const page = await open(t, VIDEO_BUTTON);
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await inSession(page, '(session) => { session.connection = new RTCPeerConnection(); window.camera = session.options.mediaStream.getVideoTracks()[0]; }');
  await answered(page);
  await page.evaluate(() => document.querySelector('sipweb-phone').removeAttribute('video'));
  await page.waitForFunction(() => window.camera.readyState === 'ended');
  await gone(page, 'camera');
});

test('axe finds nothing serious: closed, in a call, ringing, in light and dark', async (t) => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const page = await open(t, BUTTON);
  const look = async (state) => {
    for (const theme of ['light', 'dark']) {
      await page.evaluate((wanted) => document.querySelector('sipweb-phone').setAttribute('theme', wanted), theme);
      const { violations } = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] })`);
      assert.deepEqual(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${state} ${theme}: ${id} ${nodes.map((node) => node.target).join()}`), []);
    }
  };
  await look('closed');
  await press(page, 'launch');
  await page.waitForFunction(() => fake.agent?.sessions.length === 1);
  await look('calling');
  await answered(page);
  await see(page, 'state', 'In call');
  await press(page, 'keypad');
  await look('talking');
  await press(page, 'hang-up');
  await page.evaluate(() => document.querySelector('sipweb-phone').setAttribute('video', ''));
  await press(page, 'again');
  await page.waitForFunction(() => fake.agent.sessions.length === 2 || fake.agents === 2);
  await answered(page);
  await filmed(page);
  await part(page, 'picture');
  await look('seen');
});
