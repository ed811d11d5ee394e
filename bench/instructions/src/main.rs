//! The hot path, over and over, for valgrind to count its instructions (`cargo xtask instructions`).
//!
//! ```text
//! sipweb-instructions CASE REPLAYS
//! ```
//!
//! What goes into the proxy is recorded first, once; then it is replayed so often. The difference between two counts of
//! replays is the proxy's work alone, start and end included, whatever the recording took.

mod scenes;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

use proxy::{Output, Proxy, Question};
use scenes::Scene;
use sip::{Message, SeededEntropy};

/// Operations in one replay.
const OPERATIONS: usize = 200;

const USAGE: &str = "Usage: sipweb-instructions CASE REPLAYS, or sipweb-instructions cases";

/// Records what goes into the proxy in a case.
type Record = fn() -> Result<Scene, Box<dyn Error>>;

/// The cases: what one operation is.
const CASES: [(&str, Record); 3] = [
    // INVITE 180 200 ACK BYE 200 between phones on UDP, each message forwarded.
    ("forward", scenes::calls),
    // OPTIONS to the server itself.
    ("respond", scenes::options),
    // A registration refreshed, digest checked, stored.
    ("register", scenes::registrations),
];

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect::<Vec<_>>().as_slice()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sipweb-instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    match arguments {
        [word] if word == "cases" => {
            println!("operations {OPERATIONS}\nparse");
            CASES.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        [case, replays] if case == "parse" => {
            let message = scenes::invite(0);
            for _ in 0..replays.parse::<usize>()? * OPERATIONS {
                let mut parsed = Message::parse(black_box(&message))?;
                parsed.admit().map_err(|fault| format!("{fault:?}"))?;
                black_box(&parsed);
            }
            Ok(())
        }
        [case, replays] => {
            let (_, record) = CASES.iter().find(|(name, _)| name == case).ok_or(USAGE)?;
            let scene = record()?;
            let transmissions = replay(&scene);
            if transmissions != scene.transmissions {
                return Err(
                    format!("{transmissions} messages left, and {} at first", scene.transmissions).into()
                );
            }
            for _ in 1..replays.parse::<usize>()? {
                black_box(replay(&scene));
            }
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// A fresh proxy is handed all of a scene. Returns how many messages left it.
fn replay(scene: &Scene) -> usize {
    let mut proxy = scenes::proxy();
    let mut transmissions = drain(&mut proxy, scenes::START, |_, _| {});
    for (at, flow, bytes) in &scene.messages {
        proxy.receive(*at, flow, bytes);
        transmissions += drain(&mut proxy, *at, |_, _| {});
    }
    transmissions
}

/// Takes what the proxy has to say, and answers what it asks at once. Returns how many messages it sent.
fn drain(proxy: &mut Proxy, now: sip::Instant, mut sent: impl FnMut(&sip::Hop, &[u8])) -> usize {
    let mut transmissions = 0;
    loop {
        match proxy.poll() {
            Output::Transmit { hop, bytes } => {
                transmissions += 1;
                sent(&hop, &bytes);
            }
            Output::Ask { id, question } => match question {
                Question::Resolve { host, port, .. } => {
                    let hops = scenes::resolve(&host, port);
                    proxy.resolved(now, id, Ok(hops));
                }
                Question::Credentials { user, .. } => {
                    proxy.credentials(now, id, Some(scenes::secret(&user)));
                }
                Question::Token { .. } => proxy.token(now, id, None),
                // Nobody here wants signatures.
                Question::Sign { .. } => proxy.signed(now, id, None),
                Question::Verify { .. } => proxy.verified(now, id, Ok(())),
                Question::Store { .. } => proxy.stored(now, id, Ok(())),
            },
            Output::Event(event) => drop(black_box(event)),
            Output::Share(news) => drop(black_box(news)),
            Output::Timeout(at) => {
                if at > now {
                    return transmissions;
                }
                proxy.timeout(now);
            }
        }
    }
}

/// The randomness of every proxy here.
fn entropy() -> Box<SeededEntropy> {
    Box::new(SeededEntropy::new(7))
}
