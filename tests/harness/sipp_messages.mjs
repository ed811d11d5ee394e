// Scenarios of sipp, written step by step: what a caller or a callee sends, and what it must receive.

const HEAD = (via) => `${via}
Max-Forwards: 70
From: <sip:caller@127.0.0.1>;tag=caller-[call_number]
To: `;

const OWN_VIA = (branch = '[branch]') => `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=${branch};rport`;

const SDP = `v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
`;

const send = (text, attributes = '') => `<send ${attributes}><![CDATA[\n\n${text}]]></send>`;

const withBody = (head, body) => (body ? `${head}\nContent-Type: application/sdp\nContent-Length: [len]\n\n${body}` : `${head}\nContent-Length: 0\n\n`);

/** An INVITE of the caller to a URI, or to the user of the test. */
export function invite({ to = '<sip:[service]@127.0.0.1>', uri = 'sip:[service]@127.0.0.1', more = [], retransmit = true } = {}) {
  const head = [`INVITE ${uri} SIP/2.0`, `${HEAD(OWN_VIA())}${to}`, 'Call-ID: [call_id]', 'CSeq: 1 INVITE', 'Contact: <sip:caller@[local_ip]:[local_port]>', ...more];
  return send(withBody(head.join('\n'), SDP), retransmit ? 'retrans="500"' : '');
}

/** A request of the caller's inside its dialog, along the routes that it has learnt. */
export function within(method, cseq, { uri = '[next_url]', routes = '[routes]', to = '[last_To:]' } = {}) {
  const head = [`${method} ${uri} SIP/2.0`, OWN_VIA(), routes, 'Max-Forwards: 70', 'From: <sip:caller@127.0.0.1>;tag=caller-[call_number]', to, 'Call-ID: [call_id]', `CSeq: ${cseq} ${method}`];
  return send(withBody(head.join('\n')), method === 'ACK' ? '' : 'retrans="500"');
}

/** What belongs to the INVITE that was sent `back` messages ago: CANCEL, or ACK to a refusal. */
export function hopByHop(method, back, { to = '<sip:[service]@127.0.0.1>', uri = 'sip:[service]@127.0.0.1' } = {}) {
  const head = [`${method} ${uri} SIP/2.0`, `${HEAD(OWN_VIA(`[branch-${back}]`))}${method === 'ACK' ? '[$to]' : to}`, 'Call-ID: [call_id]', `CSeq: 1 ${method}`];
  return send(withBody(head.join('\n')), method === 'ACK' ? '' : 'retrans="500"');
}

/** A response must come. `actions` look at it. */
export function response(status, { optional = false, routes = false, actions = [] } = {}) {
  const attributes = `response="${status}"${optional ? ' optional="true"' : ''}${routes ? ' rrs="true"' : ''}`;
  return actions.length ? `<recv ${attributes}><action>${actions.join('')}</action></recv>` : `<recv ${attributes}/>`;
}

/** A request must come. */
export function request(method, { optional = false, routes = false, actions = [] } = {}) {
  const attributes = `request="${method}"${optional ? ' optional="true"' : ''}${routes ? ' rrs="true"' : ''}`;
  return actions.length ? `<recv ${attributes}><action>${actions.join('')}</action></recv>` : `<recv ${attributes}/>`;
}

/** Keeps the call for a while in which copies of what came are answered again. */
export const linger = (milliseconds) => `<timewait milliseconds="${milliseconds}"/>`;

export const pause = (milliseconds) => `<pause milliseconds="${milliseconds}"/>`;

/** Keeps what follows a header's name; `must` makes the call fail without a match. */
export const keep = (name, header, { pattern = '.*', occurrence = 1, must = false, start = false } = {}) =>
  `<ereg regexp="${pattern.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}" search_in="hdr" header="${header}:" occurrence="${occurrence}" ${start ? 'start_line="true" ' : ''}${must ? 'check_it="true" ' : ''}assign_to="${name}"/>`;

/** Looks at the whole message, which must match. */
export const looksLike = (name, pattern) =>
  `<ereg regexp="${pattern.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}" search_in="msg" check_it="true" assign_to="${name}"/>`;

/** What a callee keeps of an INVITE to answer it later, when other requests have come. */
export const KEEP_INVITE = [keep('via1', 'Via'), keep('via2', 'Via', { occurrence: 2 }), keep('from', 'From'), keep('to', 'To'), keep('route', 'Record-Route')];

/** A response of the callee to the INVITE that it kept. */
export function answerInvite(status, phrase, { tag = 'callee', body = status === 200, retransmit = false } = {}) {
  const head = [`SIP/2.0 ${status} ${phrase}`, 'Via:[$via1]', 'Via:[$via2]', 'Record-Route:[$route]', 'From:[$from]', `To:[$to];tag=${tag}-[call_number]`, 'Call-ID: [call_id]', 'CSeq: 1 INVITE', 'Contact: <sip:callee@[local_ip]:[local_port]>'];
  return send(withBody(head.join('\n'), body ? SDP : ''), retransmit ? 'retrans="500"' : '');
}

/** A response of the callee to the request that just came. */
export function answer(status, phrase, { retransmit = false, more = [], tag = '' } = {}) {
  const head = [`SIP/2.0 ${status} ${phrase}`, '[last_Via:]', '[last_From:]', `[last_To:]${tag && `;tag=${tag}-[call_number]`}`, '[last_Call-ID:]', '[last_CSeq:]', ...more];
  return send(withBody(head.join('\n')), retransmit ? 'retrans="500"' : '');
}

/** A registration with a password, of this socket's address. */
export function registration(user, password, { q } = {}) {
  const text = (cseq, credentials) => [
    'REGISTER sip:127.0.0.1 SIP/2.0', OWN_VIA(), 'Max-Forwards: 70', `From: <sip:${user}@127.0.0.1>;tag=r-[call_number]`, `To: <sip:${user}@127.0.0.1>`,
    'Call-ID: [call_id]', `CSeq: ${cseq} REGISTER`, `Contact: <sip:callee@[local_ip]:[local_port]>${q ? `;q=${q}` : ''}`, 'Expires: 600', ...credentials,
  ].join('\n');
  return [
    send(withBody(text(1, [])), 'retrans="500"'),
    '<recv response="401" auth="true"/>',
    send(withBody(text(2, [`[authentication username=${user} password=${password}]`])), 'retrans="500"'),
    response(200),
  ];
}

/** A scenario of these steps. What they keep and nobody reads is named, or sipp refuses it. */
export function scenario(steps) {
  const text = steps.flat().join('\n');
  const kept = [...new Set([...text.matchAll(/assign_to="(\w+)"/g)].map(([, name]) => name))];
  const unread = kept.filter((name) => !text.includes(`[$${name}]`));
  const reference = unread.length ? `<Reference variables="${unread.join(',')}"/>` : '';
  return `<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="of a test">\n${text}\n${reference}\n</scenario>\n`;
}
