/** The page as an application: works from the browser's cache, can be installed, takes tel: links. */

interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

let offer: InstallEvent | undefined;
let registered: ServiceWorkerRegistration | undefined;

/** Lets the browser keep the page, so that it opens without the server. `changed` is told when it can be installed. */
export function installWorker(changed: () => void): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault(); // The settings offer it; nothing jumps into the user's way.
    offer = event as InstallEvent;
    changed();
  });
  addEventListener('appinstalled', () => {
    offer = undefined;
    changed();
  });
  try {
    // Not there in insecure pages and some private windows; a certificate that the user accepted by hand is not enough.
    void navigator.serviceWorker?.register('sw.js').then((registration) => { registered = registration; }, () => undefined);
  } catch {
    // Some browsers forbid even the question: the page works without.
  }
}

/** The worker of this page, once it is at work. */
export function activeWorker(): ServiceWorker | null | undefined {
  return registered?.active;
}

export function canInstall(): boolean {
  return offer !== undefined;
}

export async function install(): Promise<void> {
  await offer?.prompt();
}

/** Milliseconds in which the browser tells a page what it was opened with; that stands in its address, too. */
const OPENING = 1_000;

/** Once the installed page is open, a link only brings it to the front: `open` is told the address. */
export function followLaunches(open: (address: URL) => void): void {
  const { launchQueue } = window as { launchQueue?: { setConsumer(consumer: (launch: { targetURL?: string }) => void): void } };
  const begun = performance.now();
  launchQueue?.setConsumer(({ targetURL }) => {
    if (targetURL && performance.now() - begun > OPENING) open(new URL(targetURL));
  });
}

export function canTakeLinks(): boolean {
  return 'registerProtocolHandler' in navigator && isSecureContext;
}

/** Asks the browser to open tel: and sip: links with this page. Says whether it may be asked; what the user answers, no page is told. */
export function takeLinks(): boolean {
  const page = new URL('./', location.href).href;
  try {
    for (const scheme of ['tel', 'sip']) navigator.registerProtocolHandler(scheme, `${page}?call=%s`);
    return true;
  } catch {
    return false;
  }
}

/** A number on the icon of the installed page: missed calls and unread messages. */
export function showBadge(count: number): void {
  const device = navigator as Navigator & { setAppBadge?(count: number): Promise<void>; clearAppBadge?(): Promise<void> };
  void (count > 0 ? device.setAppBadge?.(count) : device.clearAppBadge?.())?.catch(() => undefined);
}
