/** Full-width notices: what is wrong, and what to do about it. */
import { Built, arrange, h } from '../dom.ts';
import { icon } from '../icons.ts';
import { text, type TextKey } from '../text/index.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { iconButton, type View } from './view.ts';
import { allowMicrophone } from './settings.ts';

interface Notice {
  /** Stable name, for tests and to know whether it is the same notice. */
  readonly kind: string;
  readonly words: string;
  readonly help?: string;
  readonly severe: boolean;
  readonly action?: { readonly label: string; readonly press: () => void };
  readonly link?: { readonly label: string; readonly href: string };
  readonly dismiss?: () => void;
}

const MEDIA: Record<'refused' | 'missing' | 'busy' | 'camera', readonly [TextKey, TextKey | undefined]> = {
  refused: ['noticeRefused', 'noticeRefusedHelp'],
  missing: ['noticeNoMicrophone', 'noticeNoMicrophoneHelp'],
  busy: ['noticeBusyMicrophone', undefined],
  camera: ['noticeNoCamera', undefined],
};

export function noticesView(phone: Phone, playSound: () => void): View {
  const element = h('div', { class: 'notices', role: 'region', 'aria-live': 'assertive' });
  const built = new Built<HTMLElement>();
  let shown = '';
  return {
    element,
    update() {
      const notices = current(phone, playSound);
      const key = JSON.stringify(notices);
      if (key === shown) return;
      shown = key;
      arrange(element, notices.map((notice) => built.of(JSON.stringify(notice), undefined, () => noticeElement(notice))));
      built.sweep();
    },
  };
}

function current(phone: Phone, playSound: () => void): Notice[] {
  return [insecure(phone), inTheWay(phone), dialling(phone), link(phone), signInLink(phone), voicemail(phone), connection(phone), registration(phone), microphone(phone), sound(phone, playSound)].filter((each) => each !== undefined);
}

function insecure(phone: Phone): Notice | undefined {
  if (phone.devices.available) return undefined;
  const secure = new URL(location.href);
  secure.protocol = 'https:';
  const sameHost = location.protocol === 'http:' && secure.port === '';
  return {
    kind: 'insecure', severe: true, words: text('noticeInsecure'), help: text('noticeInsecureHelp'),
    // Which port https has elsewhere we cannot know; on the standard port we can offer the link.
    ...(sameHost ? { link: { label: text('noticeOpenSecure'), href: secure.href } } : {}),
  };
}

function connection(phone: Phone): Notice | undefined {
  const { line } = phone;
  if (!phone.signedIn) return undefined;
  if (!navigator.onLine && line.state !== 'registered') return { kind: 'offline', severe: true, words: text('noticeOffline') };
  if (line.state !== 'reconnecting') return undefined;
  return { kind: 'connection', severe: true, words: text('noticeLost'), action: { label: text('tryAgain'), press: () => line.retry() } };
}

function registration(phone: Phone): Notice | undefined {
  const { line } = phone;
  if (!phone.signedIn || line.state !== 'failed' || !line.problem) return undefined;
  const detail = text(line.problem.key, line.problem.values);
  const action = line.problem.key === 'errorAuthentication'
    ? { label: text('noticeSignInAgain'), press: () => phone.signOut() }
    : { label: text('tryAgain'), press: () => line.retry() };
  return { kind: 'registration', severe: true, words: text('noticeFailed', { detail }), action };
}

function link(phone: Phone): Notice | undefined {
  if (!phone.linkTarget) return undefined;
  return {
    kind: 'link', severe: false, words: text('linkCall', { address: phone.linkTarget }),
    // Before the sign-in there is no call, and while one is on its way no second one: the link waits.
    ...(phone.signedIn && phone.calls.canAdd ? { help: text('linkHelp'), action: { label: text('call'), press: () => phone.callLinked() } } : {}),
    dismiss: () => {
      phone.linkTarget = undefined;
      phone.change.signal();
    },
  };
}

function inTheWay(phone: Phone): Notice | undefined {
  const { call } = phone;
  if (!call || call !== phone.inTheWay || phone.calls.canAdd) return undefined;
  return { kind: 'in-the-way', severe: false, words: text('noticeInTheWay', { peer: nameOf(call.peer) }) };
}

/** What the dial field would say if no call stood in its place. */
function dialling(phone: Phone): Notice | undefined {
  const { call, dialError } = phone;
  if (!call || !dialError) return undefined;
  return {
    kind: 'dial', severe: true, words: text(dialError),
    dismiss: () => {
      phone.dialError = undefined;
      phone.change.signal();
    },
  };
}

function signInLink(phone: Phone): Notice | undefined {
  if (!phone.linkAccount) return undefined;
  return {
    kind: 'sign-in-link', severe: false, words: text('linkSignIn', { user: phone.linkAccount.user }), ...(phone.busy ? { help: text('linkSignInHelp') } : {}),
    action: { label: text('signIn'), press: () => phone.signInLinked() },
    dismiss: () => {
      phone.linkAccount = undefined;
      phone.change.signal();
    },
  };
}

function voicemail(phone: Phone): Notice | undefined {
  const count = phone.lamps.voicemail ?? 0;
  const number = phone.voicemail;
  if (count === 0 || !number || !phone.signedIn) return undefined;
  return { kind: 'voicemail', severe: false, words: text('voicemailCount', { count }), action: { label: text('call'), press: () => phone.callTyped(phone.voicemail ?? number) } };
}

function microphone(phone: Phone): Notice | undefined {
  const problem = phone.mediaProblem;
  if (!problem || problem === 'insecure') return undefined;
  const [words, help] = MEDIA[problem];
  // The button for the camera is at hand.
  const again = problem === 'camera' ? {} : { action: { label: text('tryAgain'), press: () => void allowMicrophone(phone) } };
  return {
    kind: problem === 'camera' ? problem : `microphone-${problem}`, severe: true, words: text(words), ...(help ? { help: text(help) } : {}), ...again,
    dismiss: () => {
      phone.mediaProblem = undefined;
      phone.change.signal();
    },
  };
}

function sound(phone: Phone, press: () => void): Notice | undefined {
  if (!phone.soundBlocked) return undefined;
  return { kind: 'sound', severe: false, words: text('noticeSound'), action: { label: text('noticeSoundAction'), press } };
}

function noticeElement(notice: Notice): HTMLElement {
  return h('div', { 'class': `notice ${notice.severe ? 'severe' : ''}`, 'data-testid': 'notice', 'data-notice': notice.kind },
    icon('alert'),
    h('p', {}, h('strong', {}, notice.words), notice.help && ` ${notice.help}`),
    notice.link && h('a', { class: 'pill', href: notice.link.href }, notice.link.label),
    notice.action && h('button', { 'type': 'button', 'class': 'pill', 'data-testid': `notice-${notice.kind}-action`, 'on': { click: notice.action.press } }, notice.action.label),
    notice.dismiss && iconButton({ icon: 'close', label: text('close'), id: `notice-${notice.kind}-close`, style: 'inline', press: notice.dismiss }));
}
