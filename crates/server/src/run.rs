//! From a configuration to a running server, and to its end.

use std::rc::Rc;
use std::time::Duration;

use net::{BindError, Listener, Network, Protocol};
use proxy::Proxy;
use store::{Bindings, Directory, Users};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use crate::certificate::Certificate;
use crate::clock::Clock;
use crate::configuration::{Configuration, Protocols};
use crate::log;
use crate::media_joining::{CallRecords, MediaJoining, MediaPlace, Reason};
use crate::port_owner;
use crate::randomness::SystemEntropy;
use crate::reload::reload;
use crate::server::{Parts, Server};
use crate::web_page::WebPage;
use crate::{Failure, print};

/// How long requests in progress may take to end once the server was told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

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
pub(crate) fn serve(configuration: Configuration, manner: &Manner<'_>) -> Result<(), Failure> {
    log::set_level(configuration.level);
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start the event loop: {error}")))?;
    LocalSet::new().block_on(&runtime, async {
        let signals = Signals::catch()?;
        Certificate::of(&configuration).tell_trouble();
        let mut running_configuration = configuration.clone();
        let (server, network) = assemble(configuration, manner.remedy)?;
        let timekeeper = tokio::task::spawn_local(Rc::clone(&server).keep_time());
        let media = server.media().map(|media| tokio::task::spawn_local(media.keep_time()));
        let hanging_up = tokio::task::spawn_local(Rc::clone(&server).speak_for_media());
        let caretaker = tokio::task::spawn_local(Rc::clone(&server).look_after_files());
        let running = tokio::task::spawn_local({
            let (network, server) = (network.clone(), Rc::clone(&server));
            async move { network.run(server).await }
        });
        (manner.ready)(network.listeners());
        signals.wait_and_stop(&server, &network, &mut running_configuration).await;
        timekeeper.abort();
        caretaker.abort();
        hanging_up.abort();
        if let Some(media) = media {
            media.abort();
        }
        running.abort();
        server.flush();
        log::info("stopped");
        Ok(())
    })
}

/// Opens everything in the order in which failing is cheapest.
fn assemble(
    configuration: Configuration,
    remedy: &dyn Fn(Protocol) -> String,
) -> Result<(Rc<Server>, Network), Failure> {
    let clock = Clock::start();
    let directory = Directory::open(&configuration.data).map_err(Failure::from_error)?;
    let secret = store::secret(&directory).map_err(Failure::from_error)?;
    let users = Users::open(&configuration.data, std::time::Instant::now()).map_err(Failure::from_error)?;
    let mut bindings = Bindings::open(&directory).map_err(Failure::from_error)?;
    let network = Network::bind(&configuration.listeners, &configuration.tls, configuration.limits.clone())
        .map_err(|error| bind_failure(&error, remedy))?;
    tell_recovery(&bindings, &directory);
    if users.count() == 0 && matches!(configuration.proxy.role, proxy::config::Role::AllInOne) {
        log::warning("there are no users yet; add one with: sipweb user add");
    }

    let mut config = configuration.proxy;
    config.listeners = network
        .listeners()
        .iter()
        .map(|listener| proxy::config::Listener {
            advertised_host: configuration.advertise.clone(),
            ..proxy::config::Listener::new(listener.protocol.transport(), listener.address)
        })
        .collect();
    let domain = config.domains.first().cloned().unwrap_or_default();
    let mut proxy = Proxy::new(config, secret, Box::new(SystemEntropy));
    proxy.restore(clock.now(), bindings.load());
    let media = match configuration.media.gateway {
        true => {
            let place = MediaPlace::of(&configuration.media, &configuration.listeners);
            let records = configuration.calls.map(CallRecords::open).transpose()?;
            Some(MediaJoining::open(&place, clock, records)?)
        }
        false => None,
    };
    let server = Server::new(Parts {
        clock,
        proxy,
        network: network.clone(),
        bindings,
        users,
        media,
        page: WebPage::new(configuration.web.page, &domain),
        origins: configuration.web.origins,
        directory,
    });
    Ok((server, network))
}

/// What was found in the log of registrations, if it is worth a line.
fn tell_recovery(bindings: &Bindings, directory: &Directory) {
    let recovery = bindings.recovery();
    if recovery.names > 0 {
        log::info(format!(
            "{} users' registrations are back from {}",
            recovery.names,
            directory.path().display()
        ));
    }
    if let Some(cut) = recovery.cut {
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
    async fn wait_and_stop(mut self, server: &Server, network: &Network, running: &mut Configuration) {
        while !self.stop_or_reload().await {
            reload(running, server, network);
        }
        log::info("stopping: connections are told; a second signal stops at once");
        tokio::select! {
            () = stop(server, network) => {}
            () = self.stop() => log::info("stopped at once"),
        }
    }

    /// `true` for the order to stop, `false` for the order to read configuration and certificates again.
    async fn stop_or_reload(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hang_up.recv() => false,
        }
    }

    async fn stop(&mut self) {
        while !self.stop_or_reload().await {}
    }
}

async fn stop(server: &Server, network: &Network) {
    server.hang_up_joined_calls(&Reason::stopping());
    let _ = tokio::time::timeout(LAST_REQUESTS, until_quiet(server)).await;
    network.drain().await;
}

async fn until_quiet(server: &Server) {
    while !server.is_quiet() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
