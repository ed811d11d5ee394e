/** The product's entry: the page over the sipweb library. */
import { UA, WebSocketInterface, callQuality } from '../../library/src/index.js';
import { start } from './app.ts';
import type { Agent, AgentOptions } from './model/library.ts';

void start({
  createAgent({ server, uri, password, displayName }: AgentOptions): Agent {
    const agent = new UA({
      sockets: [new WebSocketInterface(server)],
      uri,
      password,
      register: true,
      ...(displayName ? { display_name: displayName } : {}),
    });
    // Names of events are stricter there than the page needs them here.
    return agent as unknown as Agent;
  },
  quality: callQuality,
});
