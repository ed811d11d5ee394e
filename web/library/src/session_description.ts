/** What a call reads in session descriptions (RFC 8866): kinds of media, directions, hold. Nothing is rewritten here. */

/** Directions of a media section (RFC 8866 §6.7). */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One media section. */
export interface MediaSection {
  /** `audio`, `video`, ... */
  type: string;
  /** 0 when the section is refused (RFC 3264 §6). */
  port: number;
  /** `UDP/TLS/RTP/SAVPF`, `RTP/AVP` and so on. */
  protocol: string;
  /** Payload types or formats, separated by spaces. */
  payloads: string;
  /** Its own, else that of the session. */
  direction: Direction;
  /** Its name in bundles (RFC 9143). */
  mid?: string;
}

/** The parts of a session description. */
export interface SessionDescription {
  /** The `v=` line. */
  version: number;
  /** The `s=` line. */
  name: string;
  /** Direction of the session, which sections without one of their own have. */
  direction?: Direction;
  /** The `m=` lines and what belongs to each. */
  media: MediaSection[];
}

const DIRECTION = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/;

/** Reads a description. Lines that are not understood are passed over. */
export function parseSessionDescription(sdp: string): SessionDescription {
  const description: SessionDescription = { version: 0, name: '', media: [] };
  let section: MediaSection | undefined;
  for (const line of sdp.split(/\r\n|\n|\r/)) {
    const media = /^m=(\S+) (\d+)(?:\/\d+)? (\S+) ?(.*)$/.exec(line);
    const direction = DIRECTION.exec(line)?.[1] as Direction | undefined;
    if (media !== null) {
      section = {
        type: media[1] ?? '',
        port: Number(media[2]),
        protocol: media[3] ?? '',
        payloads: media[4] ?? '',
        direction: description.direction ?? 'sendrecv',
      };
      description.media.push(section);
    } else if (direction !== undefined) {
      (section ?? description).direction = direction;
    } else if (line.startsWith('a=mid:') && section !== undefined) {
      section.mid = line.slice('a=mid:'.length).trim();
    } else if (line.startsWith('s=')) {
      description.name = line.slice(2);
    } else if (line.startsWith('v=')) {
      description.version = Number(line.slice(2));
    }
  }
  return description;
}

/** Whether the description has a section of that kind that is not refused. */
export function offers(sdp: string, type: 'audio' | 'video'): boolean {
  return parseSessionDescription(sdp).media.some((section) => section.type === type && section.port !== 0);
}

/**
 * Whether its author put us on hold: no audio or video section in which it is ready to receive (RFC 3264 §8.4).
 * `c=0.0.0.0` of RFC 2543 is not read as a hold: WebRTC peers write it before they know an address.
 */
export function isHold(sdp: string): boolean {
  const sections = parseSessionDescription(sdp).media.filter(
    (section) => (section.type === 'audio' || section.type === 'video') && section.port !== 0,
  );
  return (
    sections.length > 0 &&
    sections.every((section) => section.direction === 'sendonly' || section.direction === 'inactive')
  );
}
