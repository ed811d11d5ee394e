/** Who has no camera, or keeps it to himself, is heard all the same. */
import { Devices, MediaError } from './devices.ts';

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
