// Published JsSIP and SIP.js, unmodified, in Chromium, through our server.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hears } from '../harness/browser.mjs';
import { connectionOf, LIBRARIES, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';

for (const [caller, callee] of [['JsSIP', 'SIP.js'], ['SIP.js', 'JsSIP']]) {
  describe(`a page with ${caller} and a page with ${callee}`, () => {
    test('both register, one calls, both hear each other, and the caller hangs up', async (t) => {
      const server = await Server.start(t);
      const alice = await telephone(t, caller, server, 'alice', { tone: 440 });
      const bob = await telephone(t, callee, server, 'bob', { tone: 880 });
      await alice.logged('registered');
      await bob.logged('registered');

      await alice.evaluate(() => window.phone.call('sip:bob@127.0.0.1'));
      await bob.logged(callee === 'JsSIP' ? 'session remote' : 'session incoming');
      await bob.evaluate(() => void window.phone.answer());
      await alice.logged(caller === 'JsSIP' ? 'confirmed' : 'session Established');
      await hears(alice, connectionOf[caller], 880);
      await hears(bob, connectionOf[callee], 440);

      await alice.evaluate(() => void window.phone.hangUp());
      await bob.logged(callee === 'JsSIP' ? 'ended' : 'session Terminated');
    });

    test('a text message arrives and is confirmed', async (t) => {
      const server = await Server.start(t);
      const alice = await telephone(t, caller, server, 'alice');
      const bob = await telephone(t, callee, server, 'bob');
      await alice.logged('registered');
      await bob.logged('registered');
      const outcome = await alice.evaluate(() => window.phone.send('sip:bob@127.0.0.1', '¿Comemos? ☎'));
      assert.equal(outcome, 'succeeded');
      assert.deepEqual(await bob.evaluate(() => window.phone.messages), ['¿Comemos? ☎']);
    });
  });
}

for (const library of LIBRARIES) {
  test(`${library} with a wrong password is refused`, async (t) => {
    const server = await Server.start(t);
    const page = await telephone(t, library, server, 'alice', { password: 'wrong' });
    await page.logged(library === 'JsSIP' ? 'registrationFailed' : 'refused');
    assert.ok(!(await page.evaluate(() => window.phone.log)).includes('registered'));
  });
}
