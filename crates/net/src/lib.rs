//! Sockets: UDP, TCP, TLS, WebSocket and HTTP on one event loop, and the way to the next hop.
