//! The user agent for the browser: flat exports over the agent.
//!
//! One instance of the module is one agent. The page writes a command (or a received message) where `input` says,
//! calls `command` (or `receive`), then calls `poll` until it gives 0, taking each output from where `output` says;
//! after that `deadline` says when to call `timeout`. Times are microseconds as numbers of JavaScript.
//!
//! The module imports one function, `sipweb.entropy(pointer, length)`: random octets. No glue is generated; the
//! other side is `web/library/src/core.ts`.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod command;
mod config;
mod event;
pub mod exports;
mod reader;
mod state;

/// The heap. It looks through a list of what is free, which is short: neighbours are joined, and a page holds few calls.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());
