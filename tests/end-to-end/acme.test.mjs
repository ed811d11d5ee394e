// A real authority, Let's Encrypt's own for tests: the server gets its certificate by itself, keeps it, and renews it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { temporaryFolder } from '../harness/folder.mjs';
import { freePort } from '../harness/ports.mjs';
import { Program } from '../harness/program.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const DOMAIN = 'sip.example.com';

/** Seconds that a certificate is good; so it is renewed after six. */
const LIFE = 9;

/** Pebble, and the DNS that leads it to loopback. It looks for proofs on these ports. */
async function authority(t, { tls = 1, http = 1 }) {
  const folder = temporaryFolder('pebble');
  const [directory, management, dns, dnsManagement] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const file = (name) => join(folder, name);
  writeFileSync(
    file('own.cnf'),
    '[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no\n[name]\nCN = pebble\n' +
      '[more]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n',
  );
  const own = ['-keyout', file('own.key'), '-out', file('own.pem'), '-config', file('own.cnf')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...own], { stdio: 'pipe' });
  const settings = {
    listenAddress: `127.0.0.1:${directory}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: file('own.pem'),
    privateKey: file('own.key'),
    httpPort: http,
    tlsPort: tls,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    certificateValidityPeriod: LIFE,
  };
  writeFileSync(file('pebble.json'), JSON.stringify({ pebble: settings }));
  const names = new Program('pebble-challtestsrv', '/usr/bin/pebble-challtestsrv', [
    '-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`, '-http01', '', '-https01', '', '-tlsalpn01', '',
    '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '',
  ]);
  const options = { env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' } };
  const pebble = new Program('pebble', '/usr/bin/pebble', ['-config', file('pebble.json'), '-dnsserver', `127.0.0.1:${dns}`], options);
  t.after(() => Promise.all([pebble.stop(), names.stop()]));
  await pebble.says(/Listening on: 127/);
  return { pebble, directory: `https://127.0.0.1:${directory}/dir`, signer: file('own.pem') };
}

/** The certificate that a client gets who comes by this name. */
function shown(server, servername) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.ports.https, servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

test('the server gets a certificate, keeps it over a restart, renews it, and shows the old one when the authority is gone', async (t) => {
  const server = await Server.prepare(t, { users: [] });
  const { pebble, directory, signer } = await authority(t, { tls: server.ports.https });
  const configuration = `[acme]\nacme_domains = "${DOMAIN}"\nacme_terms_agreed = true\nacme_contact = "admin@example.com"\n` +
    `acme_directory = "${directory}"\nacme_authority = "${signer}"\n`;
  writeFileSync(server.configuration, configuration, { flag: 'a' });
  await server.start();
  assert.match(server.log, /acme: there is no certificate for sip\.example\.com yet/);
  const come = /acme: a certificate for sip\.example\.com has come/;
  await server.says(come);
  const first = await shown(server, DOMAIN);
  assert.equal(first.subjectaltname, `DNS:${DOMAIN}`);
  assert.match(first.issuer.CN, /Pebble/);
  assert.equal((await shown(server, 'another.example.com')).serialNumber, first.serialNumber, 'better than one of its own making');

  await server.kill();
  await server.start();
  assert.doesNotMatch(server.log, /no certificate/);
  assert.equal((await shown(server, DOMAIN)).serialNumber, first.serialNumber);

  await server.says(come, { within: LIFE * 1000 });
  const second = await shown(server, DOMAIN);
  assert.notEqual(second.serialNumber, first.serialNumber);

  await pebble.stop();
  await server.says(/acme: no new certificate for sip\.example\.com: .* tried again in 300 s, and until then the one that it has is shown/, { within: LIFE * 1000 });
  assert.equal((await shown(server, DOMAIN)).serialNumber, second.serialNumber);
});

test('an authority that does not find the proof is told in the log, and a certificate of our own making is shown', async (t) => {
  const server = await Server.prepare(t, { users: [] });
  // It looks where nobody listens.
  const { directory, signer } = await authority(t, { tls: await freePort() });
  const configuration = `[acme]\nacme_domains = "${DOMAIN}"\nacme_terms_agreed = true\nacme_directory = "${directory}"\nacme_authority = "${signer}"\n`;
  writeFileSync(server.configuration, configuration, { flag: 'a' });
  await server.start();
  await server.says(/no new certificate for sip\.example\.com: the authority did not find the proof on port 443: .*another one is shown/);
  await until('the server to show another one', async () => (await shown(server, DOMAIN)).subjectaltname.includes('localhost'));
});

test('a name may be proved on the HTTP port instead', async (t) => {
  const server = await Server.prepare(t, { users: [] });
  const { directory, signer } = await authority(t, { http: server.ports.http });
  const configuration = `[acme]\nacme_domains = "${DOMAIN}"\nacme_terms_agreed = true\nacme_proof = "http-01"\nacme_directory = "${directory}"\nacme_authority = "${signer}"\n`;
  writeFileSync(server.configuration, configuration, { flag: 'a' });
  await server.start();
  await server.says(/acme: a certificate for sip\.example\.com has come/);
  assert.equal((await shown(server, DOMAIN)).subjectaltname, `DNS:${DOMAIN}`);
});
