//! What many short calls leave behind in the real server: sockets, memory, ports.

use std::time::{Duration, Instant};

use crate::media::{Browser, Contender as _, Phone};
use crate::process;
use crate::sipweb::Sipweb;
use crate::{Options, Outcome};

const CALLS: usize = 10_000;
/// Calls before the first look: what is made only once, however many calls follow.
const FIRST: usize = 1000;
/// One call of so many comes to talk; the others end when they are answered.
const TALKS: u32 = 10;

/// Measures, prints, and writes the results down.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    process::take_load_core();
    let calls = options.calls.unwrap_or(CALLS);
    let mut server = Sipweb::start(&options.sipweb)?;
    let mut text = String::from("| after | open sockets | memory, kB |\n|---|---|---|\n");
    let mut look = |server: &Sipweb, when: String| -> Outcome<()> {
        let (sockets, memory) = (server.process().sockets()?, server.process().memory()? / 1024);
        text.push_str(&format!("| {when} | {sockets} | {memory} |\n"));
        Ok(())
    };
    look(&server, "the start".into())?;
    let begun = Instant::now();
    for number in 0..calls {
        call(&mut server, number)?;
        if number + 1 == FIRST || (number + 1) % (calls / 4).max(1) == 0 {
            // Transactions linger for 32 seconds (RFC 3261 §17): their memory is not that of calls.
            if number + 1 == FIRST || number + 1 == calls {
                std::thread::sleep(Duration::from_secs(40));
            }
            server.turn()?;
            look(&server, format!("{} calls", number + 1))?;
        }
    }
    text.push_str(&format!(
        "\n{calls} calls of a page to a desk phone in {} s, one after the other, each hung up as soon as it stood; one of \
         {TALKS} got ICE, DTLS and a packet both ways first. The figures after {FIRST} and {calls} calls were taken 40 s \
         later, when no transaction is left. The server has 10,000 pairs of ports.\n",
        begun.elapsed().as_secs()
    ));
    println!("{text}");
    if let Some(path) = &options.results {
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn call(server: &mut Sipweb, number: usize) -> Outcome<()> {
    let number = u32::try_from(number)?;
    let (mut browser, mut phone) = (Browser::new(number, Instant::now())?, Phone::new(number)?);
    server.connect(&mut browser, &mut phone)?;
    if number.is_multiple_of(TALKS) {
        process::wait_for("ICE and DTLS", Duration::from_secs(10), || {
            browser.turn(Instant::now())?;
            Ok(browser.is_connected())
        })?;
        browser.send(Instant::now())?;
        phone.send()?;
        process::wait_for("a packet both ways", Duration::from_secs(10), || {
            browser.turn(Instant::now())?;
            phone.turn();
            Ok(browser.heard.intact > 0 && phone.heard.intact > 0)
        })?;
    }
    server.hang_up()
}
