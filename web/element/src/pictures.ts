/** The pictures of a call: the other side's, and small in its corner our own, as the mirror shows it. */
import { h, setAttribute, show } from '../../phone/src/dom.ts';
import type { Call } from '../../phone/src/model/call.ts';
import { nameOf } from '../../phone/src/model/peer.ts';
import { filled, type Texts } from './texts.ts';

export interface Pictures {
  readonly element: HTMLElement;
  /** Whether the other side is seen. */
  readonly remoteShown: boolean;
  /** Shows those of `call`; without one, none. */
  update(call: Call | undefined, texts: Texts): void;
}

export function pictures(): Pictures {
  const remote = picture('picture', 'remote');
  const own = picture('own-picture', 'own');
  const element = h('div', { class: 'pictures', part: 'pictures', hidden: true }, remote, own);
  return {
    element,
    get remoteShown() {
      return !remote.hidden;
    },
    update(call, texts) {
      const running = call !== undefined && !call.over;
      attach(remote, running && call.remoteHasVideo ? call.remote : undefined);
      attach(own, running && call.localHasVideo ? call.local : undefined);
      show(element, !remote.hidden || !own.hidden);
      element.toggleAttribute('data-remote', !remote.hidden);
      setAttribute(remote, 'aria-label', call && filled(texts.picture, { peer: nameOf(call.peer) }));
      setAttribute(own, 'aria-label', texts.ownPicture);
    },
  };
}

function picture(part: string, style: string): HTMLVideoElement {
  const element = h('video', { part, class: style, playsinline: true, autoplay: true, hidden: true });
  element.muted = true; // The sound of the call comes from the audio element.
  return element;
}

function attach(element: HTMLVideoElement, stream: MediaStream | undefined): void {
  if (element.srcObject !== (stream ?? null)) element.srcObject = stream ?? null;
  show(element, stream !== undefined);
}
