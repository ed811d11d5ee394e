// What a person says of himself, as the lamp beside his name in the page of another one.
import { describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

async function watched(t, options = {}) {
  const server = await Server.start(t, options);
  const alice = await PhonePage.open(t, server, 'alice');
  await alice.press('tab-contacts');
  await alice.press('contact-new');
  await alice.type('contact-name', 'Robert');
  await alice.type('contact-address', 'bob');
  await alice.press('contact-save');
  const bob = await PhonePage.open(t, server, 'bob');
  await bob.press('tab-contacts');
  return {
    server, alice, bob,
    choose: (state) => bob.page.select('[data-testid=presence-state]', state),
    shows: (words) => until(`alice's contact to show "${words}"`, async () => {
      const found = await alice.text('contact');
      if (found.includes(words)) return true;
      throw new Error(found);
    }),
  };
}

describe('bob says what he is doing, and alice sees it', () => {
  test('with his note, also after a reload of his page, until he takes it back and until he signs out', async (t) => {
    // What a reload leaves behind is given up soon.
    const { alice, bob, choose, shows } = await watched(t, { more: '[registrar]\nflow_grace = "2s"\n' });
    await shows('Available');
    await choose('away');
    await shows('Away');
    await bob.type('presence-note', 'At "lunch" & more');
    await bob.page.keyboard.press('Enter');
    await shows('Away · At "lunch" & more');
    await bob.page.reload();
    await bob.registered();
    await shows('Away · At "lunch" & more');
    await bob.press('tab-contacts');
    await choose('busy');
    await shows('Busy');
    await bob.page.$eval('[data-testid=presence-note]', (field) => {
      field.value = '';
      field.dispatchEvent(new Event('change'));
    });
    await choose('available');
    // Nothing of before the reload comes back either.
    await shows('Available');
    await choose('busy');
    await shows('Busy');
    await bob.press('tab-settings');
    await bob.press('sign-out');
    await shows('Not reachable');
    for (const page of [alice, bob]) page.unharmed();
  });

  test('not to be disturbed: alice sees it, hears that he is busy if she calls all the same, and he finds her among his missed calls', async (t) => {
    const { alice, bob, choose, shows } = await watched(t);
    await choose('doNotDisturb');
    await shows('Do not disturb');
    await alice.call('bob');
    await alice.phase('ended');
    await alice.says(/busy/);
    await until('a missed call', async () => (await bob.text('badge-recents')) === '1');
    for (const page of [alice, bob]) page.unharmed();
  });

  test('a server that is killed and started anew hears it again', async (t) => {
    const { server, alice, bob, choose, shows } = await watched(t);
    await choose('away');
    await shows('Away');
    await server.kill();
    for (const page of [alice, bob]) await page.chip('reconnecting');
    // A watch that ends at once would not be kept up; this one has lasted.
    await alice.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 60_000;
    });
    await server.start();
    for (const page of [alice, bob]) await page.registered();
    await shows('Away');
  });

  test('a server that takes no presence leaves everything else as it is, and he is told', async (t) => {
    const { alice, bob, choose } = await watched(t, { more: '[events]\npackages = ["dialog"]\n' });
    await choose('away');
    await until('the hint', async () => /does not pass your state on/.test(await bob.text('presence-hint')));
    await alice.call('bob');
    await bob.phase('incoming');
    await bob.answer();
    await alice.phase('talking');
    for (const page of [alice, bob]) page.unharmed();
  });
});
