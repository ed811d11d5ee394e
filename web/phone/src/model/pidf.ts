/** Documents of presence (PIDF, RFC 3863): what somebody says of himself, with what he is doing (RPID, RFC 4480). */

/** What one can say of oneself. */
export const STATES = ['available', 'away', 'busy', 'doNotDisturb'] as const;
export type Said = (typeof STATES)[number];

export interface There {
  /** Nothing of his can be reached, as far as the document says. */
  readonly gone: boolean;
  readonly said: Said;
  readonly note: string;
}

/** Notes of others are cut here: a line of a list has no room for letters. */
export const NOTE_LENGTH = 80;

const AWAY = /<(?:\w+:)?(?:away|meal|sleeping|vacation|holiday|travel|permanent-absence)[\s/>]/;
const BUSY = /<(?:\w+:)?(?:busy|meeting|presentation|performance|appointment|in-transit|steering|on-the-phone)[\s/>]/;

/** RFC 3863 §4.1.4: who has one address that is open is there. Who is closed but says that he is busy does not want to be disturbed. */
export function readPresence(body: string): There {
  const open = /<(?:\w+:)?basic(?:\s[^>]*)?>\s*open\s*</.test(body);
  const doing = /<(?:\w+:)?activities(?:\s[^>]*)?>[\s\S]*?<\/(?:\w+:)?activities\s*>/.exec(body)?.[0] ?? '';
  const busy = BUSY.test(doing);
  const note = /<(?:\w+:)?note(?:\s[^>]*)?>([^<]*)</.exec(body)?.[1] ?? '';
  return {
    gone: !open && !busy,
    said: busy ? (open ? 'busy' : 'doNotDisturb') : AWAY.test(doing) ? 'away' : 'available',
    note: plain(note).replace(/\s+/g, ' ').trim().slice(0, NOTE_LENGTH),
  };
}

/** The document in which `entity` says this of himself. */
export function writePresence(entity: string, said: Said, note: string): string {
  const doing = said === 'available' ? '' : `<dm:person id="me"><rpid:activities><rpid:${said === 'away' ? 'away' : 'busy'}/></rpid:activities></dm:person>`;
  return '<?xml version="1.0" encoding="UTF-8"?>\n'
    + '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
    + `xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="${escaped(entity)}">`
    + `<tuple id="page"><status><basic>${said === 'doNotDisturb' ? 'closed' : 'open'}</basic></status>`
    + `${note && `<note>${escaped(note)}</note>`}</tuple>${doing}</presence>`;
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(#x?)?(\w+);/g, (whole, numbered: string | undefined, name: string) => {
    if (!numbered) return NAMED[name] ?? whole;
    const code = Number.parseInt(name, numbered === '#' ? 10 : 16);
    return code > 0 && code < 0x110000 ? String.fromCodePoint(code) : whole;
  });
}

function escaped(text: string): string {
  // What XML 1.0 has no letter for is left out; no reader would take the rest.
  return text.replace(/[\u0000-\u001f\ufffe\uffff]/g, ' ').replace(/[<>&"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
