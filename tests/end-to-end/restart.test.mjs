// The server is killed without warning and comes back: nobody who was acknowledged is forgotten.
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

describe('after kill -9 and a restart', () => {
  test("a phone's binding is there: it rings without having registered again", async (t) => {
    const server = await Server.start(t);
    const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip });
    await server.kill();
    await server.start();
    const alice = await PhonePage.open(t, server, 'alice');
    await alice.call('bob');
    await bob.event('CALL_INCOMING');
    await alice.hangUp();
    await bob.event('CALL_CLOSED');
  });

  test('pages are back by themselves within 5 s', async (t) => {
    const server = await Server.start(t);
    const alice = await PhonePage.open(t, server, 'alice');
    await server.kill();
    await alice.chip('reconnecting');
    await server.start();
    await alice.registered({ within: 5000 });
  });

  test('an established call between pages keeps its audio and can still be hung up', async (t) => {
    const server = await Server.start(t);
    const alice = await PhonePage.open(t, server, 'alice', { tone: 440 });
    const bob = await PhonePage.open(t, server, 'bob', { tone: 880 });
    await alice.call('bob');
    await bob.phase('incoming');
    await bob.answer();
    await alice.phase('talking');
    await alice.hears(880);

    await server.kill();
    await alice.chip('reconnecting');
    await bob.chip('reconnecting');
    await alice.hears(880);
    await bob.hears(440);

    await server.start();
    await alice.registered({ within: 5000 });
    await bob.registered({ within: 5000 });
    await alice.hears(880);
    await bob.hangUp();
    await alice.phase('ended');
    await bob.phase('ended');
    alice.unharmed();
    bob.unharmed();
  });
});
