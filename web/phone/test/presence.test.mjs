// What the user says of himself: chosen, published, kept, taken back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, id, open, see, signIn } from './support/page.mjs';

const published = (page) => page.evaluate(() => fake.agent.published);
const last = async (page) => (await published(page)).at(-1);
const choose = (page, state) => page.select(id('presence-state'), state);

async function write(page, note) {
  await page.type(id('presence-note'), note);
  await page.keyboard.press('Enter');
}

test('who says nothing publishes nothing', async (t) => {
  const page = await signIn(t);
  assert.deepEqual(await published(page), []);
});

test('a state and a note are published at once, shown above the contacts and in the header, and taken back', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await choose(page, 'away');
  assert.match(await last(page), /entity="sip:alice@example.com".*<basic>open<.*<rpid:away\/>/s);
  await see(page, 'registration', 'Away');
  await write(page, 'At lunch');
  await page.waitForFunction(() => fake.agent.published.at(-1).includes('<note>At lunch</note>'));
  await choose(page, 'busy');
  assert.match(await last(page), /<note>At lunch<.*<rpid:busy\/>/s);
  await choose(page, 'available');
  assert.match(await last(page), /<note>At lunch</);
  await page.$eval(id('presence-note'), (field) => { field.value = ''; field.dispatchEvent(new Event('change')); });
  assert.equal(await last(page), '');
  await see(page, 'registration', 'Ready');
  await gone(page, 'presence-hint');
});

test('the choice is kept for the account: published again after a reload and a new sign-in, and not for somebody else', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await choose(page, 'busy');
  await page.reload();
  await see(page, 'registration', 'Busy');
  assert.match(await last(page), /<rpid:busy\/>/);
  await page.click(id('tab-settings'));
  await page.click(id('sign-out'));
  await page.waitForSelector(id('sign-in-user'), { visible: true });
  await page.type(id('sign-in-user'), 'bob');
  await page.type(id('sign-in-password'), 'secret');
  await page.keyboard.press('Enter');
  await see(page, 'registration', 'Ready');
  assert.deepEqual(await published(page), []);
});

test('what is kept of an older or foreign page is taken as available', async (t) => {
  const page = await open(t, { hash: '#alice:secret', prepare: () => localStorage.setItem('sipweb.presence.sip:alice@example.com', '{"said":"asleep","note":7}') });
  await see(page, 'registration', 'Ready');
  assert.deepEqual(await published(page), []);
});

test('a page that goes away takes its state back', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await choose(page, 'away');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')));
  assert.equal(await last(page), '');
});

test('a line that comes back tells its state anew: the server may have been started anew', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await choose(page, 'away');
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true }); });
  await see(page, 'registration', 'Reconnecting');
  await page.evaluate(() => { fake.agent.accept(); });
  await page.waitForFunction(() => fake.agent.published.length === 2);
  const [first, second] = await published(page);
  assert.equal(second, first);
});

test('not to be disturbed: nothing rings, the caller hears busy, and the call stands among the missed ones', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await choose(page, 'doNotDisturb');
  await see(page, 'registration', 'Do not disturb');
  await see(page, 'presence-hint', 'Nothing rings');
  assert.match(await last(page), /<basic>closed</);
  const answer = await page.evaluate(() => new Promise((resolve) => {
    const session = fake.agent.ring('sip:bob@example.com', 'Bob');
    session.on('failed', ({ options }) => resolve(options?.status_code));
    if (session.ended) resolve('at once');
  }));
  assert.ok(answer === 'at once' || answer === 486, String(answer));
  await see(page, 'badge-recents', '1');
  await gone(page, 'call');
  await choose(page, 'available');
  await page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob'); });
  await see(page, 'call', 'Bob');
});

for (const status of [405, 489, 501, 404]) {
  test(`a server that answers ${status} to PUBLISH: the choice stays, and its user is told that nobody sees it`, async (t) => {
    const page = await signIn(t);
    await page.evaluate((code) => { fake.publishing = code; }, status);
    await page.click(id('tab-contacts'));
    await choose(page, 'away');
    await see(page, 'presence-hint', 'does not pass your state on');
    await see(page, 'registration', 'Away');
    await choose(page, 'available');
    await gone(page, 'presence-hint');
  });
}

test('a server that does not answer a PUBLISH is not said to refuse it', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.publishing = 0; });
  await page.click(id('tab-contacts'));
  await choose(page, 'away');
  await see(page, 'registration', 'Away');
  await gone(page, 'presence-hint');
});

test('a contact that says what it is doing has a lamp and its note; in a call it is in a call', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.type(id('contact-name'), 'Bob');
  await page.type(id('contact-address'), 'bob');
  await page.click(id('contact-save'));
  await page.waitForFunction(() => fake.agent.subscriptions.length === 2);
  const say = (basic, doing) => page.evaluate((open, what) => {
    fake.agent.subscriptions[1].notify(`<presence><tuple id="1"><status><basic>${open}</basic></status><note>Room 7</note></tuple><a:activities><a:${what}/></a:activities></presence>`);
  }, basic, doing);
  for (const [basic, doing, words] of [['open', 'away', 'Away'], ['open', 'busy', 'Busy'], ['closed', 'busy', 'Do not disturb']]) {
    await say(basic, doing);
    await see(page, 'contact', `${words} · Room 7 · bob`);
  }
  await page.evaluate(() => { fake.agent.subscriptions[0].notify('<state>confirmed</state>'); });
  await see(page, 'contact', 'In a call · Room 7');
});
