/** The people whom the user has kept, of one account. */
import { keep, readKept } from './kept.ts';
import { nameOf, sameUri, type Peer } from './peer.ts';

export type Contact = Peer & { readonly name: string };

export class Contacts {
  /** By name. */
  list: readonly Contact[] = [];
  #account = '';
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  open(account: string): void {
    this.#account = account;
    this.list = sorted(readKept<Contact[]>('contacts', account) ?? []);
    this.#changed();
  }

  of(uri: string): Contact | undefined {
    return this.list.find((contact) => sameUri(contact.uri, uri));
  }

  /** Keeps `contact`, in place of `old` or of whoever has the same address. */
  keep(contact: Contact, old?: Contact): void {
    const others = this.list.filter((each) => each !== old && !sameUri(each.uri, contact.uri));
    this.#write(sorted([contact, ...others]));
  }

  remove(contact: Contact): void {
    this.#write(this.list.filter((each) => each !== contact));
  }

  #write(list: readonly Contact[]): void {
    this.list = list;
    keep('contacts', this.#account, list);
    this.#changed();
  }
}

function sorted(list: readonly Contact[]): readonly Contact[] {
  return [...list].sort((one, other) => nameOf(one).localeCompare(nameOf(other), undefined, { sensitivity: 'base' }));
}
