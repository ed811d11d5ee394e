/** The product's entry: the page over the sipweb library. */
import { callQuality } from '../../library/src/index.js';
import { createAgent } from './agent.ts';
import { start } from './app.ts';
import { installWorker } from './install.ts';

void start({ createAgent, quality: callQuality }).then((phone) => installWorker(phone.change.signal));
