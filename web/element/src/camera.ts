/** How a call is offered by the attribute `video`. */
export type VideoWish = 'none' | 'offered' | 'later';

/** `video` alone begins with the camera; `video="later"` only shows the other side, until the camera's button is pressed. */
export function videoWish(attribute: string | null): VideoWish {
  if (attribute === null) return 'none';
  return attribute.trim().toLowerCase() === 'later' ? 'later' : 'offered';
}
