// A small telephone over JsSIP, as its documentation would have one write it.
import * as JsSIP from 'jssip';

const log = [];
const phone = (window.phone = { log, session: null, messages: [] });
const note = (name) => (event) => log.push(event?.cause ? `${name}: ${event.cause}` : name);

phone.start = (server, user, password, more) => {
  const ua = new JsSIP.UA({
    sockets: [server].flat().map((address) => new JsSIP.WebSocketInterface(address)),
    uri: `sip:${user}@127.0.0.1`,
    password,
    session_timers: true,
    ...more,
  });
  for (const name of ['connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed']) ua.on(name, note(name));
  ua.on('newMessage', ({ originator, request }) => originator === 'remote' && phone.messages.push(request.body));
  ua.on('newRTCSession', ({ session, originator }) => {
    phone.session = session;
    log.push(`session ${originator}`);
    for (const name of ['progress', 'accepted', 'confirmed', 'ended', 'failed', 'hold', 'unhold']) session.on(name, note(name));
    session.on('newDTMF', ({ originator, dtmf }) => log.push(`digit ${originator} ${dtmf.tone}`));
    const listen = (connection) =>
      connection.addEventListener('track', ({ streams }) => (document.getElementById('remote').srcObject = streams[0]));
    if (session.connection) listen(session.connection);
    else session.on('peerconnection', ({ peerconnection }) => listen(peerconnection));
  });
  ua.start();
  phone.ua = ua;
};

const media = { mediaConstraints: { audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false }, video: false } };
phone.call = (target) => void phone.ua.call(target, media);
phone.answer = () => phone.session.answer(media);
phone.hangUp = () => phone.session.terminate();
phone.hold = () => phone.session.hold();
phone.resume = () => phone.session.unhold();
phone.send = (target, text) =>
  new Promise((resolve) => {
    phone.ua.sendMessage(target, text, {
      eventHandlers: { succeeded: () => resolve('succeeded'), failed: ({ cause }) => resolve(cause) },
    });
  });
