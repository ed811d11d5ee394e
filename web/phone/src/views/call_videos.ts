/** The other side's picture, filling the call, and our own in the corner. */
import { h, setAttribute, show } from '../dom.ts';
import { text } from '../text/index.ts';
import type { Phone } from '../model/phone.ts';

export interface VideosView {
  readonly elements: readonly HTMLElement[];
  /** Whether the other side is seen. */
  readonly shown: boolean;
  update(): void;
}

export function videosView(phone: Phone): VideosView {
  const remote = videoElement('remote-video', 'call-video');
  const local = videoElement('local-video', 'call-preview');
  local.setAttribute('aria-label', text('yourVideo'));
  return {
    elements: [remote, local],
    get shown() {
      return !remote.hidden;
    },
    update() {
      const { call } = phone;
      attach(remote, call && call.remoteHasVideo && !call.over ? call.remote : undefined);
      attach(local, call?.localHasVideo ? call.local : undefined);
      // Only the camera's picture is mirrored, as people know themselves.
      setAttribute(local, 'data-source', call?.picture.source);
    },
  };
}

function videoElement(id: string, style: string): HTMLVideoElement {
  const element = h('video', { 'class': style, 'data-testid': id, 'playsinline': true, 'autoplay': true, 'hidden': true });
  element.muted = true; // The sound of the call comes from the page's audio elements.
  return element;
}

function attach(element: HTMLVideoElement, stream: MediaStream | undefined): void {
  if (element.srcObject !== (stream ?? null)) element.srcObject = stream ?? null;
  show(element, stream !== undefined);
}
