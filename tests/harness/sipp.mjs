// sipp, which says and hears exactly what a scenario has.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.mjs';
import { Program } from './program.mjs';
import { registration, scenario } from './sipp_messages.mjs';
import { temporaryFolder } from './folder.mjs';

/** Without a space, which sipp's scenarios do not take. */
export const SIPP_PASSWORD = 'correct-horse';

export class Sipp {
  /**
   * A sipp that plays its steps `calls` times. `server` is a UDP port of loopback to which everything goes, `service`
   * the user to call, `rate` the calls it begins in a second.
   */
  static async start(test, steps, { port, server, service = 'alice', calls = 1, rate = 10, within = 20 } = {}) {
    const sipp = new Sipp();
    sipp.folder = temporaryFolder('sipp');
    sipp.port = port ?? (await freePort());
    sipp.within = within;
    writeFileSync(join(sipp.folder, 'scenario.xml'), scenario(steps));
    const target = server ? [`127.0.0.1:${server}`] : [];
    sipp.program = new Program('sipp', 'sipp', [
      '-sf', 'scenario.xml', '-i', '127.0.0.1', '-p', `${sipp.port}`, '-s', service, '-m', `${calls}`, '-r', `${rate}`, '-nostdin', '-timeout', `${within}`, '-timeout_error',
      '-trace_err', '-error_file', 'errors.log', '-trace_msg', '-message_file', 'messages.log', ...target,
    ], { cwd: sipp.folder });
    test.after(() => sipp.program.stop());
    return sipp;
  }

  #file(name) {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** All messages that it sent and received, as sipp wrote them down. */
  get messages() {
    return this.#file('messages.log');
  }

  /** The Call-IDs of all that it sent and received. */
  get calls() {
    return new Set([...this.messages.matchAll(/^Call-ID: *(\S+)/gim)].map(([, id]) => id));
  }

  /** Waits for its end, which must be that of the scenario in every call. */
  async passes() {
    const { code } = await this.program.ended;
    assert.equal(code, 0, `sipp ended with ${code}:\n${this.#file('errors.log')}\n${this.messages.slice(-6000)}\n${this.program.output.slice(-1500)}`);
  }
}

/** A phone of `user` at a port of its own that is signed in, played by sipp from now on. */
export async function callee(test, server, user, steps, { q, through, calls = 1, within } = {}) {
  const port = await freePort();
  const door = through ?? server.ports.sip;
  const signingIn = await Sipp.start(test, registration(user, SIPP_PASSWORD, { q }), { port, server: door });
  await signingIn.passes();
  return Sipp.start(test, steps, { port, calls, within, server: door });
}
