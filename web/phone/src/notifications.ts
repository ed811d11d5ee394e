/**
 * Notifications of the system: by the page's worker, since browsers of phones allow no others and only those have buttons; by the
 * page itself where it has no worker.
 */
import { activeWorker } from './install.ts';

export interface Wanted {
  readonly title: string;
  readonly body?: string;
  /** The same for what takes the place of an older one. */
  readonly tag: string;
  /** Stays until it is pressed or taken back, and has buttons where they can be: their names, and what stands on them. */
  readonly buttons?: Readonly<Record<string, string>>;
  /** The user pressed it, or the button of that name. */
  readonly press: (button: string) => void;
}

/** What to do for a press, by tag. */
const shown = new Map<string, Wanted>();
let listening = false;

/** Shows what is `wanted` if the user allows it. Returns what takes it back. */
export function notify(wanted: Wanted): () => void {
  const nothing = (): void => undefined;
  if (!('Notification' in window) || Notification.permission !== 'granted') return nothing;
  const { title, body = '', tag, buttons } = wanted;
  const options = { body, tag, icon: 'icon-192.png', requireInteraction: buttons !== undefined };
  const worker = activeWorker();
  if (worker) {
    listen();
    shown.set(tag, wanted);
    const actions = Object.entries(buttons ?? {}).map(([action, words]) => ({ action, title: words }));
    worker.postMessage({ title, options: { ...options, actions } });
    return () => {
      if (shown.get(tag) !== wanted) return;
      shown.delete(tag);
      worker.postMessage({ close: tag });
    };
  }
  try {
    const note = new Notification(title, options);
    note.addEventListener('click', () => {
      window.focus();
      note.close();
      wanted.press('');
    });
    return () => note.close();
  } catch {
    return nothing; // The worker is not there yet, and the browser allows notifications of workers only.
  }
}

function listen(): void {
  if (listening) return;
  listening = true;
  navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<{ tag: string; action: string }>) => {
    const wanted = shown.get(data.tag);
    shown.delete(data.tag);
    wanted?.press(data.action);
  });
  // The worker outlives the page, and so would a call that rings.
  addEventListener('pagehide', () => { for (const [tag, { buttons }] of shown) if (buttons) activeWorker()?.postMessage({ close: tag }); });
}
