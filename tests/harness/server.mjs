// The server under test: the real binary, on loopback ports of its own.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { temporaryFolder } from './folder.mjs';

export const BINARY = process.env.SIPWEB ?? new URL('../../target/debug/sipweb', import.meta.url).pathname;

/** Passwords are the tests' own and go nowhere else. */
export const PASSWORD = 'correct horse';

export class Server {
  /** A server with users, not started yet. `more` is TOML to add to its configuration, `addresses` are those where it listens. */
  static async prepare(test, { users = ['alice', 'bob'], more = '', addresses = ['127.0.0.1'] } = {}) {
    const server = new Server();
    [server.address] = addresses;
    server.folder = temporaryFolder('server');
    server.ports = { sip: await freePort(), tls: await freePort(), http: await freePort(), https: await freePort() };
    server.configuration = join(server.folder, 'sipweb.toml');
    const at = (port) => JSON.stringify(addresses.map((address) => `${address}:${port}`));
    writeFileSync(
      server.configuration,
      `domain = "127.0.0.1"\ndata = "${join(server.folder, 'data')}"\n\n[listen]\nudp = ${at(server.ports.sip)}\ntcp = ${at(server.ports.sip)}\n` +
        `tls = ${at(server.ports.tls)}\nhttp = ${at(server.ports.http)}\nhttps = ${at(server.ports.https)}\n\n${more}`,
    );
    for (const user of users) server.addUser(user);
    test.after(() => server.stop());
    return server;
  }

  /** A running server. */
  static async start(test, options) {
    const server = await Server.prepare(test, options);
    await server.start();
    return server;
  }

  addUser(name, password = PASSWORD) {
    execFileSync(BINARY, ['user', 'add', name, '--config', this.configuration], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  async start() {
    const deadline = Date.now() + 10_000;
    for (;;) {
      this.program = new Program('sipweb', BINARY, ['serve', '--config', this.configuration]);
      try {
        return await this.program.says(/^ready:.*$/m);
      } catch (error) {
        // Another file's scenario may have been given a port between an end and a new start; it gives it back.
        if (!/ is in use by /.test(this.program.output) || Date.now() > deadline) throw error;
      }
    }
  }

  /** Ends it without a warning, as a power cut would. */
  async kill() {
    this.program.child.kill('SIGKILL');
    await this.program.ended;
  }

  async stop() {
    if (this.program) await this.program.stop();
  }

  get log() {
    return this.program?.output ?? '';
  }

  get page() {
    return `http://${this.address}:${this.ports.http}/`;
  }

  /** The page where it may use the microphone though it is not on loopback. */
  get securePage() {
    return `https://${this.address}:${this.ports.https}/`;
  }

  get webSocket() {
    return `ws://${this.address}:${this.ports.http}/sip`;
  }

  /** Waits for a sentence in the log. */
  async says(pattern, options) {
    return this.program.says(pattern, options);
  }
}
