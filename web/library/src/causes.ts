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

const BY_STATUS: ReadonlyMap<number, string> = new Map([
  ...statuses(causes.REDIRECTED, 300, 301, 302, 305, 380),
  ...statuses(causes.BUSY, 486, 600),
  ...statuses(causes.REJECTED, 403, 603),
  ...statuses(causes.NOT_FOUND, 404, 604),
  ...statuses(causes.UNAVAILABLE, 480, 410, 408, 430),
  ...statuses(causes.ADDRESS_INCOMPLETE, 484, 424),
  ...statuses(causes.INCOMPATIBLE_SDP, 488, 606),
  ...statuses(causes.AUTHENTICATION_ERROR, 401, 407),
]);

/** The cause that a final response with this status stands for. */
export function causeOfStatus(status: number): string {
  return BY_STATUS.get(status) ?? causes.SIP_FAILURE_CODE;
}

function statuses(cause: string, ...codes: number[]): [number, string][] {
  return codes.map((code) => [code, cause]);
}
