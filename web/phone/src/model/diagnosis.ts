/** What is right and wrong with a call, step by step from the server to the ear, and what to do about it. */
import type { TextKey } from '../text/index.ts';
import type { Call } from './call.ts';
import type { LineState } from './line.ts';
import type { Quality } from './library.ts';

export type FindingState = 'good' | 'warning' | 'bad' | 'unknown';

export interface Finding {
  /** What was looked at. */
  readonly subject: TextKey;
  readonly state: FindingState;
  /** What was found. */
  readonly found: TextKey;
  readonly advice?: TextKey;
  /** A figure or a code, the same in every language. */
  readonly figure?: string;
}

/** Loss from here on is heard, and from there on hard to follow (ITU-T G.107, Opus and G.711 with concealment). */
const LOSS_HEARD = 0.01;
const LOSS_BAD = 0.05;
/** Milliseconds. ITU-T G.114: from 400 ms there and back on people interrupt each other. */
const DELAY_HEARD = 400;
const JITTER_HEARD = 40;

export function diagnose(call: Call, line: LineState): readonly Finding[] {
  const { quality } = call;
  const findings = [server(line), microphone(call)];
  if (call.over) findings.unshift(end(call));
  if (call.talkingSince === undefined) return findings;
  const connection = call.over ? undefined : call.session?.connection ?? undefined;
  if (connection) findings.push(path(connection, quality), encryption(connection));
  if (quality) findings.push(received(call, quality), sent(call, quality), loss(quality), delay(quality));
  return findings;
}

function end(call: Call): Finding {
  const { outcome } = call;
  const code = outcome?.media?.code ?? (outcome?.code === undefined ? undefined : `SIP ${outcome.code}`);
  const advice = outcome && !outcome.normal ? adviceFor(outcome.media?.code, outcome.key) : undefined;
  return {
    subject: 'diagnosisEnd', state: outcome?.normal ? 'good' : 'bad', found: outcome?.key ?? 'endedOther',
    ...(advice ? { advice } : {}), ...(code ? { figure: code } : {}),
  };
}

const BY_MEDIA_CODE: Readonly<Record<string, TextKey>> = {
  'ICE-UDP-BLOCKED': 'adviceUdp', 'ICE-LOST': 'adviceNetwork', 'MEDIA-NONE-FROM-PHONE': 'adviceOtherPhone', 'MEDIA-NONE-FROM-BROWSER': 'adviceMicrophone',
  'MEDIA-NONE': 'adviceUdp', 'MEDIA-PHONE-ELSEWHERE': 'adviceAdministrator', 'MEDIA-KEYS-MISSING': 'adviceAdministrator',
  'DTLS-FAILED': 'adviceNetwork', 'DTLS-FINGERPRINT': 'adviceAdministrator', 'SDP-NO-COMMON-CODEC': 'adviceCodecs', 'SERVER-STOPPED': 'adviceLater',
  'MEDIA-NO-FREE-PORT': 'adviceLater',
  'MEDIA-TOO-MANY-CALLS': 'adviceLater',
};

const BY_OUTCOME: Partial<Record<TextKey, TextKey>> = {
  endedBusy: 'adviceMessage', endedDeclined: 'adviceMessage', endedUnavailable: 'adviceMessage', endedNoAnswer: 'adviceMessage',
  endedNotFound: 'adviceAddress', endedIncomplete: 'adviceAddress', endedBadAddress: 'adviceAddress', endedForbidden: 'adviceAdministrator',
  endedAuthentication: 'adviceSignIn', endedIncompatible: 'adviceCodecs', endedConnection: 'adviceNetwork', endedTimeout: 'adviceLater',
  endedServerError: 'adviceLater', endedServerBusy: 'adviceLater', endedMicrophone: 'adviceMicrophone', endedMedia: 'adviceMicrophone',
  endedMediaLost: 'adviceNetwork', endedLoop: 'adviceAdministrator', mediaNothingIn: 'adviceOtherPhone', mediaNothingOut: 'adviceMicrophone',
  troublePath: 'adviceNetwork', troubleMicrophone: 'adviceMicrophone',
};

function adviceFor(code: string | undefined, key: TextKey): TextKey {
  return (code === undefined ? undefined : BY_MEDIA_CODE[code]) ?? BY_OUTCOME[key] ?? 'adviceAgain';
}

function server(line: LineState): Finding {
  if (line === 'registered') return { subject: 'diagnosisServer', state: 'good', found: 'foundConnected' };
  return { subject: 'diagnosisServer', state: 'bad', found: 'foundDisconnected', advice: 'adviceNetwork' };
}

function microphone(call: Call): Finding {
  const subject = 'diagnosisMicrophone';
  if (call.over) return { subject, state: 'unknown', found: 'foundOver' };
  const track = call.local?.getAudioTracks()[0];
  if (!track || track.readyState === 'ended') return { subject, state: 'bad', found: 'foundNoMicrophone', advice: 'adviceMicrophone' };
  const figure = track.label ? { figure: track.label } : {};
  if (track.muted) return { subject, state: 'bad', found: 'foundSystemMuted', advice: 'adviceMicrophone', ...figure };
  if (call.muted) return { subject, state: 'warning', found: 'youAreMuted', advice: 'adviceUnmute', ...figure };
  return { subject, state: 'good', found: 'foundWorks', ...figure };
}

function path(connection: RTCPeerConnection, quality: Quality | undefined): Finding {
  const subject = 'diagnosisPath';
  const pair = quality?.pair;
  const figure = pair ? { figure: `${pair.local} → ${pair.remote} ${pair.protocol.toUpperCase()}` } : {};
  switch (connection.iceConnectionState) {
    case 'connected':
    case 'completed':
      return { subject, state: 'good', found: 'foundConnected', ...figure };
    case 'failed':
    case 'disconnected':
      return { subject, state: 'bad', found: 'foundBroken', advice: 'adviceUdp', ...figure };
    default:
      return { subject, state: 'warning', found: 'foundSearching', advice: 'adviceUdp' };
  }
}

function encryption(connection: RTCPeerConnection): Finding {
  const subject = 'diagnosisEncryption';
  const states = connection.getSenders().map((sender) => sender.transport?.state);
  if (states.includes('connected')) return { subject, state: 'good', found: 'foundEncrypted' };
  if (states.includes('failed')) return { subject, state: 'bad', found: 'mediaEncryption', advice: 'adviceNetwork' };
  return { subject, state: 'unknown', found: 'foundSearching' };
}

function received(call: Call, { received: { packets }, codec, trouble }: Quality): Finding {
  const figure = [codec, String(packets)].filter(Boolean).join(' · ');
  const silent = trouble === 'nothingIn' || packets === 0;
  if (!silent) return { subject: 'diagnosisReceived', state: 'good', found: 'foundFlows', figure };
  const held = call.held.local || call.held.remote;
  return held
    ? { subject: 'diagnosisReceived', state: 'warning', found: 'foundHeld', figure }
    : { subject: 'diagnosisReceived', state: 'bad', found: 'foundNothing', advice: 'adviceOtherPhone', figure };
}

function sent(call: Call, { sent: { packets }, trouble }: Quality): Finding {
  const figure = String(packets);
  if (trouble !== 'nothingOut' && packets > 0) return { subject: 'diagnosisSent', state: 'good', found: 'foundFlows', figure };
  const held = call.held.local || call.held.remote;
  return held
    ? { subject: 'diagnosisSent', state: 'warning', found: 'foundHeld', figure }
    : { subject: 'diagnosisSent', state: 'bad', found: 'foundNothing', advice: 'adviceMicrophone', figure };
}

function loss({ received: { packets, lost } }: Quality): Finding {
  const share = lost / Math.max(1, packets + lost);
  const figure = `${(share * 100).toFixed(1)} %`;
  if (share < LOSS_HEARD) return { subject: 'diagnosisLoss', state: 'good', found: 'foundLittle', figure };
  return { subject: 'diagnosisLoss', state: share < LOSS_BAD ? 'warning' : 'bad', found: 'foundMuch', advice: 'adviceWireless', figure };
}

function delay({ roundTrip, received: { jitter } }: Quality): Finding {
  const figure = `${roundTrip ?? '–'} ms · ±${jitter} ms`;
  const high = (roundTrip ?? 0) > DELAY_HEARD || jitter > JITTER_HEARD;
  return high
    ? { subject: 'diagnosisDelay', state: 'warning', found: 'foundMuch', advice: 'adviceWireless', figure }
    : { subject: 'diagnosisDelay', state: roundTrip === undefined ? 'unknown' : 'good', found: 'foundLittle', figure };
}
