//! The scenarios of the user agent, in one program: what they run is compiled into it once, and not into each of them.

mod calls;
mod common;
mod door;
mod flows;
mod registration;
mod reliable;
mod sleep;
mod torture;
mod trickle;
