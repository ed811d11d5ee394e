// A real SIP phone: baresip, driven over its control socket.
import { connect } from 'node:net';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { temporaryFolder } from './folder.mjs';
import { PASSWORD } from './server.mjs';
import { strongestIn } from './tone.mjs';
import { until } from './wait.mjs';

const MODULES = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules', '/usr/local/lib/baresip/modules'];

export class Baresip {
  /** A phone registered as `user` over `transport` at a registrar on loopback: plain RTP, as most desk phones. */
  static async start(test, { user, port, transport = 'udp', password = PASSWORD, register = true, tone = 660, codecs = 'PCMU,PCMA', flags = [] }) {
    const phone = new Baresip();
    phone.user = user;
    phone.events = [];
    phone.folder = temporaryFolder('baresip');
    const control = await freePort();
    const modules = MODULES.find((folder) => existsSync(folder));
    writeFileSync(
      join(phone.folder, 'config'),
      [
        'poll_method epoll',
        `sip_listen 127.0.0.1:${await freePort()}`,
        'net_interface 127.0.0.1',
        'dns_server 127.0.0.1:53',
        `audio_source ausine,${tone}`,
        // The sine source knows this rate only; G.711 is resampled.
        'ausrc_srate 48000',
        'auplay_srate 48000',
        'ausrc_channels 2',
        'auplay_channels 2',
        'audio_player aubridge,nowhere',
        `snd_path ${phone.folder}`,
        'audio_alert none',
        `module_path ${modules}`,
        ...['g711', 'g722', 'opus', 'ausine', 'aubridge', 'sndfile', 'uuid'].map((name) => `module ${name}.so`),
        'module_tmp account.so',
        'module_app menu.so',
        'module_app ctrl_tcp.so',
        `ctrl_tcp_listen 127.0.0.1:${control}`,
        '',
      ].join('\n'),
    );
    const uri = `sip:127.0.0.1:${port};transport=${transport}`;
    writeFileSync(
      join(phone.folder, 'accounts'),
      `<sip:${user}@127.0.0.1;transport=${transport}>;auth_user=${user};auth_pass="${password}";outbound="${uri}";` +
        `regint=${register ? 600 : 0};audio_codecs=${codecs}\n`,
    );
    phone.program = new Program(`baresip (${user}, ${transport})`, 'baresip', ['-f', phone.folder, ...flags]);
    test.after(() => phone.stop());
    await phone.program.says(/baresip is ready/);
    phone.socket = await phone.#connect(control);
    if (register) await phone.registered();
    return phone;
  }

  async #connect(port) {
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    let pending = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      pending += chunk;
      for (;;) {
        const head = pending.match(/^(\d+):/);
        if (!head || pending.length < head[0].length + Number(head[1]) + 1) return;
        const text = pending.slice(head[0].length, head[0].length + Number(head[1]));
        pending = pending.slice(head[0].length + Number(head[1]) + 1);
        this.events.push(JSON.parse(text));
      }
    });
    socket.on('error', () => {});
    return socket;
  }

  command(command, params = '') {
    const text = JSON.stringify({ command, params, token: 'test' });
    this.socket.write(`${Buffer.byteLength(text)}:${text},`);
  }

  /** Waits for an event of the phone, such as CALL_INCOMING, and returns it. */
  async event(type, { from = 0, within = 10_000 } = {}) {
    return until(`${type} at ${this.user}'s phone`, () => this.events.slice(from).find((event) => event.event && event.type === type), { within });
  }

  async registered() {
    await this.program.says(/200 OK|All .*registered|registered successfully/i);
  }

  /** What the phone has heard so far in its last call: a WAV file. */
  heard() {
    const recordings = readdirSync(this.folder).filter((name) => name.endsWith('dec.wav')).sort();
    return readFileSync(join(this.folder, recordings.at(-1)));
  }

  /** Waits until the phone hears a tone, and not the other tones that are around. */
  async hears(hertz, { within = 10_000 } = {}) {
    return until(`a tone of ${hertz} Hz at ${this.user}'s phone`, () => {
      const found = strongestIn(this.heard(), [hertz, ...[440, 660, 880].filter((other) => other !== hertz)]);
      if (found.hertz === hertz && found.level > 0.02 && found.level > 10 * found.next) return found;
      throw new Error(JSON.stringify(found));
    }, { within });
  }

  dial(target) {
    this.command('dial', target);
  }

  accept() {
    this.command('accept');
  }

  hangUp() {
    this.command('hangup');
  }

  async stop() {
    this.socket?.destroy();
    await this.program.stop('SIGTERM', 2000);
  }
}
