// A real SIP phone: baresip, driven over its control socket.
import { connect } from 'node:net';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { temporaryFolder } from './folder.mjs';
import { PASSWORD } from './server.mjs';
import { Listening } from './tone.mjs';
import { until } from './wait.mjs';

const MODULES = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules', '/usr/local/lib/baresip/modules'];

export class Baresip {
  /**
   * A phone registered as `user` over `transport` at a registrar on this machine: plain RTP, as most desk phones.
   * `encryption` is srtp for one that would like SRTP, srtp-mand for one that insists on it. `address` is where
   * the phone is and where it finds the registrar: [::1] for one that has IPv6 only.
   */
  static async start(test, { user, port, transport = 'udp', password = PASSWORD, register = true, tone = 660, address = '127.0.0.1', codecs = 'PCMU,PCMA', encryption, flags = [] }) {
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
        `sip_listen ${address}:${await freePort()}`,
        `net_interface ${address.replace(/[[\]]/g, '')}`,
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
        ...['g711', 'g722', 'opus', 'ausine', 'aubridge', 'sndfile', 'uuid', ...(encryption ? ['srtp'] : [])].map((name) => `module ${name}.so`),
        'module_tmp account.so',
        'module_app menu.so',
        'module_app ctrl_tcp.so',
        `ctrl_tcp_listen 127.0.0.1:${control}`,
        '',
      ].join('\n'),
    );
    const uri = `sip:${address}:${port};transport=${transport}`;
    writeFileSync(
      join(phone.folder, 'accounts'),
      `<sip:${user}@127.0.0.1;transport=${transport}>;auth_user=${user};auth_pass="${password}";outbound="${uri}";` +
        `regint=${register ? 600 : 0};audio_codecs=${codecs}${encryption ? `;mediaenc=${encryption}` : ''}\n`,
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

  /** What the phone has heard so far in its last call: a WAV file. It stops recording when a call is held. */
  heard() {
    const recordings = readdirSync(this.folder).filter((name) => name.endsWith('dec.wav')).sort();
    return recordings.length > 0 ? readFileSync(join(this.folder, recordings.at(-1))) : undefined;
  }

  /** Waits until the phone hears a tone, and not the other tones that are around. */
  async hears(hertz, { within = 10_000 } = {}) {
    const listening = new Listening(() => this.heard());
    return until(`a tone of ${hertz} Hz at ${this.user}'s phone`, () => listening.hears(hertz), { within });
  }

  /** Waits until the phone hears silence: packets with nothing in them, not a lack of packets. */
  async hearsNothing({ within = 10_000 } = {}) {
    const listening = new Listening(() => this.heard());
    return until(`silence at ${this.user}'s phone`, () => listening.hearsNothing(), { within });
  }

  async #figures() {
    const from = this.events.length;
    this.command('audio_debug');
    const told = await until(`${this.user}'s phone to tell its figures`, () => this.events.slice(from).find((event) => event.response));
    return told.data;
  }

  /** How many packets of sound have arrived in the present call. */
  async received() {
    return Number((await this.#figures()).match(/rcvd=(\d+)/)?.[1] ?? 0);
  }

  /** The ports between which the sound of the present call goes. */
  async path() {
    const [, local, remote] = (await this.#figures()).match(/local: \S+:(\d+), remote: \S+?:(\d+)\//);
    return { local: Number(local), remote: Number(remote) };
  }

  /** Waits until packets of sound arrive: how a phone that was held and records no more is known to be talked to. */
  async receives({ within = 10_000 } = {}) {
    const before = await this.received();
    return until(`packets for ${this.user}'s phone`, async () => (await this.received()) > before + 10, { within });
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

  hold() {
    this.command('hold');
  }

  resume() {
    this.command('resume');
  }

  /** Asks the other side to call somebody else. */
  transfer(target) {
    this.command('transfer', target);
  }

  /** Presses a key during the call. */
  press(key) {
    this.command('sndcode', key);
  }

  async stop() {
    this.socket?.destroy();
    await this.program.stop('SIGTERM', 2000);
  }
}
