/** What a call sends: a stream of the page's own, or microphone and camera. */

import { type Media, MediaClosed } from './media.js';
import type { AnswerOptions } from './session_events.js';

/** The page could not or may not use microphone or camera. */
export class MediaDenied extends Error {
  override readonly name = 'MediaDenied';
}

/** What is asked for when the page says nothing. */
export interface Kinds {
  audio: boolean;
  video: boolean;
}

/**
 * Adds what the page gives or the user grants.
 *
 * @throws MediaDenied with the browser's error as its cause, MediaClosed if the call ended meanwhile.
 */
export async function addCallerMedia(media: Media, options: AnswerOptions, usual: Kinds): Promise<void> {
  if (options.mediaStream) {
    await addOwnStream(media, options.mediaStream);
  } else {
    await acquire(media, options.mediaConstraints ?? { ...usual });
  }
}

/** The same for the callee: nothing is sent that was not offered. */
export async function addCalleeMedia(media: Media, options: AnswerOptions, offered: Kinds): Promise<void> {
  const { mediaStream, mediaConstraints } = options;
  if (mediaStream) {
    withoutRefused(mediaStream, mediaConstraints);
    await addOwnStream(media, mediaStream);
  } else {
    await acquire(media, {
      audio: offered.audio && (mediaConstraints?.audio ?? true),
      video: offered.video && (mediaConstraints?.video ?? true),
    });
  }
}

async function addOwnStream(media: Media, stream: MediaStream): Promise<void> {
  media.addStream(stream);
  // The caller's next events come after its method has returned, as they do when a user is asked.
  await Promise.resolve();
}

async function acquire(media: Media, constraints: MediaStreamConstraints): Promise<void> {
  if (!constraints.audio && !constraints.video) {
    await Promise.resolve();
    return;
  }
  let stream: MediaStream;
  try {
    stream = await media.acquire(constraints);
  } catch (error) {
    if (media.closed) {
      throw new MediaClosed();
    }
    throw new MediaDenied('no access to microphone or camera', { cause: error });
  }
  media.addStream(stream);
}

/** Takes the tracks out of a stream that the page does not want to answer with. */
function withoutRefused(stream: MediaStream, constraints: MediaStreamConstraints | undefined): void {
  const refused = [
    ...(constraints?.audio === false ? stream.getAudioTracks() : []),
    ...(constraints?.video === false ? stream.getVideoTracks() : []),
  ];
  for (const track of refused) {
    stream.removeTrack(track);
  }
}
