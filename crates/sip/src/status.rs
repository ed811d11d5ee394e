//! Status codes and their default reason phrases (RFC 3261 §21 and the RFCs that extend it).
//!
//! In a page the library has all of them for its users, and tells the core which one to write: the core itself has those only with
//! which an agent answers of its own accord.

/// The default reason phrase of `status`. A code without a phrase of its own gets that of its class's `x00`
/// code (RFC 3261 §8.1.3.2).
#[must_use]
#[cfg(not(target_arch = "wasm32"))]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status / 100 {
        4 => client_error(status),
        5 | 6 => server_or_global_error(status),
        _ => outcome(status),
    }
}

/// The default reason phrase of `status`, if an agent answers so of its own accord; else that of its class's `x00` code
/// (RFC 3261 §8.1.3.2).
#[must_use]
#[cfg(target_arch = "wasm32")]
pub fn reason_phrase(status: u16) -> &'static str {
    phrase_of_agent(status)
}

/// What an agent answers, and the codes of the classes.
#[cfg(any(target_arch = "wasm32", test))]
const OF_AGENT: [(u16, &str); 26] = [
    (100, "Trying"),
    (180, "Ringing"),
    (183, "Session Progress"),
    (200, "OK"),
    (300, "Multiple Choices"),
    (400, "Bad Request"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (491, "Request Pending"),
    (500, "Server Internal Error"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
];

#[cfg(any(target_arch = "wasm32", test))]
fn phrase_of_agent(status: u16) -> &'static str {
    let of = |code: u16| OF_AGENT.iter().find(|(known, _)| *known == code).map(|(_, phrase)| *phrase);
    of(status).or_else(|| of(status / 100 * 100)).unwrap_or("Session Progress")
}

/// Provisional responses, success and redirection.
#[cfg(not(target_arch = "wasm32"))]
const fn outcome(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        _ => match status / 100 {
            1 => "Session Progress",
            2 => "OK",
            3 => "Multiple Choices",
            _ => "Bad Request",
        },
    }
}

#[cfg(not(target_arch = "wasm32"))]
const fn client_error(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        _ => "Bad Request",
    }
}

#[cfg(not(target_arch = "wasm32"))]
const fn server_or_global_error(status: u16) -> &'static str {
    match status {
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        555 => "Push Notification Service Not Supported",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ if status < 600 => "Server Internal Error",
        _ => "Busy Everywhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_phrase_gets_that_of_its_class() {
        assert_eq!(reason_phrase(486), "Busy Here");
        assert_eq!(reason_phrase(599), "Server Internal Error");
        assert_eq!(reason_phrase(499), "Bad Request");
    }

    #[test]
    fn an_agent_in_a_page_answers_with_the_same_phrases() {
        for (status, phrase) in OF_AGENT {
            assert_eq!(phrase, reason_phrase(status));
            assert_eq!(phrase_of_agent(status), phrase);
        }
        assert_eq!(phrase_of_agent(499), "Bad Request");
    }
}
