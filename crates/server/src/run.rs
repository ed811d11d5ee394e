//! From a configuration to a running server, and to its end.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net::{BindError, Bound, Listener, Protocol};
use proxy::Common;
use store::{Bindings, Directory, Users};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use crate::acme::Caretaker;
use crate::certificate::Certificate;
use crate::certificate_watch::{CertificateReminder, CertificateWatch};
use crate::clock::Clock;
use crate::configuration::{Configuration, Protocols};
use crate::event_loop::{self, Part, Running};
use crate::kept::Kept;
use crate::log;
use crate::port_owner;
use crate::post::{Letter, Post};
use crate::randomness::SystemEntropy;
use crate::reload::{reload, take_renewal};
use crate::{Failure, print};

/// What differs between a configured server and the demo.
pub(crate) struct Manner<'a> {
    /// Called when the server is ready, with its listeners.
    pub(crate) ready: &'a dyn Fn(&[Listener]),
    /// What to do when a port is taken, as the end of a sentence.
    pub(crate) remedy: &'a dyn Fn(Protocol) -> String,
}

/// Prints the line that programs wait for: `ready: udp=127.0.0.1:5060 http=127.0.0.1:8080`.
pub(crate) fn ready_line(listeners: &[Listener]) {
    let mut line = "ready:".to_owned();
    for listener in listeners {
        line.push_str(&format!(" {}={}", Protocols::key(listener.protocol), listener.address));
    }
    line.push('\n');
    print(&line);
}

/// Runs a server by its configuration file.
pub(crate) fn serve_configured(configuration: Configuration) -> Result<(), Failure> {
    let remedy =
        |protocol| format!("stop it, or change listen.{} in the configuration", Protocols::key(protocol));
    serve(configuration, &Manner { ready: &ready_line, remedy: &remedy })
}

/// Runs a server until it is told to stop.
pub(crate) fn serve(mut configuration: Configuration, manner: &Manner<'_>) -> Result<(), Failure> {
    log::set_level(configuration.level);
    log::write_aside();
    raise_file_limit();
    configuration.tell_trouble();
    let watch = CertificateWatch::new(&configuration.tls);
    let caretaker = configuration.acme.clone().map(Caretaker::open).transpose()?;
    configuration.tls.issued = caretaker.as_ref().map(Caretaker::issued);
    let (kept, mut parts) = open(configuration.clone(), manner.remedy)?;
    let first = parts.remove(0);
    let clock = first.clock;
    let runtime = event_loop::runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let signals = Signals::catch()?;
        let running = Rc::new(first.start()?);
        let file_watch = tokio::task::spawn_local({
            let (kept, common) = (Arc::clone(&kept), running.server.post().common().clone());
            async move { look_after(&kept, clock, &common).await }
        });
        event_loop::start_beside(parts)?;
        (manner.ready)(running.network.listeners());
        if let Some(caretaker) = caretaker {
            caretaker.start()?;
        }
        let served = Rc::clone(&running);
        event_loop::apart(async move { signals.wait_and_stop(&served, &mut configuration, watch).await })
            .await;
        file_watch.abort();
        drop(running);
        kept.flush();
        log::info("stopped");
        Ok(())
    })
}

/// Opens what all event loops need, in the order in which failing is cheapest: what they keep together, and the part of
/// each.
fn open(
    configuration: Configuration,
    remedy: &dyn Fn(Protocol) -> String,
) -> Result<(Arc<Kept>, Vec<Part>), Failure> {
    let loops = configuration.loops();
    let clock = Clock::start();
    let directory = Directory::open(&configuration.data).map_err(Failure::from_error)?;
    let secret = store::secret(&directory).map_err(Failure::from_error)?;
    let users = Users::open(&configuration.data, Instant::now()).map_err(Failure::from_error)?;
    let mut bindings = Bindings::open(&directory).map_err(Failure::from_error)?;
    let bound =
        Bound::open(&configuration.listeners, &configuration.tls, configuration.limits.clone(), loops)
            .map_err(|error| bind_failure(&error, remedy))?;
    let loaded = bindings.load();
    tell_recovery(&bindings, &directory, &loaded);
    if users.count() == 0 && matches!(configuration.proxy.role, proxy::config::Role::AllInOne) {
        log::warning("there are no users yet; add one with: sipweb user add");
    }
    let common = Common::new(loops, &mut SystemEntropy);
    let mut records: Vec<Vec<_>> = (0..loops).map(|_| Vec::new()).collect();
    for record in loaded {
        if let Some(own) = records.get_mut(common.owner_of_record(&record.0)) {
            own.push(record);
        }
    }
    let kept = Arc::new(Kept::new(directory, bindings, users));
    let configuration = Arc::new(configuration);
    let parts = bound
        .into_iter()
        .zip(Post::all(&common))
        .zip(records)
        .map(|((bound, post), records)| Part {
            configuration: Arc::clone(&configuration),
            clock,
            secret,
            bound,
            post,
            records,
            kept: Arc::clone(&kept),
        })
        .collect();
    Ok((kept, parts))
}

/// Looks after the files, and at the system's clock, once a second.
async fn look_after(kept: &Kept, clock: Clock, common: &Common) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        kept.look_after();
        if let Some(later) = clock.look_at_the_calendar() {
            common.set_calendar(later);
            let (seconds, than) =
                (later.unsigned_abs() / 1_000_000, if later < 0 { "earlier" } else { "later" });
            log::info(format!(
                "the system's clock was set, or the machine slept: it is {seconds} s {than} than it would be by the clock of the \
                 start; calls and registrations go on as they were"
            ));
        }
    }
}

/// What was found in the log of registrations, if it is worth a line.
fn tell_recovery(bindings: &Bindings, directory: &Directory, loaded: &[(Vec<u8>, Vec<u8>)]) {
    let place = directory.path().display();
    let messages = loaded.iter().filter(|(name, _)| proxy::is_message(name)).count();
    if loaded.len() > messages {
        log::info(format!("{} users' registrations are back from {place}", loaded.len() - messages));
    }
    if messages > 0 {
        log::info(format!("{messages} messages that wait for their users are back from {place}"));
    }
    if let Some(damage) = bindings.recovery().damage {
        log::error(format!(
            "the log of registrations was damaged in {} places, the first at octet {}: {} octets could not be read, and \
             the registrations and messages in them are lost; what came behind is kept. Look after the disk of {place}",
            damage.places, damage.offset, damage.bytes
        ));
    }
    if let Some(cut) = bindings.recovery().cut {
        log::warning(format!(
            "the log of registrations had a torn end: {} octets after octet {} were cut away",
            cut.bytes, cut.offset
        ));
    }
}

/// A port that is taken: who has it, and what to do.
fn bind_failure(error: &BindError, remedy: &dyn Fn(Protocol) -> String) -> Failure {
    let BindError::PortInUse { listener } = error else { return Failure::from_error(error) };
    let owner = port_owner::owner(listener.protocol, listener.address.port())
        .unwrap_or_else(|| "another program".to_owned());
    Failure::Failed(format!(
        "port {} ({}) is in use by {owner}; {}",
        listener.address.port(),
        listener.protocol,
        remedy(listener.protocol)
    ))
}

/// A connection is a file to the system, and the usual limit is 1024: take what the system gives.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() {
        log::debug("the limit of open files stays as it is");
    }
}

/// The signals that a server obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let catch =
            |kind| signal(kind).map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")));
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for the order to stop, and stops: requests in progress may end, WebSockets are told that we go
    /// away. A second order ends the waiting.
    async fn wait_and_stop(
        mut self,
        running: &Running,
        configuration: &mut Configuration,
        mut watch: CertificateWatch,
    ) {
        let started = configuration.clone();
        let mut reminder = CertificateReminder::told(Instant::now());
        loop {
            match self.order().await {
                Order::Stop => break,
                Order::Reload => reload(&started, configuration, &mut watch, &running.server),
                Order::Look => {
                    if reminder.is_due(Instant::now()) {
                        Certificate::of(configuration).tell_trouble();
                        watch.tell_again();
                    }
                    if watch.has_renewal(&configuration.tls) {
                        take_renewal(configuration, &mut watch, &running.server);
                    }
                }
            }
        }
        log::info("stopping: connections are told; a second signal stops at once");
        running.server.post().tell(&Letter::Stop);
        tokio::select! {
            () = async {
                running.stop().await;
                running.server.post().others_end().await;
            } => {}
            () = self.stop() => log::info("stopped at once"),
        }
    }

    /// The next thing to do.
    async fn order(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hang_up.recv() => Order::Reload,
            () = tokio::time::sleep(LOOK_EVERY) => Order::Look,
        }
    }

    async fn stop(&mut self) {
        while !matches!(self.order().await, Order::Stop) {}
    }
}

/// How often the certificate files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What the signals and the clock ask for.
enum Order {
    Stop,
    /// To read configuration and certificates again.
    Reload,
    /// To look at the certificates: whether another program has renewed them, or their time is over.
    Look,
}
