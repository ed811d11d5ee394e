/** The words of the element: English and Spanish inside, any other language by a JSON file with the same keys. */
import type { Outcome } from '../../phone/src/model/reason.ts';
import { isolated } from '../../phone/src/text/order.ts';

const en = {
  callUs: 'Call us',
  phone: 'Phone',
  whom: 'Name, number or address',
  call: 'Call',
  answer: 'Answer',
  answerVideo: 'With camera',
  decline: 'Decline',
  hangUp: 'Hang up',
  mute: 'Mute',
  unmute: 'Unmute',
  camera: 'Camera',
  keypad: 'Keypad',
  close: 'Close',
  again: 'Call again',
  offline: 'Not connected',
  ready: 'Ready for calls',
  connecting: 'Connecting …',
  microphone: 'Please allow the microphone …',
  microphoneAndCamera: 'Please allow microphone and camera …',
  calling: 'Calling …',
  ringing: 'Ringing …',
  incoming: '{peer} is calling',
  talking: 'In call',
  muted: 'Your microphone is off',
  ending: 'Ending …',
  ended: 'The call has ended.',
  busy: 'Everybody is on the phone just now. Please try again in a few minutes.',
  noAnswer: 'Nobody answered. Please try again later.',
  notAllowed: 'This call is not allowed.',
  notFound: 'There is nobody at this address.',
  noMicrophone: 'The microphone cannot be used. Allow it for this page and try again.',
  noCamera: 'The camera cannot be used; you are heard all the same.',
  picture: 'Picture of {peer}',
  ownPicture: 'Your own picture',
  noServer: 'The telephone server does not answer. Please try again later.',
  failed: 'The call failed. Please try again.',
  insecure: 'Calls need a page that was opened with https.',
  badTarget: 'This is not a name, a number or a SIP address.',
};

export type Texts = Record<keyof typeof en, string>;

const es: Texts = {
  callUs: 'Llámanos',
  phone: 'Teléfono',
  whom: 'Nombre, número o dirección',
  call: 'Llamar',
  answer: 'Contestar',
  answerVideo: 'Con cámara',
  decline: 'Rechazar',
  hangUp: 'Colgar',
  mute: 'Silenciar',
  unmute: 'Activar voz',
  camera: 'Cámara',
  keypad: 'Teclado',
  close: 'Cerrar',
  again: 'Llamar de nuevo',
  offline: 'Sin conexión',
  ready: 'Listo para llamadas',
  connecting: 'Conectando …',
  microphone: 'Permite el micrófono, por favor …',
  microphoneAndCamera: 'Permite el micrófono y la cámara, por favor …',
  calling: 'Llamando …',
  ringing: 'Sonando …',
  incoming: 'Llama {peer}',
  talking: 'En llamada',
  muted: 'Tu micrófono está apagado',
  ending: 'Terminando …',
  ended: 'La llamada ha terminado.',
  busy: 'Ahora mismo comunicamos. Inténtalo de nuevo en unos minutos.',
  noAnswer: 'Nadie contestó. Inténtalo más tarde.',
  notAllowed: 'Esta llamada no está permitida.',
  notFound: 'No hay nadie en esta dirección.',
  noMicrophone: 'No se puede usar el micrófono. Permítelo para esta página e inténtalo de nuevo.',
  noCamera: 'No se puede usar la cámara; se te oye igualmente.',
  picture: 'Imagen de {peer}',
  ownPicture: 'Tu propia imagen',
  noServer: 'El servidor de telefonía no responde. Inténtalo más tarde.',
  failed: 'La llamada falló. Inténtalo de nuevo.',
  insecure: 'Para llamar, la página tiene que abrirse con https.',
  badTarget: 'No es un nombre, un número ni una dirección SIP.',
};

/** The language of `tags` that stands inside, else English. */
export function textsFor(tags: readonly string[]): Texts {
  const found = tags.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => tag === 'en' || tag === 'es');
  return found === 'es' ? es : en;
}

/** The texts of a JSON file over `base`; keys that are unknown or no strings are left out. */
export async function loadTexts(address: string, base: Texts): Promise<Texts> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
  const found: unknown = await response.json();
  const known = Object.entries(typeof found === 'object' && found !== null ? found : {})
    .filter(([key, value]) => key in en && typeof value === 'string');
  return { ...base, ...(Object.fromEntries(known) as Partial<Texts>) };
}

export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => isolated(values[name] ?? whole));
}

/** A visitor wants to know what to do, not which of forty causes it was. */
export function outcomeKey(outcome: Outcome | undefined): keyof Texts {
  switch (outcome?.key) {
    case 'endedBusy':
      return 'busy';
    case 'endedNoAnswer':
    case 'endedUnavailable':
    case 'endedTimeout':
    case 'endedDeclined':
      return 'noAnswer';
    case 'endedForbidden':
    case 'endedAuthentication':
      return 'notAllowed';
    case 'endedNotFound':
    case 'endedBadAddress':
    case 'endedIncomplete':
      return 'notFound';
    case 'endedMicrophone':
      return 'noMicrophone';
    case 'endedConnection':
    case 'endedServerBusy':
    case 'endedServerError':
      return 'noServer';
    default:
      return outcome?.normal === false ? 'failed' : 'ended';
  }
}
