//! The whole measurement in slices of a few minutes, each of which can be made apart: what is compared stands in one.

/// A slice: its name, the command, and its options.
pub(crate) struct Slice {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    pub(crate) options: &'static [&'static str],
}

const fn slice(name: &'static str, command: &'static str, options: &'static [&'static str]) -> Slice {
    Slice { name, command, options }
}

/// All, what matters most first.
pub(crate) const SLICES: [Slice; 22] = [
    slice("udp-2000", "signalling", &["--loads", "udp-call", "--rates", "2000", "--seconds", "5"]),
    slice("udp-4000", "signalling", &["--loads", "udp-call", "--rates", "4000", "--seconds", "4"]),
    slice("tcp", "signalling", &["--loads", "tcp-call", "--seconds", "4"]),
    slice("ws-udp", "signalling", &["--loads", "ws-udp-call", "--seconds", "4"]),
    slice("udp-ws", "signalling", &["--loads", "udp-ws-call", "--seconds", "4"]),
    slice("ws-ws", "signalling", &["--loads", "ws-ws-call", "--seconds", "4"]),
    slice("wss-udp", "signalling", &["--loads", "wss-udp-call", "--seconds", "4"]),
    slice("register", "signalling", &["--loads", "udp-register", "--seconds", "4"]),
    slice("ws-register", "signalling", &["--loads", "ws-register", "--seconds", "4"]),
    slice("handshake", "signalling", &["--loads", "ws-handshake", "--seconds", "4"]),
    slice(
        "order",
        "signalling",
        &[
            "--loads",
            "udp-order,tcp-order,ws-udp-order,udp-ws-order,ws-ws-order",
            "--servers",
            "sipweb,kamailio",
            "--runs",
            "1",
            "--seconds",
            "10",
            "--settle",
            "2",
        ],
    ),
    slice("udp-500-1000", "signalling", &["--loads", "udp-call", "--rates", "500,1000", "--seconds", "4"]),
    slice("memory", "memory", &[]),
    slice("idle-ws", "idle", &["--loads", "ws"]),
    slice("idle-wss", "idle", &["--loads", "wss"]),
    slice("limit-udp", "limit", &["--loads", "udp-call", "--runs", "1"]),
    slice("limit-ws-udp", "limit", &["--loads", "ws-udp-call", "--runs", "1"]),
    slice(
        "growth",
        "signalling",
        &["--loads", "udp-call", "--rates", "100,8000,10000", "--seconds", "3", "--runs", "2"],
    ),
    slice("bindings", "bindings", &[]),
    slice("cores", "cores", &[]),
    slice("others", "signalling", &["--loads", OTHERS, "--seconds", "4", "--runs", "2"]),
    slice("sipp", "sipp", &["--runs", "2"]),
];

/// What has no mark to reach.
const OTHERS: &str = "udp-call-user,udp-register-challenge,wss-register,udp-fork-5,ws-storm,wss-handshake";
