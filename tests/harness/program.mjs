// A program under test: started, watched line by line, ended by its id.
import { spawn } from 'node:child_process';

export class Program {
  constructor(name, command, args, options = {}) {
    this.name = name;
    this.output = '';
    this.watchers = new Set();
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const hear = (chunk) => {
      this.output += chunk;
      for (const watcher of [...this.watchers]) watcher();
    };
    this.child.stdout.setEncoding('utf8').on('data', hear);
    this.child.stderr.setEncoding('utf8').on('data', hear);
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.output += `\n${name} could not be started: ${error.message}\n`;
        resolve({ code: null, signal: null });
      });
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.running = true;
    this.ended.then(() => {
      this.running = false;
      for (const watcher of [...this.watchers]) watcher();
    });
  }

  /** Waits until the output holds what is looked for, and returns the match. */
  async says(pattern, { within = 10_000, from = 0 } = {}) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = this.output.slice(from).match(pattern);
        if (match) return finish(() => resolve(match));
        if (!this.running) return finish(() => reject(new Error(`${this.name} ended without saying ${pattern}:\n${this.output}`)));
        return undefined;
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${this.name} did not say ${pattern} within ${within} ms:\n${this.output}`))),
        within,
      );
      const finish = (settle) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        settle();
      };
      this.watchers.add(look);
      look();
    });
  }

  /** Ends the program politely, and after a while firmly. */
  async stop(signal = 'SIGTERM', patience = 5000) {
    if (!this.running) return this.ended;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), patience);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}
