// Which public name stands on which page of docs/api.

/** The modules that a page can import, and their sources. */
export const ENTRIES = [
  { module: 'sipweb', file: 'library/src/index.ts', text: 'the library, one file (`sipweb.js`)' },
  { module: 'sipweb/shared', file: 'library/src/shared/index.ts', text: 'many tabs, one phone: `sipweb-shared.js`, beside `sipweb.js` and `sipweb-worker.js`' },
];

export const PAGES = [
  {
    file: 'ua.md',
    title: 'The user agent',
    text: 'One account on one connection: its registration, and where calls, messages and subscriptions begin.',
    names: ['UA', 'UAEvents', 'UAConfiguration', 'Settings', 'Reliability', 'Sockets', 'Contact', 'Registrator'],
  },
  {
    file: 'calls.md',
    title: 'Calls',
    text: 'A call, outgoing or incoming, from `ua.call`, `ua.dial` or the event `newRTCSession`.',
    names: [
      'RTCSession', 'RTCSessionEvents', 'CallOptions', 'AnswerOptions', 'TerminateOptions', 'EndEvent', 'CallOriginator', 'SdpEvent', 'MediaKinds',
      'RenegotiateOptions', 'RemoteReoffer', 'DTMF', 'DTMFOptions', 'Info', 'InfoRequest', 'DialogRequestEvents', 'RequestOptions', 'RequestHandlers', 'CallQuality', 'callQuality',
    ],
  },
  {
    file: 'transfers.md',
    title: 'Transfers',
    text: 'Sending the other side of a call to somebody else, being sent, and asking for a call from outside.',
    names: ['ReferSubscriber', 'ReferEvents', 'ReferProgress', 'ReferOptions', 'OutOfDialogRefer', 'NewReferEvent', 'ReferEvent', 'ReplacesEvent'],
  },
  {
    file: 'messages.md',
    title: 'Messages and single requests',
    text: 'MESSAGE and OPTIONS outside of calls, and the requests and responses that events bring.',
    names: ['Message', 'Options', 'StandaloneRequest', 'StandaloneEvents', 'SendOptions', 'AcceptOptions', 'RejectOptions', 'IncomingRequest', 'IncomingResponse', 'OutgoingRequest', 'ReceivedMessage', 'SipMessage', 'SessionDescription', 'MediaSection', 'Direction', 'ParsedReplaces', 'ParsedVia', 'HostType', 'parseMessage'],
  },
  {
    file: 'presence.md',
    title: 'Subscriptions and presence',
    text: 'Watching the state of others (RFC 6665), letting others watch ours, and publishing it (RFC 3903).',
    names: ['Subscriber', 'SubscriberEvents', 'SubscribeOptions', 'Notifier', 'NotifierEvents', 'NotifyOptions', 'Publisher', 'PublisherEvents', 'PublishOptions', 'PresenceState'],
  },
  {
    file: 'connection.md',
    title: 'The connection',
    text: 'Sockets, reconnection, and what the library takes from the page around it.',
    names: ['WebSocketInterface', 'WebSocketConstructor', 'Socket', 'SocketData', 'WeightedSocket', 'Transport', 'Disconnection', 'Environment'],
  },
  {
    file: 'shared.md',
    title: 'Many tabs, one phone',
    text: 'Of `sipweb/shared`. How to use it: [many tabs, one phone](../many-tabs.md).',
    names: ['SharedUA', 'SharedUAConfiguration', 'Port'],
  },
  {
    file: 'helpers.md',
    title: 'Addresses, constants, errors and helpers',
    text: 'What is used beside the user agent.',
    names: ['URI', 'NameAddrHeader', 'Parameterized', 'Parameters', 'ParameterValue', 'UriHeaders', 'Grammar', 'C', 'Exceptions', 'Utils', 'debug', 'EventEmitter', 'EventMap', 'EventHandlers', 'Listener', 'name', 'version'],
  },
];

/** Types whose members are those of another one: what has no comment of its own has the other's. */
export const LIKE = { Settings: 'UAConfiguration' };
