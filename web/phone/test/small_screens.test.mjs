// The smallest screens, in the language that needs more room.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { id, inSession, open, see, signIn, talk } from './support/page.mjs';

const inSpanish = () => localStorage.setItem('sipweb.language', '"es"');

/** Which of the buttons is not wholly in sight. */
const beyond = (page, ...names) => page.evaluate((wanted) => wanted.filter((name) => {
  const button = document.querySelector(`[data-testid="${name}"]`);
  const { top, bottom } = (button.querySelector('.button-face') ?? button).getBoundingClientRect();
  const call = document.querySelector('.call').getBoundingClientRect();
  return !button.checkVisibility() || top < call.top || bottom > call.bottom;
}), names);

const quality = (page, found) => page.evaluate(async (more) => {
  fake.quality = { score: 'good', trouble: undefined, codec: 'opus', received: { packets: 4150, lost: 3, jitter: 4 }, sent: { packets: 4162, lost: 0 }, roundTrip: 38, pair: { local: '192.168.1.20:53412', remote: '203.0.113.7:40000', protocol: 'udp' }, at: 0, ...more };
  fake.agent.sessions.at(-1).connection ??= new RTCPeerConnection();
  for (let look = 0; look < 3; look += 1) await phone.quality.look();
}, found);

for (const viewport of [{ width: 320, height: 568 }, { width: 360, height: 640 }, { width: 375, height: 667 }, { width: 360, height: 740 }]) {
  const size = `${viewport.width} by ${viewport.height}`;

  test(`whatever happens to a call, the button that ends it stays in sight on ${size}`, async (t) => {
    const page = await signIn(t, { viewport, prepare: inSpanish });
    const name = 'Maximiliane Alexandra von Hohenlohe-Schillingsfürst';
    await page.evaluate((called) => { for (const [at, user] of ['bob', 'carmen', 'dora', 'eve'].entries()) phone.contacts.keep({ uri: `sip:${user}@example.com`, name: `${called} ${at}` }); }, name);
    await talk(page);
    assert.deepEqual(await beyond(page, 'call-hangup'), [], 'while one talks');
    for (const originator of ['remote', 'local']) {
      await inSession(page, '(session, side) => session.emit("hold", { originator: side })', originator);
      assert.deepEqual(await beyond(page, 'call-hangup'), [], `on hold by the ${originator} side`);
    }
    await inSession(page, '(session) => ["remote", "local"].forEach((originator) => session.emit("unhold", { originator }))');
    for (const trouble of ['nothingIn', 'microphone', undefined]) {
      await quality(page, { trouble });
      assert.deepEqual(await beyond(page, 'call-hangup'), [], `with this trouble: ${trouble}`);
    }
    await page.click(id('quality'));
    assert.deepEqual(await beyond(page, 'call-hangup'), [], 'with the figures of the sound');
    await page.click(id('quality'));
    for (const sheet of ['keypad', 'audio', 'add', 'transfer', 'more']) {
      await page.evaluate((opener) => document.querySelector(`[data-testid=call-${opener}]`).click(), sheet);
      await page.evaluate(() => document.querySelector('.call').scrollTo(0, 0));
      assert.deepEqual(await beyond(page, 'call-hangup'), [], sheet);
      await page.keyboard.press('Escape');
    }
    await page.evaluate(() => phone.callTyped('carmen'));
    await page.waitForFunction(() => fake.agent.sessions.length === 2);
    await inSession(page, '(session) => { session.emit("accepted", {}); session.emit("confirmed", {}); }');
    await page.waitForSelector(id('other-call'));
    assert.deepEqual(await beyond(page, 'call-hangup'), [], 'with two calls');
    await page.evaluate((called) => { fake.agent.ring('sip:dora@example.com', called); }, name);
    await page.waitForSelector(id('waiting'));
    assert.deepEqual(await beyond(page, 'call-hangup', 'waiting-answer', 'waiting-end', 'waiting-reject'), [], 'with two calls and a third one that waits');
  });

  test(`the button that ends a call does not change its place among the others on ${size}, so that nobody presses it by mistake`, async (t) => {
    const page = await signIn(t, { viewport, prepare: inSpanish });
    await talk(page);
    const order = () => page.$$eval('.controls:not(.ring-controls, .end-controls) .button', (all) => all.map((each) => [each.dataset.testid, each.getBoundingClientRect()])
      .sort(([, one], [, other]) => one.top - other.top || one.left - other.left).map(([name]) => name));
    const before = await order();
    await inSession(page, '(session) => session.emit("hold", { originator: "remote" })');
    assert.deepEqual(await order(), before);
    await inSession(page, '(session) => session.emit("unhold", { originator: "remote" })');
    await quality(page, { trouble: 'nothingIn' });
    await see(page, 'call-trouble', 'No llega sonido');
    assert.deepEqual(await order(), before);
  });

  test(`of the people that match, those are shown that are seen as a whole on ${size}`, async (t) => {
    const page = await signIn(t, { viewport, prepare: inSpanish });
    await page.evaluate(() => { for (const user of ['bob', 'bobby', 'bobo', 'bobine']) phone.contacts.keep({ uri: `sip:${user}@example.com`, name: `${user} Martin` }); });
    await page.keyboard.type('bob');
    await page.waitForSelector(id('dial-suggestion'));
    const shares = await page.$$eval(id('dial-suggestion'), (all) => all.map((each) => {
      const [its, frame] = [each, each.parentElement].map((one) => one.getBoundingClientRect());
      const height = Math.min(its.bottom, frame.bottom) - Math.max(its.top, frame.top);
      const width = Math.min(its.right, frame.right) - Math.max(its.left, frame.left);
      return Math.max(0, height) * Math.max(0, width) / (its.height * its.width);
    }));
    assert.ok(shares[0] > 0.999 && shares.every((share) => share > 0.999 || share < 0.001), `${shares}`);
  });
}

test('on the smallest screen the button that signs in is in sight, in both languages', async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 568 } });
  for (const language of ['es', 'en']) {
    await page.click(id('language'));
    await page.waitForFunction((wanted) => document.documentElement.lang === wanted, {}, language);
    assert.ok(await page.$eval(id('sign-in-submit'), (button) => button.getBoundingClientRect().bottom) <= 568, language);
  }
});

test('what is only spoken in a long list does not move the page when a reader comes to it', async (t) => {
  const page = await signIn(t, { viewport: { width: 320, height: 568 } });
  await page.evaluate(() => { for (let at = 0; at < 20; at += 1) fake.agent.ring(`sip:caller${at}@example.com`).emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await page.click(id('tab-recents'));
  await see(page, 'recents', 'caller19');
  await page.$$eval('.row .spoken', (all) => all.at(-1).scrollIntoView());
  assert.equal(await page.$eval('.card-frame', (frame) => frame.scrollTop), 0);
});
