// The lamps beside the contacts: what a person sees of others without asking them.
import { describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

/** Adds a contact to a page. */
async function keep(phone, name, address) {
  await phone.press('tab-contacts');
  await phone.press('contact-new');
  await phone.type('contact-name', name);
  await phone.type('contact-address', address);
  await phone.press('contact-save');
}

/** Waits until the one contact of a page shows these words. */
function shows(phone, words) {
  return until(`${phone.user}'s contact to show "${words}"`, async () => {
    const found = await phone.text('contact');
    if (found.includes(words)) return true;
    throw new Error(found);
  });
}

describe('alice has bob among her contacts', () => {
  test('his lamp follows his calls, also those that he makes, and a reload of her page', async (t) => {
    const server = await Server.start(t, { users: ['alice', 'bob', 'carol'] });
    const alice = await PhonePage.open(t, server, 'alice');
    await keep(alice, 'Bob', 'bob');
    await shows(alice, 'Not reachable');
    const bob = await PhonePage.open(t, server, 'bob');
    await shows(alice, 'Available');
    const carol = await PhonePage.open(t, server, 'carol');
    await carol.call('bob');
    await bob.phase('incoming');
    await shows(alice, 'Being called');
    await bob.answer();
    await carol.phase('talking');
    await shows(alice, 'In a call');
    await alice.page.reload();
    await alice.registered();
    await alice.press('tab-contacts');
    await shows(alice, 'In a call');
    await carol.hangUp();
    await shows(alice, 'Available');
    await bob.press('call-close');
    await carol.press('call-close');
    await bob.call('carol');
    await carol.phase('incoming');
    await shows(alice, 'Being called');
    await bob.hangUp();
    await shows(alice, 'Available');
    for (const page of [alice, bob, carol]) page.unharmed();
  });

  test('a browser that breaks down in a call leaves no lamp lit', async (t) => {
    const server = await Server.start(t, { users: ['alice', 'bob', 'carol'], more: '[registrar]\nflow_grace = "2s"\n' });
    const alice = await PhonePage.open(t, server, 'alice');
    await keep(alice, 'Bob', 'bob');
    const bob = await PhonePage.open(t, server, 'bob');
    const carol = await PhonePage.open(t, server, 'carol');
    await carol.call('bob');
    await bob.phase('incoming');
    await bob.answer();
    await shows(alice, 'In a call');
    bob.browser.process().kill('SIGKILL');
    await shows(alice, 'Not reachable');
    alice.unharmed();
  });

  test('a server that is killed and started anew tells of his calls again', async (t) => {
    const server = await Server.start(t, { users: ['alice', 'bob', 'carol'] });
    const [alice, bob, carol] = [await PhonePage.open(t, server, 'alice'), await PhonePage.open(t, server, 'bob'), await PhonePage.open(t, server, 'carol')];
    await keep(alice, 'Bob', 'bob');
    await shows(alice, 'Available');
    await server.kill();
    for (const page of [alice, bob, carol]) await page.chip('reconnecting');
    // A watch that ends at once would not be kept up; this one has lasted.
    await alice.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 60_000;
    });
    await server.start();
    for (const page of [alice, bob, carol]) await page.registered();
    await bob.call('carol');
    await carol.phase('incoming');
    await shows(alice, 'Being called');
    await bob.hangUp();
    await shows(alice, 'Available');
  });
});
