/** The sipweb library as the page and the element use it. */
import { UA, WebSocketInterface } from '../../library/src/index.js';
import { instanceOf } from './instance.ts';
import type { Agent, AgentOptions } from './model/library.ts';

export function createAgent({ server, uri, password, displayName, register = true }: AgentOptions): Agent {
  const agent = new UA({
    sockets: [new WebSocketInterface(server)],
    uri,
    password,
    register,
    instance_id: instanceOf(uri),
    ...(displayName ? { display_name: displayName } : {}),
  });
  // Names of events are stricter there than they need to be here.
  return agent as unknown as Agent;
}
