/** What a person does, as presence servers keep it: a PIDF document (RFC 3863) with an activity (RFC 4480). */

/** A state of ours for `publisher.publish`. */
export interface PresenceState {
  /** Reachable in any case; who is not reachable at all calls `remove` or `ua.stop`. */
  state: 'online' | 'away' | 'busy';
  /** In one's own words. */
  note?: string;
}

/** The document that says it of `entity`. */
export function presenceDocument(entity: string, { state, note }: PresenceState): string {
  const text = (value: string) => value.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
  const ns = 'urn:ietf:params:xml:ns:pidf';
  const activity = state === 'online' ? '' : `<r:activities><r:${state}/></r:activities>`;
  const words = note ? `<note>${text(note)}</note>` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="${ns}" xmlns:d="${ns}:data-model" xmlns:r="${ns}:rpid" entity="${text(entity)}">\
<tuple id="page"><status><basic>open</basic></status>${words}</tuple><d:person id="me">${activity}</d:person></presence>`;
}
