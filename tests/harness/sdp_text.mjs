// Session descriptions as a plain phone writes and reads them.

const CODECS = { PCMU: [0, 'PCMU/8000'], PCMA: [8, 'PCMA/8000'], G722: [9, 'G722/8000'], opus: [96, 'opus/48000/2'] };

/**
 * The lines of an audio section. `hold` is one of `sendonly`, `inactive`, `zero` (c=0.0.0.0) or `recvonly`;
 * `events` is the payload type of telephone-event, or null for none.
 */
export function audioSection({ port, codecs = ['PCMU', 'PCMA'], events = 101, hold = 'sendrecv', lines = [] }) {
  const formats = codecs.map((name) => CODECS[name]);
  const types = [...formats.map(([type]) => type), ...(events === null ? [] : [events])];
  return [
    `m=audio ${port} RTP/AVP ${types.join(' ')}`,
    ...(hold === 'zero' ? ['c=IN IP4 0.0.0.0'] : []),
    ...formats.map(([type, name]) => `a=rtpmap:${type} ${name}`),
    ...(events === null ? [] : [`a=rtpmap:${events} telephone-event/8000`, `a=fmtp:${events} 0-16`]),
    `a=${hold === 'zero' ? 'sendrecv' : hold}`,
    ...lines,
  ];
}

/** A description: `sections` are lists of lines that begin with `m=`. */
export function description({ address = '127.0.0.1', id = 4711, version = 1, sections }) {
  const head = ['v=0', `o=phone ${id} ${version} IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0'];
  return `${[...head, ...sections.flat()].join('\r\n')}\r\n`;
}

/** What a description says: its sections with their ports, addresses, formats and directions. */
export function readDescription(text) {
  const parts = text.split(/^(?=m=)/m).map((part) => part.split(/\r?\n/).filter(Boolean));
  const [session, ...sections] = parts[0]?.[0]?.startsWith('m=') ? [[], ...parts] : parts;
  const address = (lines) => lines.find((line) => line.startsWith('c='))?.split(' ')[2];
  const direction = (lines) => lines.map((line) => line.match(/^a=(sendrecv|sendonly|recvonly|inactive)$/)?.[1]).find(Boolean);
  return {
    session,
    sections: sections.map((lines) => {
      const [kind, port, protocol, ...formats] = lines[0].slice(2).split(' ');
      const names = lines.map((line) => line.match(/^a=rtpmap:(\d+) (\S+)/)).filter(Boolean);
      return {
        kind,
        protocol,
        formats,
        lines,
        port: Number(port),
        address: address(lines) ?? address(session),
        direction: direction(lines) ?? direction(session) ?? 'sendrecv',
        names: { 0: 'PCMU/8000', 8: 'PCMA/8000', 9: 'G722/8000', ...Object.fromEntries(names.map(([, type, name]) => [type, name])) },
      };
    }),
  };
}

/** The formats of a section by the name of the codec: { PCMU: 0, 'telephone-event': 101 }. */
export function formatsOf(section) {
  const known = section.formats.filter((type) => section.names[type]);
  return Object.fromEntries(known.map((type) => [section.names[type].split('/')[0], Number(type)]).reverse());
}
