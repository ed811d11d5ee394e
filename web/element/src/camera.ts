/** Microphone and camera of a visitor: who has no camera, or keeps it to himself, is heard all the same. */
import { Devices, MediaError } from '../../phone/src/media/devices.ts';

/** How a call is offered by the attribute `video`. */
export type VideoWish = 'none' | 'offered' | 'later';

/** `video` alone begins with the camera; `video="later"` only shows the other side, until the camera's button is pressed. */
export function videoWish(attribute: string | null): VideoWish {
  if (attribute === null) return 'none';
  return attribute.trim().toLowerCase() === 'later' ? 'later' : 'offered';
}

export class MicrophoneFirst extends Devices {
  readonly #withoutCamera: () => void;

  /** `withoutCamera` is told when a call that wanted the camera goes on without it. */
  constructor(changed: () => void, withoutCamera: () => void) {
    super(changed);
    this.#withoutCamera = withoutCamera;
  }

  override async open(video: boolean): Promise<MediaStream> {
    if (!video) return super.open(false);
    try {
      return await super.open(true);
    } catch (error) {
      if (!(error instanceof MediaError) || error.problem === 'insecure') throw error;
      // The browser does not say which of the two was at fault.
      const stream = await super.open(false);
      this.#withoutCamera();
      return stream;
    }
  }
}
