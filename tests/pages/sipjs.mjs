// A small telephone over SIP.js, as its documentation would have one write it.
import { Inviter, Messager, Registerer, RegistererState, SIPExtension, SessionState, UserAgent } from 'sip.js';

const log = [];
const phone = (window.phone = { log, session: null, messages: [] });
const audio = { audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false }, video: false };
const sessionDescriptionHandlerOptions = { constraints: audio };

function follow(session) {
  phone.session = session;
  session.stateChange.addListener((state) => {
    log.push(`session ${state}`);
    if (state !== SessionState.Established) return;
    const connection = session.sessionDescriptionHandler.peerConnection;
    const stream = new MediaStream(connection.getReceivers().map((receiver) => receiver.track));
    document.getElementById('remote').srcObject = stream;
  });
}

phone.start = async (server, user, password) => {
  phone.ua = new UserAgent({
    sipExtension100rel: SIPExtension.Supported,
    uri: UserAgent.makeURI(`sip:${user}@127.0.0.1`),
    transportOptions: { server },
    authorizationUsername: user,
    authorizationPassword: password,
    logBuiltinEnabled: false,
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
    delegate: {
      onInvite: (invitation) => {
        log.push('session incoming');
        follow(invitation);
      },
      onMessage: (message) => {
        phone.messages.push(message.request.body);
        message.accept();
      },
    },
  });
  await phone.ua.start();
  phone.registerer = new Registerer(phone.ua);
  phone.registerer.stateChange.addListener((state) => log.push(state === RegistererState.Registered ? 'registered' : state));
  await phone.registerer.register({ requestDelegate: { onReject: (response) => log.push(`refused ${response.message.statusCode}`) } });
};

phone.call = (target, options = {}) => {
  const inviter = new Inviter(phone.ua, UserAgent.makeURI(target), { ...options, sessionDescriptionHandlerOptions });
  follow(inviter);
  inviter.invite({ requestDelegate: { onReject: (response) => log.push(`refused ${response.message.statusCode}`) } });
};
phone.answer = () => phone.session.accept({ sessionDescriptionHandlerOptions });
phone.reject = () => phone.session.reject();
phone.hangUp = () => phone.session.bye();
const hold = (hold) => phone.session.invite({ sessionDescriptionHandlerModifiers: [], sessionDescriptionHandlerOptions: { ...sessionDescriptionHandlerOptions, hold } });
phone.hold = () => void hold(true);
phone.resume = () => void hold(false);
phone.send = async (target, text) =>
  new Promise((resolve) => {
    const messager = new Messager(phone.ua, UserAgent.makeURI(target), text);
    messager.message({ requestDelegate: { onAccept: () => resolve('succeeded'), onReject: (response) => resolve(String(response.message.statusCode)) } });
  });
