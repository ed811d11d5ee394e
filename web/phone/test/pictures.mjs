// Pictures of every state of the page: `node phone/test/pictures.mjs [NAME]` writes phone/test/pictures/*.png.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchBrowser, servePage } from './fake/server.mjs';
import { prepare, stored } from './sample.mjs';

const OUT = fileURLToPath(new URL('./pictures', import.meta.url));
const SIZES = { narrow: { width: 360, height: 740 }, wide: { width: 1280, height: 800 } };
const signedIn = { signedIn: true };
const STATES = {
  'sign-in': {},
  'sign-in-error': { run: async (page) => {
    await page.evaluate(() => { fake.onstart = (agent) => queueMicrotask(() => agent.emit('registrationFailed', { cause: 'Authentication Error', response: { status_code: 401 } })); });
    await page.type('#sign-in-user', 'alice');
    await page.type('#sign-in-password', 'wrong');
    await page.keyboard.press('Enter');
    await page.click('[data-testid=sign-in-advanced] summary');
  } },
  'sign-in-busy': { run: async (page) => {
    await page.evaluate(() => { fake.onstart = () => {}; });
    await page.type('#sign-in-user', 'alice');
    await page.type('#sign-in-password', 'secret');
    await page.keyboard.press('Enter');
  } },
  'dial-empty': { ...signedIn },
  'dial-typed': { ...signedIn, run: (page) => page.keyboard.type('ar') },
  'dial-error': { ...signedIn, run: async (page) => { await page.keyboard.type('two words'); await page.keyboard.press('Enter'); } },
  'recents': { ...signedIn, run: (page) => page.click('[data-testid=tab-recents]') },
  'contacts': { ...signedIn, run: async (page) => { await page.click('[data-testid=tab-contacts]'); await page.waitForFunction(() => fake.agent.subscriptions.length > 6); await page.evaluate(() => { const dialogs = fake.agent.subscriptions.filter((each) => each.event === 'dialog'); for (const [at, state] of ['confirmed', 'terminated', 'early', 'terminated'].entries()) dialogs[at]?.notify(`<state>${state}</state>`); fake.agent.subscriptions.filter((each) => each.event === 'presence')[3]?.notify('<basic>closed</basic>'); }); } },
  'contact-edit': { ...signedIn, run: async (page) => { await page.click('[data-testid=tab-contacts]'); await page.click('[data-testid=contact-edit]'); } },
  'no-contacts': { ...signedIn, empty: true, run: (page) => page.click('[data-testid=tab-contacts]') },
  'link': { ...signedIn, query: '?call=tel:%2B34911234567' },
  'other-tab': { ...signedIn, run: async (page) => { await page.evaluate(() => { phone.seat.state = 'elsewhere'; phone.change.signal(); }); } },
  'settings-end': { ...signedIn, run: async (page) => { await page.click('[data-testid=tab-settings]'); await page.$eval('.settings', (list) => { list.scrollTop = 10_000; }); } },
  'messages': { ...signedIn, run: (page) => page.click('[data-testid=tab-messages]') },
  'conversation': { ...signedIn, run: async (page) => { await page.click('[data-testid=tab-messages]'); await page.click('[data-testid=conversation-row]'); } },
  'settings': { ...signedIn, run: (page) => page.click('[data-testid=tab-settings]') },
  'nothing-yet': { ...signedIn, empty: true, run: (page) => page.click('[data-testid=tab-messages]') },
  'calling': { ...signedIn, run: (page) => out(page) },
  'ringing': { ...signedIn, run: (page) => out(page, 'progress', { response: { status_code: 180 } }) },
  'incoming': { ...signedIn, run: (page) => page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen Ruiz'); }) },
  'incoming-video': { ...signedIn, run: (page) => page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist', 'm=audio 9 X\r\nm=video 9 X'); }) },
  'in-call': { ...signedIn, run: (page) => talk(page) },
  'in-call-muted': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-mute]'); } },
  'in-call-held': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).emit('hold', { originator: 'remote' }); }); } },
  'in-call-keypad': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-keypad]'); await page.keyboard.type('4711#'); } },
  'in-call-audio': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-audio]'); } },
  'in-call-transfer': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-transfer]'); await page.keyboard.type('two words'); await page.keyboard.press('Enter'); } },
  'in-call-waiting': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist'); }); } },
  'two-calls': { ...signedIn, run: (page) => two(page) },
  'two-calls-waiting': { ...signedIn, run: async (page) => { await two(page); await page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist'); }); } },
  'conference': { ...signedIn, run: async (page) => { await two(page); await page.click('[data-testid=others-merge]'); await page.waitForSelector('[data-testid=conference-member]'); } },
  'in-call-add': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-add]'); } },
  'in-call-more': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-more]'); } },
  'in-call-diagnosis': { ...signedIn, run: async (page) => { await heard(page, { trouble: 'nothingIn', received: { packets: 0, lost: 0, jitter: 0 } }, 3); await page.evaluate(() => { phone.call.local.getAudioTracks()[0].enabled = true; }); await page.click('[data-testid=call-more]'); await page.click('[data-testid=call-diagnosis]'); } },
  'ended-diagnosis': { ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(488, 'Not Acceptable Here', 'Incompatible SDP', { Warning: ['399 sipweb "SDP-NO-COMMON-CODEC: no codec in common"'] }); }); await page.click('[data-testid=call-end-diagnosis]'); } },
  'in-call-video': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => new Promise((done) => {
    const canvas = document.createElement('canvas');
    const brush = canvas.getContext('2d');
    setInterval(() => { brush.fillStyle = '#357'; brush.fillRect(0, 0, 300, 150); brush.fillStyle = '#fc6'; brush.fillRect(100, 40, 60, 60); }, 50);
    window.phone.call.remote.addTrack(canvas.captureStream(20).getVideoTracks()[0]);
    window.phone.change.signal();
    setTimeout(done, 400);
  })); } },
  'in-call-quality': { ...signedIn, run: (page) => heard(page) },
  'in-call-quality-open': { ...signedIn, run: async (page) => { await heard(page); await page.click('[data-testid=quality]'); } },
  'in-call-quality-poor': { ...signedIn, run: (page) => heard(page, { score: 'poor' }) },
  'in-call-silent': { ...signedIn, run: (page) => heard(page, { score: 'none', trouble: 'nothingIn' }, 3) },
  'in-call-microphone': { ...signedIn, run: (page) => heard(page, { trouble: 'microphone' }) },
  'ended-silent': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).bye({ Reason: ['sipweb;text="MEDIA-NONE-FROM-PHONE: no sound came from the phone"'] }); }); } },
  'ended-lost': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).bye({ Reason: ['SIP;cause=503;text="SERVER-STOPPED: the server stops; call again"'] }); }); } },
  'failed-codecs': { ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(488, 'Not Acceptable Here', 'Incompatible SDP', { Warning: ['399 sipweb "SDP-NO-COMMON-CODEC: the browser and the phone have no codec in common: the browser has opus, PCMU, the phone has G729"'] }); }); } },
  'call-elsewhere': { ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=tab-messages]'); } },
  'ended': { ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).emit('ended', { originator: 'remote', cause: 'Terminated' }); }); } },
  'failed-busy': { ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(486, 'Busy Here', 'Busy'); }); } },
  'failed-not-found': { ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(404, 'Not Found', 'Not Found'); }); } },
  'notice-lost': { ...signedIn, run: (page) => page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 7_400 }); }) },
  'notice-microphone': { ...signedIn, refused: true, run: (page) => out(page) },
  'notice-insecure': { ...signedIn, insecure: true },
  'notice-failed': { ...signedIn, run: (page) => page.evaluate(() => { fake.agent.emit('registrationFailed', { cause: 'Rejected', response: { status_code: 403 } }); }) },
};

async function out(page, event, payload) {
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-testid=call]:not([hidden])');
  await page.waitForFunction(() => phone.mediaProblem || fake.agent.sessions.length > 0);
  if (event) await page.evaluate((name, details) => { fake.agent.sessions.at(-1).emit(name, details); }, event, payload);
}

async function talk(page) {
  await out(page, 'accepted', {});
  await page.evaluate(() => { fake.agent.sessions.at(-1).emit('confirmed', {}); phone.call.talkingSince -= 83_000; phone.change.signal(); });
  await page.waitForSelector('[data-phase=talking]');
}

/** Bob is on hold, Carmen is talked to. */
async function two(page) {
  await talk(page);
  await page.click('[data-testid=call-add]');
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await page.evaluate(() => { fake.agent.sessions.at(-1).emit('accepted', {}); fake.agent.sessions.at(-1).emit('confirmed', {}); });
  await page.waitForSelector('[data-testid=other-call]');
}

/** A call whose sound was looked at. */
async function heard(page, quality = {}, looks = 1) {
  await talk(page);
  await page.evaluate(async (found, times) => {
    fake.quality = { score: 'good', trouble: undefined, codec: 'opus', received: { packets: 4150, lost: 3, jitter: 4 }, sent: { packets: 4162, lost: 0 }, roundTrip: 38, pair: { local: '192.168.1.20:53412', remote: '203.0.113.7:40000', protocol: 'udp' }, at: 0, ...found };
    fake.agent.sessions.at(-1).connection = new RTCPeerConnection();
    for (let look = 0; look < times; look += 1) await phone.quality.look();
  }, quality, looks);
}

const only = process.argv[2];
await mkdir(OUT, { recursive: true });
const server = await servePage();
const browser = await launchBrowser(['--use-fake-ui-for-media-stream']);
for (const [name, state] of Object.entries(STATES)) {
  if (only && !name.includes(only)) continue;
  for (const [size, viewport] of Object.entries(SIZES)) await picture(name, state, size, viewport);
}
await browser.close();
server.close();

async function picture(name, state, size, viewport) {
  // Each state in light and dark, English and Spanish, without taking every combination of the two.
  for (const [look, language] of [['light', 'en'], ['dark', 'es']]) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
    page.on('console', (message) => { if (message.type() === 'error') console.error(`${name}: ${message.text()}`); });
    await page.setViewport({ ...viewport, deviceScaleFactor: Number(process.env.SCALE ?? 1) });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: look }]);
    await page.evaluateOnNewDocument(prepare, { language, kept: state.empty ? undefined : stored(), refused: state.refused, insecure: state.insecure });
    await page.goto(server.url + (state.query ?? '') + (state.signedIn ? '#alice:secret' : ''));
    await page.evaluate(() => window.ready);
    if (state.signedIn) await page.waitForFunction(() => phone.line.state === 'registered');
    await state.run?.(page);
    await new Promise((resolve) => setTimeout(resolve, 350));
    await page.screenshot({ path: join(OUT, `${name}-${size}-${look}-${language}.png`) });
    await context.close();
  }
}
