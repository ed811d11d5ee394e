/** The page over the double: the tests' entry. */
import { start } from '../../src/app.ts';
import { installWorker } from '../../src/install.ts';
import { fake, fakeLibrary } from './agent.ts';

Object.assign(window, { fake, installWorker, ready: start(fakeLibrary).then((phone) => Object.assign(window, { phone })) });
