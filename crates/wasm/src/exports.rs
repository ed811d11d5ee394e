//! The border to the page: the only place of this crate with `unsafe`.
#![allow(unsafe_code, reason = "exported names, and the one imported function")]

use crate::state::State;
use core::cell::RefCell;
use sip::{Entropy, Instant};

thread_local! {
    // The module has one thread, and no export calls another: the borrow always succeeds.
    static STATE: RefCell<State> = const { RefCell::new(State::new()) };
}

fn with<T: Default>(act: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| state.try_borrow_mut().map(|mut state| act(&mut state)).unwrap_or_default())
}

/// `now` counts microseconds; a negative number or NaN counts as 0.
const fn instant(now: f64) -> Instant {
    Instant::from_micros(now as u64)
}

// SAFETY (of every `no_mangle` below): the names are unique in the module, whose only Rust code is this crate and
// the floors under it, and none of them is a name of the C library.

/// Makes room for `length` octets of input and says where.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with(|state| match state.try_borrow_mut() {
        Ok(mut state) => {
            state.make_room(length);
            state.input.as_mut_ptr()
        }
        Err(_) => core::ptr::null_mut(),
    })
}

/// Where the last output is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with(|state| state.try_borrow().map_or(core::ptr::null(), |state| state.output.as_ptr()))
}

/// The length of the last output.
#[unsafe(no_mangle)]
pub extern "C" fn output_length() -> usize {
    with(|state| state.output.len())
}

/// Makes the agent from the configuration in the input.
#[unsafe(no_mangle)]
pub extern "C" fn create(_length: usize, _now: f64) -> u32 {
    with(|state| state.create(Box::new(HostEntropy)))
}

/// Runs the command in the input. The reply, if the command has one, is in the output.
#[unsafe(no_mangle)]
pub extern "C" fn command(_length: usize, now: f64) -> u32 {
    with(|state| state.command(instant(now)))
}

/// Gives the message in the input, from the connection of that flow, to the agent.
#[unsafe(no_mangle)]
pub extern "C" fn receive(_length: usize, flow: u8, now: f64) {
    with(|state| state.receive(flow, instant(now)));
}

/// The length of the message in the input, without line ends before it and octets behind it; 0 if there is none that may be
/// processed. No agent is needed, and none learns of it.
#[unsafe(no_mangle)]
pub extern "C" fn check(_length: usize) -> usize {
    with(|state| state.message_length())
}

/// Tells the agent the time.
#[unsafe(no_mangle)]
pub extern "C" fn timeout(now: f64) {
    with(|state| state.timeout(instant(now)));
}

/// Takes the next output. 0: nothing more.
#[unsafe(no_mangle)]
pub extern "C" fn poll() -> usize {
    with(State::poll)
}

/// When to call `timeout`; infinity for never.
#[unsafe(no_mangle)]
pub extern "C" fn deadline() -> f64 {
    with(|state| state.deadline)
}

/// The page's random numbers.
struct HostEntropy;

#[cfg(target_arch = "wasm32")]
impl Entropy for HostEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        #[link(wasm_import_module = "sipweb")]
        unsafe extern "C" {
            fn entropy(pointer: *mut u8, length: usize);
        }
        // SAFETY: the page writes `length` octets from `pointer` on, which is exactly this slice, and keeps neither.
        unsafe { entropy(bytes.as_mut_ptr(), bytes.len()) }
    }
}

/// Outside a page there is nobody to ask: the crate is built there for its tests only.
#[cfg(not(target_arch = "wasm32"))]
impl Entropy for HostEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        sip::SeededEntropy::new(bytes.len() as u64).fill(bytes);
    }
}
