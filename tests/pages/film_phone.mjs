// A small telephone with a camera, over any library of JsSIP's shape. What it is shown can be looked at.
export function filmPhone({ UA, WebSocketInterface }) {
  const log = [];
  const phone = (window.phone = { log, session: null, descriptions: [] });
  const screen = document.createElement('video');
  Object.assign(screen, { autoplay: true, muted: true, playsInline: true });
  document.body.append(screen);
  const note = (name) => (event) => log.push(event?.cause ? `${name}: ${event.cause}` : name);
  const look = (connection) =>
    connection.addEventListener('track', ({ track, streams }) => {
      if (track.kind === 'video') screen.srcObject = new MediaStream([track]);
      else document.getElementById('remote').srcObject = streams[0] ?? new MediaStream([track]);
    });

  phone.start = (server, user, password) => {
    const ua = new UA({ sockets: [new WebSocketInterface(server)], uri: `sip:${user}@127.0.0.1`, password });
    for (const name of ['registered', 'registrationFailed']) ua.on(name, note(name));
    ua.on('newRTCSession', ({ session, originator }) => {
      phone.session = session;
      log.push(`session ${originator}`);
      for (const name of ['confirmed', 'ended', 'failed', 'reinvite']) session.on(name, note(name));
      session.on('sdp', ({ originator, type, sdp }) => phone.descriptions.push({ originator, type, sdp }));
      if (session.connection) look(session.connection);
      else session.on('peerconnection', ({ peerconnection }) => look(peerconnection));
    });
    ua.start();
    phone.ua = ua;
  };

  const media = (video) => ({
    mediaConstraints: {
      audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false },
      video: video && { width: 320, height: 240, frameRate: 15 },
    },
  });
  phone.call = (target, video = true) => void phone.ua.call(target, media(video));
  phone.answer = (video = true) => phone.session.answer(media(video));
  phone.hangUp = () => phone.session.terminate();

  /** What is seen, as few grey pixels, and what the connection counted. */
  phone.look = async () => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 32, height: 24 });
    const context = canvas.getContext('2d');
    context.drawImage(screen, 0, 0, 32, 24);
    const { data } = context.getImageData(0, 0, 32, 24);
    const grey = Array.from({ length: 32 * 24 }, (_, index) => (data[4 * index] + data[4 * index + 1] + data[4 * index + 2]) / 3);
    const counted = { decoded: 0, sent: 0, asked: 0, repaired: 0, codec: '' };
    const stats = await phone.session.connection.getStats();
    for (const one of stats.values()) {
      if (one.kind !== 'video') continue;
      if (one.type === 'inbound-rtp') {
        counted.decoded += one.framesDecoded ?? 0;
        counted.codec = stats.get(one.codecId)?.mimeType ?? '';
      }
      if (one.type === 'outbound-rtp') {
        counted.sent += one.framesEncoded ?? 0;
        counted.asked += (one.pliCount ?? 0) + (one.firCount ?? 0);
      }
    }
    return { ...counted, mean: grey.reduce((sum, one) => sum + one, 0) / grey.length, picture: grey.map(Math.round).join() };
  };
}
