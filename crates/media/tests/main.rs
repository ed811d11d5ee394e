//! The scenarios of the gateway for media, in one program: what they run is compiled into it once, and not into each of them.

mod class;
mod conversion;
mod conversion_events;
mod conversion_recorded;
mod gateway_anchored;
mod gateway_call;
mod gateway_calls;
mod gateway_change;
mod gateway_digits;
mod gateway_early_dialogs;
mod gateway_figures;
mod gateway_fork;
mod gateway_ipv6;
mod gateway_moved;
mod gateway_order;
mod gateway_sdes;
mod gateway_strangers;
mod gateway_tcp;
mod gateway_transcoding;
mod gateway_video;
mod peers;
