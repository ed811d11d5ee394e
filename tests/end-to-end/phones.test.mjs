// A real SIP phone and a page call each other: signalling in full; the audio between them is the gateway's business.
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

for (const transport of ['udp', 'tcp', 'tls']) {
  describe(`a phone registered over ${transport.toUpperCase()}`, () => {
    const phoneOf = (t, server, user) =>
      Baresip.start(t, { user, transport, port: transport === 'tls' ? server.ports.tls : server.ports.sip });

    test('calls alice: her page rings, she answers and hangs up', async (t) => {
      const server = await Server.start(t);
      const alice = await PhonePage.open(t, server, 'alice');
      const bob = await phoneOf(t, server, 'bob');
      bob.dial('sip:alice@127.0.0.1');
      await alice.phase('incoming');
      await bob.event('CALL_RINGING');
      await alice.answer();
      await bob.event('CALL_ESTABLISHED');
      await alice.phase('talking');
      await alice.hangUp();
      await bob.event('CALL_CLOSED');
      await alice.phase('ended');
    });

    test('is called by alice, answers and hangs up', async (t) => {
      const server = await Server.start(t);
      const alice = await PhonePage.open(t, server, 'alice');
      const bob = await phoneOf(t, server, 'bob');
      await alice.call('bob');
      await bob.event('CALL_INCOMING');
      await alice.phase('ringing');
      bob.accept();
      await bob.event('CALL_ESTABLISHED');
      await alice.phase('talking');
      bob.hangUp();
      await alice.phase('ended');
      await bob.event('CALL_CLOSED');
    });

    test('hangs up a call that it began', async (t) => {
      const server = await Server.start(t);
      const alice = await PhonePage.open(t, server, 'alice');
      const bob = await phoneOf(t, server, 'bob');
      bob.dial('sip:alice@127.0.0.1');
      await alice.phase('incoming');
      await alice.answer();
      await bob.event('CALL_ESTABLISHED');
      bob.hangUp();
      await alice.phase('ended');
    });
  });
}

describe('bob has a page and a phone', () => {
  const both = async (t) => {
    const server = await Server.start(t);
    return {
      alice: await PhonePage.open(t, server, 'alice'),
      page: await PhonePage.open(t, server, 'bob', { tone: 880 }),
      phone: await Baresip.start(t, { user: 'bob', port: server.ports.sip }),
    };
  };

  test('both ring, the page answers, and the phone stops', async (t) => {
    const { alice, page, phone } = await both(t);
    await alice.call('bob');
    await page.phase('incoming');
    await phone.event('CALL_INCOMING');
    await page.answer();
    await alice.phase('talking');
    await phone.event('CALL_CLOSED');
    await alice.hears(880);
    await alice.hangUp();
    await page.phase('ended');
  });

  test('both ring, the phone answers, and the page says that it was answered elsewhere', async (t) => {
    const { alice, page, phone } = await both(t);
    await alice.call('bob');
    await page.phase('incoming');
    await phone.event('CALL_INCOMING');
    phone.accept();
    await page.phase('ended');
    await page.says(/elsewhere|another/i);
    await alice.hangUp();
    await phone.event('CALL_CLOSED');
  });
});
