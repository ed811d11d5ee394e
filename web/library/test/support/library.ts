/** The library over the double of the core. */
import { register } from 'node:module';

register('./fake_core_hooks.mjs', import.meta.url);

export const library = await import('../../src/index.ts');
export const { UA, RTCSession, URI, NameAddrHeader, C, Exceptions, Utils, Grammar, WebSocketInterface, debug } = library;
