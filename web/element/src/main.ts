/** The product's entry: defines `<sipweb-phone>` over the sipweb library. */
import { createAgent } from '../../phone/src/agent.ts';
import { elementOver } from './element.ts';
import { callQuality } from '../../library/src/index.js';

if (!customElements.get('sipweb-phone')) customElements.define('sipweb-phone', elementOver({ createAgent, quality: callQuality }));
