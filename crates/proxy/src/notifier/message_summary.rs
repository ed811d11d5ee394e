//! Whether messages wait (RFC 3842 §5.2): those that the server keeps.

use sip::text::write_decimal;

/// The summary. `account`: whom to call to hear voice messages, if there is somebody.
pub(super) fn write(waiting: usize, account: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(b"Messages-Waiting: ");
    out.extend_from_slice(if waiting > 0 { b"yes".as_slice() } else { b"no" });
    if let Some(account) = account {
        out.extend_from_slice(b"\r\nMessage-Account: ");
        out.extend_from_slice(account.as_bytes());
    }
    // RFC 3458 §6.2: messages that one reads at once, as SIP's are.
    out.extend_from_slice(b"\r\nPager-Message: ");
    write_decimal(&mut out, waiting as u64);
    out.extend_from_slice(b"/0\r\n");
    out
}
