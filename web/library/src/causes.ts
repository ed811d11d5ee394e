/**
 * Why a call, message or registration ended. The texts are an interface: pages compare with them. Their order is that of
 * `Cause::ALL` in crates/agent.
 */

export const causes = {
  // Generic.
  CONNECTION_ERROR: 'Connection Error',
  REQUEST_TIMEOUT: 'Request Timeout',
  SIP_FAILURE_CODE: 'SIP Failure Code',
  INTERNAL_ERROR: 'Internal Error',
  // By status code.
  BUSY: 'Busy',
  REJECTED: 'Rejected',
  REDIRECTED: 'Redirected',
  UNAVAILABLE: 'Unavailable',
  NOT_FOUND: 'Not Found',
  ADDRESS_INCOMPLETE: 'Address Incomplete',
  INCOMPATIBLE_SDP: 'Incompatible SDP',
  MISSING_SDP: 'Missing SDP',
  AUTHENTICATION_ERROR: 'Authentication Error',
  // Of calls.
  BYE: 'Terminated',
  WEBRTC_ERROR: 'WebRTC Error',
  CANCELED: 'Canceled',
  NO_ANSWER: 'No Answer',
  EXPIRES: 'Expires',
  NO_ACK: 'No ACK',
  DIALOG_ERROR: 'Dialog Error',
  USER_DENIED_MEDIA_ACCESS: 'User Denied Media Access',
  BAD_MEDIA_DESCRIPTION: 'Bad Media Description',
  RTP_TIMEOUT: 'RTP Timeout',
} as const;

/** The statuses that stand for a cause of their own, by the key of `causes`. */
export const SIP_ERROR_CAUSES = {
  REDIRECTED: [300, 301, 302, 305, 380],
  BUSY: [486, 600],
  REJECTED: [403, 603],
  NOT_FOUND: [404, 604],
  UNAVAILABLE: [480, 410, 408, 430],
  ADDRESS_INCOMPLETE: [484, 424],
  INCOMPATIBLE_SDP: [488, 606],
  AUTHENTICATION_ERROR: [401, 407],
} as const;

const BY_STATUS: ReadonlyMap<number, string> = new Map(
  Object.entries(SIP_ERROR_CAUSES).flatMap(([key, codes]) => codes.map((code) => [code, causes[key as keyof typeof causes]] as const)),
);

/** The cause that a final response with this status stands for. */
export function causeOfStatus(status: number): string {
  return BY_STATUS.get(status) ?? causes.SIP_FAILURE_CODE;
}
