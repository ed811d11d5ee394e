// What is read and pressed while pictures are seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { id, inSession, see, signIn, talk } from './support/page.mjs';

for (const viewport of [{ width: 320, height: 568 }, { width: 390, height: 780 }, { width: 1100, height: 800 }]) {
  test(`one's own picture does not lie over the words of the call on ${viewport.width} by ${viewport.height}`, async (t) => {
    const page = await signIn(t, { viewport, prepare: () => {
      localStorage.setItem('sipweb.language', '"es"');
      navigator.mediaDevices.getDisplayMedia = async () => document.createElement('canvas').captureStream();
    } });
    await talk(page);
    await inSession(page, `(session) => {
      session.connection = new RTCPeerConnection();
      session.connection.addTrack(phone.call.local.getAudioTracks()[0], phone.call.local);
    }`);
    const covered = () => page.evaluate(() => {
      const picture = document.querySelector('[data-testid=local-video]').getBoundingClientRect();
      return ['call-peer', 'call-state', 'call-timer'].filter((name) => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector(`[data-testid=${name}]`));
        return [...range.getClientRects()].some((words) => words.right > picture.left && words.left < picture.right && words.bottom > picture.top && words.top < picture.bottom);
      });
    });
    await page.evaluate(() => phone.call.toggleVideo('screen'));
    await see(page, 'call-state', 'Estás compartiendo');
    await page.waitForSelector(`${id('local-video')}[data-source=screen]:not([hidden])`);
    assert.deepEqual(await covered(), []);
    await page.evaluate(() => { phone.call.remote.addTrack(document.createElement('canvas').captureStream().getVideoTracks()[0]); phone.change.signal(); });
    await page.waitForSelector(`${id('call')}[data-video]`);
    assert.deepEqual(await covered(), [], 'while the other side is seen');
  });
}

test('the keys of a call are read over any picture', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.evaluate(() => { phone.call.remote.addTrack(document.createElement('canvas').captureStream().getVideoTracks()[0]); phone.change.signal(); });
  await page.waitForSelector(`${id('call')}[data-video]`);
  await page.click(id('call-keypad'));
  const [red, , , share] = (await page.$eval(id('call-key-5'), (key) => getComputedStyle(key).backgroundColor)).match(/[\d.]+/g).map(Number);
  assert.ok(red < 60 && share > 0.5, `${red} ${share}`);
});
