//! WebSocket handshake and frames (RFC 6455, RFC 7118), without I/O.
