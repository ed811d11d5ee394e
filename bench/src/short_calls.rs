//! What many short calls leave behind in the real server: sockets, memory, ports.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::media::{Browser, Contender as _, Phone};
use crate::process;
use crate::results::Record;
use crate::sipweb::Sipweb;
use crate::{Options, Outcome};

const PART: &str = "short-calls";
const CALLS: usize = 10_000;
/// Calls before the first look: what is made only once, however many calls follow.
const FIRST: usize = 1000;
/// One call of so many comes to talk; the others end when they are answered.
const TALKS: u32 = 10;
/// Longer than any transaction lasts.
const LINGER: Duration = Duration::from_secs(40);

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let calls = options.calls.unwrap_or(CALLS);
    let mut server = Sipweb::start(&options.sipweb)?;
    let mut records = Vec::new();
    let begun = Instant::now();
    let mut look = |server: &Sipweb, after: usize| -> Outcome<()> {
        let (sockets, memory) = (server.process().sockets()?, server.process().memory()?);
        println!("after {after} calls: {sockets} sockets, {} kB", memory / 1024);
        let record = Record::new(PART, "Sipweb").with("after", after).with("calls", calls);
        let record = record.with("sockets", sockets).with("memory", memory);
        records.push(record.with("seconds", begun.elapsed().as_secs()));
        Ok(())
    };
    look(&server, 0)?;
    for number in 0..calls {
        call(&mut server, number)?;
        if number + 1 == FIRST || (number + 1) % (calls / 4).max(1) == 0 {
            // Transactions linger for 32 seconds (RFC 3261 §17): their memory is not that of calls.
            if number + 1 == FIRST || number + 1 == calls {
                std::thread::sleep(LINGER);
            }
            server.turn()?;
            look(&server, number + 1)?;
        }
    }
    Ok(records)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from("| after | open sockets | memory, kB (PSS) |\n|---|---|---|\n");
    let mut last = ("", "");
    for record in records.iter().filter(|record| record.text("part") == PART) {
        last = (record.text("calls"), record.text("seconds"));
        let memory = record.number("memory") / 1024.0;
        writeln!(text, "| {} calls | {} | {memory:.0} |", record.text("after"), record.text("sockets"))?;
    }
    let (calls, seconds) = last;
    writeln!(
        text,
        "\n{calls} calls of a page to a desk phone in {seconds} s, one after the other, each hung up as soon as it stood; one of \
         {TALKS} got ICE, DTLS and a packet both ways first. The figures after {FIRST} and {calls} calls were taken {} s \
         later, when no transaction is left. The server has 10,000 pairs of ports.",
        LINGER.as_secs()
    )?;
    Ok(text)
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
