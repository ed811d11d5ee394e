// As much of a browser as the libraries ask for. What it does costs nothing worth counting.

class Connection {
  iceGatheringState = 'complete';
  iceConnectionState = 'connected';
  connectionState = 'connected';
  signalingState = 'stable';
  localDescription = null;
  remoteDescription = null;
  #sdp;
  constructor(_configuration, sdp = Connection.sdp) { this.#sdp = sdp; }
  addEventListener() {}
  removeEventListener() {}
  addTrack() {}
  addTransceiver() {}
  getSenders() { return []; }
  getReceivers() { return []; }
  getTransceivers() { return []; }
  async createOffer() { return { type: 'offer', sdp: this.#sdp }; }
  async createAnswer() { return { type: 'answer', sdp: this.#sdp }; }
  async setLocalDescription(description) { this.localDescription = description; }
  async setRemoteDescription(description) { this.remoteDescription = description; }
  close() { this.signalingState = 'closed'; }
}

const STREAM = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };

/** Puts it where pages have it. */
export function beBrowser(sdp) {
  Connection.sdp = sdp;
  globalThis.window ??= globalThis;
  globalThis.RTCPeerConnection = Connection;
  globalThis.RTCSessionDescription = class { constructor(description) { Object.assign(this, description); } };
  const mediaDevices = { getUserMedia: async () => STREAM };
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices, userAgent: 'bench' }, configurable: true });
}

/** A WebSocket as JsSIP and Sipweb take it, whose other side is `answer`. */
export class Socket {
  via_transport = 'WSS';
  url = 'wss://edge.example.com';
  sip_uri = 'sip:edge.example.com;transport=ws';
  answer = () => {};
  connect() { queueMicrotask(() => this.onconnect()); }
  disconnect() { this.ondisconnect?.(false); }
  isConnected() { return true; }
  isConnecting() { return false; }
  send(message) {
    queueMicrotask(() => this.answer(message));
    return true;
  }
  say = (message) => this.ondata(message);
}
