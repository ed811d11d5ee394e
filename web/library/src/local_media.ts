/** What a call sends: a stream of the page's own, or microphone and camera; and the first description, which says so (RFC 3264). */

import { type Media, MediaClosed } from './media.js';
import { offers } from './session_description.js';
import type { AnswerOptions } from './session_events.js';

/** The page could not or may not use microphone or camera. */
export class MediaDenied extends Error {
  override readonly name = 'MediaDenied';
}

/**
 * The caller's offer, with what the page gives or the user grants. `connecting` is called when the tracks are there.
 *
 * @throws MediaDenied with the browser's error as its cause, MediaClosed if the call ended meanwhile, or what WebRTC throws.
 */
export async function firstOffer(media: Media, options: AnswerOptions, connecting: () => void): Promise<string> {
  const { mediaStream, mediaConstraints, rtcOfferConstraints } = options;
  if (mediaStream) {
    await addOwnStream(media, mediaStream);
  } else {
    await acquire(media, mediaConstraints ?? { audio: true, video: true });
  }
  connecting();
  return media.createLocal('offer', rtcOfferConstraints);
}

/** The same for the callee, who answers `offer`, or offers where the INVITE had none. Nothing is sent that was not offered. */
export async function firstAnswer(media: Media, options: AnswerOptions, offer: string, connecting: () => void): Promise<string> {
  const { mediaStream, mediaConstraints, rtcOfferConstraints, rtcAnswerConstraints } = options;
  const late = offer === '';
  const wanted = (kind: 'audio' | 'video') => (late || offers(offer, kind)) && (mediaConstraints?.[kind] ?? true);
  if (mediaStream) {
    withoutRefused(mediaStream, mediaConstraints);
    await addOwnStream(media, mediaStream);
  } else {
    await acquire(media, { audio: wanted('audio'), video: wanted('video') });
  }
  if (!late) {
    await media.applyRemote('offer', offer);
  }
  connecting();
  return late ? media.createLocal('offer', rtcOfferConstraints) : media.createLocal('answer', rtcAnswerConstraints);
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
