// Camera, screen, devices and their tests; the page without its server; what is wrong with a call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answered, gone, id, inSession, see, server, signIn, talk } from './support/page.mjs';

/** The running call has a real peer connection with our sound on it. */
const connect = (page) => inSession(page, `(session) => {
  session.connection = new RTCPeerConnection();
  session.connection.addTrack(phone.call.local.getAudioTracks()[0], phone.call.local);
}`);

const sends = (page) => inSession(page, '(session) => [session.connection.getSenders().map((each) => each.track?.kind ?? "nothing"), session.offers]');

test('the camera comes and goes in a running call, each time by one offer', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await connect(page);
  await page.click(id('call-video'));
  await page.waitForFunction(() => phone.call.picture.source === 'camera');
  await page.waitForSelector(`${id('local-video')}[data-source=camera]:not([hidden])`);
  assert.deepEqual(await sends(page), [['audio', 'video'], 1]);
  await page.click(id('call-video'));
  await gone(page, 'local-video');
  assert.deepEqual(await sends(page), [['audio', 'nothing'], 2]);
});

test('the screen takes the place of the camera, and the browser\'s own bar ends it', async (t) => {
  const page = await signIn(t, { prepare: () => {
    navigator.mediaDevices.getDisplayMedia = async () => document.createElement('canvas').captureStream();
  } });
  await talk(page);
  await connect(page);
  await page.click(id('call-video'));
  await page.waitForFunction(() => phone.call.picture.source === 'camera');
  await page.click(id('call-more'));
  await page.click(id('call-screen'));
  await see(page, 'call-state', 'You are sharing your screen');
  assert.equal(await page.evaluate(() => phone.call.local.getVideoTracks().length), 1);
  await page.evaluate(() => phone.call.local.getVideoTracks()[0].dispatchEvent(new Event('ended')));
  await see(page, 'call-state', 'In call');
  assert.deepEqual(await sends(page), [['audio', 'nothing'], 2]);
});

test('a call that is answered once the microphone is allowed takes the complaint about it away', async (t) => {
  const page = await signIn(t, { prepare: () => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let asked = 0;
    navigator.mediaDevices.getUserMedia = (wanted) => (asked++ === 0 ? Promise.reject(new DOMException('', 'NotAllowedError')) : open(wanted));
  } });
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com'); });
  await see(page, 'call-state', 'Incoming call');
  await page.click(id('call-answer'));
  await see(page, 'notice', 'The microphone is blocked');
  await page.click(id('call-answer'));
  await see(page, 'call-state', 'In call');
  await gone(page, 'notice');
});

const noCamera = () => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) => (wanted.video ? Promise.reject(new DOMException('', 'NotFoundError')) : open(wanted));
};

test('a call with video is made without a camera, too, and the page says what is missing', async (t) => {
  const page = await signIn(t, { prepare: noCamera });
  await page.type(id('dial-field'), 'bob');
  await page.click(id('dial-video'));
  await page.waitForFunction(() => fake.agent.sessions.length === 1);
  await see(page, 'notice', 'The camera cannot be used');
  await see(page, 'call-state', 'Calling');
});

test('a camera that cannot be had in a call is not taken for the microphone', async (t) => {
  const page = await signIn(t, { prepare: noCamera });
  await talk(page);
  await connect(page);
  await page.click(id('call-video'));
  await see(page, 'notice', 'The camera cannot be used');
  await see(page, 'call-state', 'In call');
});

test('who changes his mind about the screen shares nothing', async (t) => {
  const page = await signIn(t, { prepare: () => { navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); } });
  await talk(page);
  await connect(page);
  await page.click(id('call-more'));
  await page.click(id('call-screen'));
  await page.waitForFunction(() => phone.call.picture.source === undefined);
  await gone(page, 'notice');
  assert.deepEqual(await sends(page), [['audio'], 0]);
});

/** Runs in the page before it loads: from `hesitate()` on the user thinks about the microphone until `allow()`. */
function thinkAboutIt() {
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  window.opened = [];
  window.hesitate = () => { window.thinking = new Promise((done) => { window.allow = done; }); };
  mediaDevices.getUserMedia = async (wanted) => {
    await window.thinking;
    window.opened.push(await open(wanted));
    return window.opened.at(-1);
  };
}

const released = (page) => page.waitForFunction(() => opened.length > 0 && opened.flatMap((stream) => stream.getTracks()).every((track) => track.readyState === 'ended'));

test('the caller gives up while the browser asks for the microphone: it is not kept open', async (t) => {
  const page = await signIn(t, { prepare: thinkAboutIt });
  await page.evaluate(() => { hesitate(); fake.agent.ring('sip:carmen@example.com'); });
  await page.waitForSelector(`${id('call')}[data-phase=incoming]`);
  await page.click(id('call-answer'));
  await inSession(page, '(session) => session.emit("failed", { originator: "remote", cause: "Canceled" })');
  await see(page, 'call-state', 'stopped calling');
  await page.evaluate(() => allow());
  await released(page);
});

test('the call ends while another microphone is opened: that one is released, too', async (t) => {
  const page = await signIn(t, { prepare: thinkAboutIt });
  await talk(page);
  await connect(page);
  await page.evaluate(() => { hesitate(); window.changed = phone.calls.changeMicrophone(); });
  await inSession(page, '(session) => session.bye()');
  await page.evaluate(() => { allow(); return window.changed; });
  assert.equal(await page.evaluate(() => opened.length), 2);
  await released(page);
});

test('of two microphones that are chosen one after the other the second one stays, though the first one opens later', async (t) => {
  const page = await signIn(t, { prepare: () => {
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    window.opened = [];
    let asked = 0;
    mediaDevices.getUserMedia = async (wanted) => {
      const at = asked++;
      const stream = await open(wanted);
      window.opened[at] = stream.getAudioTracks()[0];
      if (at === 1) await new Promise((done) => setTimeout(done, 300)); // A headset.
      return stream;
    };
  } });
  await talk(page);
  await connect(page);
  await page.evaluate(() => Promise.all([phone.calls.changeMicrophone(), phone.calls.changeMicrophone()]));
  assert.deepEqual(await page.evaluate(() => opened.map((track) => track.readyState)), ['ended', 'ended', 'live']);
  assert.equal(await inSession(page, '(session) => session.connection.getSenders()[0].track === opened[2]'), true);
});

test('the microphone is unplugged in a call: it goes on with another one, still muted', async (t) => {
  const page = await signIn(t, { prepare: thinkAboutIt });
  await talk(page);
  await connect(page);
  await page.evaluate(() => {
    const [track] = opened[0].getAudioTracks();
    track.enabled = false;
    track.stop();
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await inSession(page, '(session) => { window.sender = session.connection.getSenders()[0]; }');
  await page.waitForFunction(() => sender.track.readyState === 'live' && sender.track === phone.call.local.getAudioTracks()[0]);
  assert.equal(await page.evaluate(() => sender.track.enabled), false);
});

test('while the chosen speaker is unplugged a call is heard on that of the system', async (t) => {
  const page = await signIn(t, { prepare: () => {
    const speaker = (deviceId) => ({ kind: 'audiooutput', deviceId, label: deviceId });
    localStorage.setItem('sipweb.devices', '{"speaker":"headset"}');
    window.sinks = [];
    HTMLMediaElement.prototype.setSinkId = async (id) => { window.sinks.push(id); };
    window.plug = (...ids) => {
      navigator.mediaDevices.enumerateDevices = async () => ids.map(speaker);
      navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
    };
  } });
  await page.evaluate(() => plug('default', 'headset'));
  await talk(page);
  await inSession(page, '(session) => session.media(phone.call.local)');
  await page.waitForFunction(() => sinks.at(-1) === 'headset');
  await page.evaluate(() => plug('default'));
  await page.waitForFunction(() => sinks.at(-1) === '');
  await page.evaluate(() => plug('default', 'headset'));
  await page.waitForFunction(() => sinks.at(-1) === 'headset');
});

test('a call with a picture is joined with another one: the camera is switched off', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await connect(page);
  await page.click(id('call-video'));
  await page.waitForFunction(() => phone.call.picture.source === 'camera');
  await page.evaluate(() => { window.camera = phone.call.local.getVideoTracks()[0]; });
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await answered(page);
  await page.waitForSelector(`${id('others-merge')}:not([hidden])`);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await page.waitForFunction(() => window.camera.readyState === 'ended');
});

test('a call that was away is joined with another one: what the conference sends is heard, and nothing after the way back', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await connect(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await answered(page);
  await page.waitForSelector(`${id('others-merge')}:not([hidden])`);
  await page.evaluate(() => {
    const [bob] = fake.agent.sessions;
    bob.hold = () => false;
    [window.sender] = bob.connection.getSenders();
    window.microphone = sender.track;
  });
  assert.equal(await page.evaluate(() => microphone.enabled), false);
  await page.click(id('others-merge'));
  await page.waitForFunction(() => sender.track !== microphone && sender.track.enabled);
  await page.click(id('conference-split'));
  await page.waitForFunction(() => sender.track === microphone && !microphone.enabled);
});

test('a test of the microphone that is asked for twice is one test, and is released', async (t) => {
  const page = await signIn(t, { prepare: thinkAboutIt });
  await page.click(id('tab-settings'));
  await page.evaluate(() => hesitate());
  await page.click(id('settings-test-microphone'));
  await page.click(id('settings-test-microphone'));
  await page.evaluate(() => allow());
  await page.waitForSelector(`${id('settings-level')}:not([hidden])`);
  await page.click(id('settings-test-microphone'));
  await released(page);
});

test('devices are tried out in the settings: a level, a picture, and both are released', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  await page.click(id('settings-test-microphone'));
  await page.waitForSelector(`${id('settings-level')}:not([hidden])`);
  await page.click(id('settings-test-microphone'));
  await gone(page, 'settings-level');
  await page.waitForSelector(`${id('settings-test-camera')}:not([hidden])`);
  await page.click(id('settings-test-camera'));
  await page.waitForFunction((selector) => document.querySelector(selector).videoWidth > 0, {}, id('settings-picture'));
  await page.click(id('tab-messages'));
  await page.waitForFunction((selector) => document.querySelector(selector).srcObject === null, {}, id('settings-picture'));
});

/** Runs in the page before it loads: keeps what is played on the loudspeaker, and whether it was cut off. */
function listenToLoudspeaker() {
  window.outputs = [];
  window.GainNode = class extends GainNode {
    constructor(context, options) {
      super(context, options);
      if (options?.gain) window.outputs.push(this);
    }

    disconnect(...from) {
      super.disconnect(...from);
      this.cut = true;
    }
  };
}

const cut = (page) => page.evaluate(() => outputs.map((output) => output.cut === true));

test('the tone of a key pressed in a call is heard to its end', async (t) => {
  const page = await signIn(t, { prepare: listenToLoudspeaker });
  await talk(page);
  await page.click(id('call-keypad'));
  await page.click(id('call-key-4'));
  await see(page, 'call-digits', '4');
  assert.deepEqual(await cut(page), [false]);
});

test('the ringtone ends with the caller who gives up', async (t) => {
  const page = await signIn(t, { prepare: listenToLoudspeaker });
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com'); });
  await see(page, 'call-state', 'Incoming call');
  await inSession(page, '(session) => session.emit("failed", { originator: "remote", cause: "Canceled" })');
  await see(page, 'call-state', 'stopped calling');
  assert.deepEqual(await cut(page), [true]);
});

test('the volume of the ringtone is kept', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  await page.$eval(id('settings-volume'), (slider) => { slider.value = '20'; slider.dispatchEvent(new Event('input')); });
  await page.reload();
  await see(page, 'registration', 'Ready');
  assert.equal(await page.evaluate(() => phone.devices.choice.ringerVolume), 0.2);
});

test('the diagnosis says what is wrong and what to do, and can be copied', async (t) => {
  const page = await signIn(t, { prepare: () => { navigator.clipboard.writeText = async (words) => { window.copied = words; }; } });
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  await inSession(page, `(session) => session.fail(488, 'Not Acceptable Here', 'Incompatible SDP', { Warning: ['399 sipweb "SDP-NO-COMMON-CODEC: no codec in common"'] })`);
  await page.click(id('call-end-diagnosis'));
  await see(page, 'diagnosis', 'SDP-NO-COMMON-CODEC');
  await see(page, 'diagnosis', 'needs a common format');
  await page.click(id('diagnosis-copy'));
  await page.waitForFunction(() => window.copied?.includes('[bad] How it ended') && window.copied.includes('-> sip:bob@example.com'));
});

test('the diagnosis is closed by a button, in a call and after one, and everything is at hand again', async (t) => {
  const page = await signIn(t, { viewport: { width: 360, height: 740 } });
  await talk(page);
  await page.click(id('call-more'));
  await page.click(id('call-diagnosis'));
  await page.click(id('diagnosis-close'));
  await gone(page, 'diagnosis');
  await page.click(id('call-hold'));
  await inSession(page, '(session) => session.emit("ended", { originator: "system", cause: "RTP Timeout" })');
  await page.click(id('call-end-diagnosis'));
  await page.click(id('diagnosis-close'));
  await page.click(id('call-close'));
  await see(page, 'dial', '1');
});

test('a running call is looked at from the server to the ear', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await connect(page);
  await page.evaluate(async () => {
    fake.quality = { score: 'poor', trouble: undefined, codec: 'opus', received: { packets: 900, lost: 100, jitter: 60 }, sent: { packets: 990, lost: 0 }, roundTrip: 38, pair: undefined, at: 0 };
    await phone.quality.look();
  });
  await page.click(id('call-mute'));
  await page.click(id('call-more'));
  await page.click(id('call-diagnosis'));
  const found = await page.$$eval('.finding', (rows) => rows.map((row) => [row.dataset.subject.replace('diagnosis', ''), row.dataset.state]));
  assert.deepEqual(found, [['Server', 'good'], ['Microphone', 'warning'], ['Path', 'warning'], ['Encryption', 'unknown'], ['Received', 'good'], ['Sent', 'good'], ['Loss', 'bad'], ['Delay', 'warning']]);
  await see(page, 'diagnosis', 'Go nearer to the router');
});

test('once opened, the page opens without its server', async (t) => {
  const page = await signIn(t);
  await page.evaluate(async () => {
    installWorker(() => undefined);
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) await new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
  });
  await page.reload(); // This time /config.json passes through the cache.
  await see(page, 'registration', 'Ready');
  await page.setOfflineMode(true);
  const worker = await page.browserContext().waitForTarget((target) => target.type() === 'service_worker');
  const network = await worker.createCDPSession();
  await network.send('Network.enable');
  await network.send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: 0, uploadThroughput: 0 });
  await page.goto(`${server().url}?call=dora`);
  await see(page, 'account', 'alice');
  assert.equal(await page.evaluate(() => fake.agent.options.uri), 'sip:alice@example.com');
  page.complaints.length = 0; // A browser without a network says so in the console.
});
