// Messages to somebody who is not there: they wait, and a power cut of the server takes none.
import { test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

test('bob reads what alice wrote while he was away, though the server was killed meanwhile', async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice');
  await alice.press('tab-messages');
  await alice.type('conversation-target', 'bob');
  await alice.press('conversation-start');
  let sent = 0;
  for (const words of ['Are you there?', '¿Comemos?']) {
    await alice.type('message-field', words);
    await alice.press('message-send');
    sent += 1;
    // Taken by the server, as the page says.
    await until('the words on her own page', () => alice.page.evaluate((wanted) => document.querySelectorAll('[data-testid=message][data-state=done]').length === wanted, sent));
  }
  await server.kill();
  await server.start();
  const bob = await PhonePage.open(t, server, 'bob');
  await bob.press('tab-messages');
  await bob.press('conversation-row');
  await until('both messages, in their order', async () => /Are you there\?[^]*¿Comemos\?/.test(await bob.text('conversation')));
  for (const page of [alice, bob]) page.unharmed();
});
