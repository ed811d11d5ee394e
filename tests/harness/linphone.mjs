// A real SIP phone: linphonec, driven by the commands that one types into it. Its sound is files.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.mjs';
import { freePort } from './ports.mjs';
import { Program } from './program.mjs';
import { PASSWORD } from './server.mjs';
import { Listening, writeTone } from './tone.mjs';
import { until } from './wait.mjs';

/** What it hears, while a call lasts, and what it says. */
const HEARD = 'heard.wav';
const MICROPHONE = 'microphone.wav';

/** Opus is what it agrees on with a browser. The recording says so only when it is closed. */
const RECORDING = { rate: 48_000, channels: 1 };

/** How its configuration calls the port of each transport. */
const PORTS = { udp: 'sip_port', tcp: 'sip_tcp_port', tls: 'sip_tls_port' };

export class Linphone {
  /**
   * A phone registered as `user` over `transport` at a registrar on loopback, with the codecs that it prefers itself.
   * `camera`: it shows a still picture, a frame a second; what it is shown it decodes for nobody.
   */
  static async start(test, { user, port, transport = 'udp', password = PASSWORD, tone = 660, camera = false }) {
    const phone = new Linphone();
    phone.user = user;
    phone.folder = temporaryFolder('linphone');
    // Without this folder it cannot open its database, and then it opens no port either.
    mkdirSync(join(phone.folder, '.local/share/linphone'), { recursive: true });
    writeTone(join(phone.folder, MICROPHONE), tone);
    const configuration = join(phone.folder, 'linphonerc');
    const registrar = `<sip:127.0.0.1:${port};transport=${transport}>`;
    writeFileSync(
      configuration,
      [
        '[sip]',
        'use_ipv6=0',
        `${PORTS[transport]}=${await freePort()}`,
        ...Object.keys(PORTS).filter((other) => other !== transport).map((other) => `${PORTS[other]}=0`),
        'default_proxy=0',
        'register_only_when_network_is_up=0',
        ...(camera ? ['[video]', 'device=StaticImage: Static picture', 'automatically_initiate=1', 'automatically_accept=1'] : []),
        '[rtp]',
        `video_rtp_port=${await freePort()}`,
        `audio_rtp_port=${await freePort()}`,
        '[proxy_0]',
        `reg_proxy=${registrar}`,
        `reg_route=${registrar}`,
        `reg_identity=<sip:${user}@127.0.0.1>`,
        'reg_sendregister=1',
        'publish=0',
        '[auth_info_0]',
        `username=${user}`,
        `passwd=${password}`,
        'domain=127.0.0.1',
        '',
      ].join('\n'),
    );
    // It keeps what it says to itself until a buffer is full, unless it is told to write line by line.
    const command = ['-oL', 'linphonec', '-c', configuration, '-b', '/dev/null', ...(camera ? ['-C'] : [])];
    phone.program = new Program(`linphonec (${user}, ${transport})`, 'stdbuf', command, {
      env: { ...process.env, HOME: phone.folder },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    phone.program.child.stdin.on('error', () => {});
    test.after(() => phone.stop());
    await phone.program.says(/linphonec>/);
    phone.command('soundcard use files');
    phone.command(`play ${join(phone.folder, MICROPHONE)}`);
    phone.command(`record ${join(phone.folder, HEARD)}`);
    await until(`${user}'s linphone to be registered`, () => {
      phone.command('status register');
      return /^registered, /m.test(phone.program.output);
    }, { every: 200 });
    return phone;
  }

  command(words) {
    this.program.child.stdin.write(`${words}\n`);
  }

  /** Waits until the phone has printed something. */
  says(pattern, options) {
    return this.program.says(pattern, options);
  }

  dial(target) {
    this.command(`call ${target}`);
  }

  accept() {
    this.command('answer');
  }

  hangUp() {
    this.command('terminate');
  }

  hold() {
    this.command('pause');
  }

  resume() {
    this.command('resume');
  }

  /** Presses a key of the phone. */
  press(key) {
    this.command(key);
  }

  /** Waits until the phone hears a tone, and not the other tones that are around. */
  async hears(hertz, { within = 10_000 } = {}) {
    const file = join(this.folder, HEARD);
    const listening = new Listening(() => (existsSync(file) ? readFileSync(file) : undefined), RECORDING);
    return until(`a tone of ${hertz} Hz at ${this.user}'s phone`, () => listening.hears(hertz), { within });
  }

  /** Waits until these digits have arrived, in this order and none twice. */
  async receivesDigits(digits) {
    return until(`the digits ${digits} at ${this.user}'s phone`, () => {
      const found = [...this.program.output.matchAll(/Receiving tone (.)/g)].map(([, digit]) => digit).join('');
      if (found === digits) return found;
      throw new Error(found);
    });
  }

  async stop() {
    if (this.program.running) this.command('quit');
    await this.program.stop('SIGTERM', 2000);
  }
}
