// A real Kamailio as the provider of our trunk: it wants a registration, and a password for every call.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { Kamailio } from '../harness/kamailio.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { freePort } from '../harness/ports.mjs';
import { certificateFor, provider } from '../harness/provider.mjs';
import { PASSWORD, Server } from '../harness/server.mjs';

const routes = `
incoming_to = "alice"
trusted = true

[numbers]
country = "49"

[[routes]]
source = "users"
prefix = "+"
to = "upstream:provider"
`;

const upstream = (servers, more = '') =>
  `[upstreams.provider]\nservers = ${JSON.stringify(servers)}\ndomain = "provider.test"\naccount = "sip:49305550@provider.test"\n` +
  `password = "${PASSWORD}"\n${more}${routes}`;

async function trunk(t, before = []) {
  const kamailio = await Kamailio.start(t, provider(PASSWORD));
  const servers = [...before, `sip:127.0.0.1:${kamailio.port};transport=udp;priority=2`];
  const server = await Server.start(t, { users: ['alice'], more: upstream(servers, 'probe = "1s"\n') });
  const alice = await PhonePage.open(t, server, 'alice');
  // Somebody in the telephone network behind the provider.
  const carol = await Baresip.start(t, { user: '+49301234', port: kamailio.port });
  return { kamailio, server, alice, carol };
}

describe('a trunk to a provider', () => {
  test('is registered with its password', async (t) => {
    const { kamailio, server } = await trunk(t);
    await kamailio.says(/BELIEVED 49305550 for REGISTER/);
    await server.says(/upstream provider: registered as sip:49305550@provider\.test for \d+ s/);
  });

  test('takes the call of a page to a number, and both hear each other', async (t) => {
    const { kamailio, alice, carol } = await trunk(t);
    await alice.call('0301234');
    await carol.event('CALL_INCOMING');
    carol.accept();
    await alice.phase('talking');
    await kamailio.says(/BELIEVED 49305550 for INVITE/);
    await alice.hears(660);
    await carol.hears(440);
    await alice.hangUp();
    await carol.event('CALL_CLOSED');
  });

  test('brings a call of the telephone network to the page', async (t) => {
    const { server, alice, carol } = await trunk(t);
    await server.says(/upstream provider: registered/);
    carol.dial('sip:49305550@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    await carol.event('CALL_ESTABLISHED');
    await alice.phase('talking');
    carol.hangUp();
    await alice.phase('ended');
  });

  test('goes on when its first server is dead, which the log says once', async (t) => {
    const dead = `sip:127.0.0.1:${await freePort()};transport=udp`;
    const { server, alice, carol } = await trunk(t, [dead]);
    await server.says(/upstream provider: sip:127\.0\.0\.1:\d+;transport=udp does not answer; the others are asked first/);
    await server.says(/upstream provider: registered/, { within: 60_000 });
    await alice.call('0301234');
    await carol.event('CALL_INCOMING');
    carol.accept();
    await alice.phase('talking');
    await alice.hangUp();
    await carol.event('CALL_CLOSED');
    assert.equal(server.log.match(/does not answer/g).length, 1);
  });
});

/** A provider that is reached over TLS only, with a certificate that we trust: for `host`. */
async function trunkOverTls(t, host) {
  const secure = { ...certificateFor(host), port: await freePort() };
  const kamailio = await Kamailio.start(t, provider(PASSWORD, secure));
  const trust = `[tls]\ntrust = "${secure.certificate}"\n\n`;
  const more = trust + upstream([`sip:127.0.0.1:${secure.port};transport=tls`]);
  return { kamailio, server: await Server.start(t, { users: ['alice'], more }) };
}

describe('a trunk to a provider over TLS', () => {
  test('is registered, calls and is called', async (t) => {
    const { kamailio, server } = await trunkOverTls(t, 'IP:127.0.0.1');
    await kamailio.says(/ARRIVED REGISTER from 49305550 over tls/);
    await server.says(/upstream provider: registered as sip:49305550@provider\.test for \d+ s/);
    const alice = await PhonePage.open(t, server, 'alice');
    const carol = await Baresip.start(t, { user: '+49301234', port: kamailio.port });
    await alice.call('0301234');
    await carol.event('CALL_INCOMING');
    carol.accept();
    await alice.phase('talking');
    await kamailio.says(/ARRIVED INVITE from \S+ over tls/);
    await alice.hears(660);
    await carol.hears(440);
    await alice.hangUp();
    await carol.event('CALL_CLOSED');

    await alice.press('call-close');
    const seen = carol.events.length;
    carol.dial('sip:49305550@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    await carol.event('CALL_ESTABLISHED', { from: seen });
    await alice.phase('talking');
    carol.hangUp();
    await alice.phase('ended');
  });

  test('gets nothing from us if its certificate is for another host', async (t) => {
    const { kamailio, server } = await trunkOverTls(t, 'IP:127.0.0.9');
    await server.says(/upstream provider: cannot register as sip:49305550@provider\.test: 503/);
    assert.doesNotMatch(kamailio.program.output, /ARRIVED/);
  });
});
