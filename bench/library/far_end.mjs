// The other side of the wire: an INVITE as it comes from a real page, and answers to what a library sends.

export const SDP = [
  'v=0', 'o=- 4611731400430051336 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'a=msid-semantic: WMS 5f1a',
  'm=audio 52011 UDP/TLS/RTP/SAVPF 111 63 9 0 8 110', 'c=IN IP4 192.0.2.30', 'a=rtcp:9 IN IP4 0.0.0.0',
  'a=candidate:1467250027 1 udp 2122260223 192.0.2.30 52011 typ host generation 0 network-id 1',
  'a=ice-ufrag:F7gI', 'a=ice-pwd:x9cml/YzichV2+XlhiMu8g1k', 'a=ice-options:trickle',
  'a=fingerprint:sha-256 D2:B9:31:8F:DF:24:D8:0E:ED:D2:EF:25:9E:AF:6F:B8:34:AE:53:9C:E6:F3:8F:F2:64:15:FA:E8:7F:53:2D:38',
  'a=setup:actpass', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2', 'a=rtpmap:9 G722/8000', 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:110 telephone-event/48000', '',
].join('\r\n');

/** An INVITE through two proxies, with 16 header fields and the offer of a browser. `number` makes it a call of its own. */
export function invite(number, target, sdp = SDP) {
  return [
    `INVITE ${target} SIP/2.0`,
    `Via: SIP/2.0/WSS edge.example.com;branch=z9hG4bKa${number};rport`,
    `Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKb${number};received=192.0.2.30;rport=51544`,
    'Record-Route: <sip:edge.example.com:443;transport=ws;lr;ob>',
    'Max-Forwards: 68',
    'To: <sip:alice@example.com>',
    `From: "Bob Builder" <sip:bob@example.com>;tag=f${number}`,
    `Call-ID: 7d1b${number}@df7jal23ls0d.invalid`,
    'CSeq: 8412 INVITE',
    'Contact: <sip:bob@example.com;gr=urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128;alias=192.0.2.30~51544~6;ob>',
    'Content-Type: application/sdp',
    'Session-Expires: 90',
    'Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY',
    'Supported: timer,ice,replaces,outbound',
    'User-Agent: Example 1.0',
    'P-Asserted-Identity: "Bob Builder" <sip:bob@example.com>',
    `Content-Length: ${Buffer.byteLength(sdp)}`,
    '',
    sdp,
  ].join('\r\n');
}

/** What an application looks at when a call comes in: enough that nothing stays unread. */
export const LOOKED_AT = ['From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Session-Expires', 'Supported', 'P-Asserted-Identity'];

function line(message, name) {
  const found = new RegExp(`^${name}: *(.*)$`, 'im').exec(message);
  return found === null ? '' : found[1].trim();
}

function lines(message, name) {
  return [...message.matchAll(new RegExp(`^${name}: *(.*)$`, 'gim'))].map((found) => `${name}: ${found[1].trim()}`);
}

/** The response to a request. */
export function response(request, status, reason, { tag = '', extra = [], body = '' } = {}) {
  const to = line(request, 'To');
  return [
    `SIP/2.0 ${status} ${reason}`,
    ...lines(request, 'Via'),
    `From: ${line(request, 'From')}`,
    `To: ${tag === '' || to.includes(';tag=') ? to : `${to};tag=${tag}`}`,
    `Call-ID: ${line(request, 'Call-ID')}`,
    `CSeq: ${line(request, 'CSeq')}`,
    ...extra,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** The ACK to a refusal of `request`. */
export function acknowledge(request, answer) {
  return [
    `ACK ${request.split(' ')[1]} SIP/2.0`,
    lines(request, 'Via')[0],
    'Max-Forwards: 68',
    `From: ${line(request, 'From')}`,
    `To: ${line(answer, 'To')}`,
    `Call-ID: ${line(request, 'Call-ID')}`,
    `CSeq: ${line(request, 'CSeq').split(' ')[0]} ACK`,
    'Content-Length: 0', '', '',
  ].join('\r\n');
}

const CONTACT = 'Contact: <sip:bob@198.51.100.7;transport=ws>';

/** Answers what a phone answers: INVITE by 180 and 200, everything else by 200. `say` hands a message to the library. */
export function phone(say) {
  let calls = 0;
  return (sent) => {
    const message = String(sent);
    if (message.startsWith('INVITE ')) {
      calls += 1;
      const tag = `t${calls}`;
      say(response(message, 100, 'Trying'));
      say(response(message, 180, 'Ringing', { tag, extra: [CONTACT] }));
      say(response(message, 200, 'OK', { tag, extra: [CONTACT], body: SDP }));
    } else if (!message.startsWith('SIP/2.0') && !message.startsWith('ACK ') && message.trim() !== '') {
      say(response(message, 200, 'OK'));
    }
  };
}
