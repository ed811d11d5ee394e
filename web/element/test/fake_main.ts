/** The element over the page's double of the library: the tests' entry. */
import { fake, fakeLibrary } from '../../phone/test/fake/agent.ts';
import { elementOver } from '../src/element.ts';

// Connected, but not registered, before the test says otherwise.
fake.onstart = (agent) => queueMicrotask(() => (agent.options.register === false ? agent.emit('connected') : agent.accept()));
Object.assign(window, { fake });
customElements.define('sipweb-phone', elementOver(fakeLibrary));
