/**
 * Which device a tab is to a registrar (RFC 5626 §4.1): the same when it is loaded anew, and another one than every other tab.
 *
 * It is in the tab's storage only while no page is there: a tab that is doubled gets a copy of the storage, and would else be
 * taken for the one that it was made of.
 */
import { newUUID } from '../../library/src/random.js';
import { forget, read, write } from './model/storage.ts';

export function instanceOf(uri: string): string {
  const key = `instance.${uri}`;
  const kept = read<string>(key, 'tab');
  const instance = typeof kept === 'string' ? kept : newUUID();
  forget(key, 'tab');
  addEventListener('pagehide', () => write(key, instance, 'tab'));
  addEventListener('pageshow', (event) => {
    if (event.persisted) forget(key, 'tab');
  });
  return instance;
}
