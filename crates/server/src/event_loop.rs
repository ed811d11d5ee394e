//! One event loop of the server: made of its part, run on its thread, stopped with the others.
//!
//! ```text
//!  run::open                   the main thread                a thread for each further loop
//!  binds, reads, divides  -->  Part::start -> Running         Part::start -> Running
//!                              signals, files                 waits for Letter::Stop
//!                              Running::stop                  Running::stop, Post::end
//! ```

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use net::{Bound, Network, Resolver};
use proxy::Proxy;
use tokio::runtime::Runtime;
use tokio::task::{JoinError, JoinHandle, LocalSet};

use crate::Failure;
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::kept::Kept;
use crate::log;
use crate::media_joining::{CallRecords, MediaJoining, MediaPlace, Reason};
use crate::outward_address::outward_address;
use crate::post::Post;
use crate::randomness::SystemEntropy;
use crate::server::{Parts, Server};
use crate::web_page::WebPage;

/// How long requests in progress may take to end once the server was told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// What one event loop is made of, before it is on its thread.
pub(crate) struct Part {
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) clock: Clock,
    pub(crate) secret: [u8; 32],
    pub(crate) bound: Bound,
    pub(crate) post: Post,
    /// The stored bindings that this loop owns.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) kept: Arc<Kept>,
}

/// An event loop that serves.
pub(crate) struct Running {
    pub(crate) server: Rc<Server>,
    pub(crate) network: Network,
    tasks: Vec<JoinHandle<()>>,
}

/// What runs one event loop.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start the event loop: {error}")))
}

/// Starts the other event loops, a thread each, and waits until all serve.
pub(crate) fn start_beside(parts: Vec<Part>) -> Result<(), Failure> {
    let (started, outcomes) = mpsc::channel();
    let others = parts.len();
    for part in parts {
        let started = started.clone();
        std::thread::Builder::new()
            .name(format!("loop {}", part.post.place()))
            .spawn(move || {
                let _watch = Watch;
                if let Err(failure) = run(part, &started) {
                    let _ = started.send(Err(failure));
                }
            })
            .map_err(|error| Failure::Failed(format!("cannot start an event loop: {error}")))?;
    }
    // Each says once how it went.
    outcomes.into_iter().take(others).collect()
}

/// Runs one until the server stops.
fn run(part: Part, started: &mpsc::Sender<Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let post = part.post.clone();
        let running = part.start()?;
        let _ = started.send(Ok(()));
        apart(async move {
            running.server.told_to_stop().await;
            running.stop().await;
        })
        .await;
        post.end();
        Ok(())
    })
}

/// Waits for something in a task of its own. What a `LocalSet` waits for itself is looked at whenever any of its tasks is
/// woken, so with each message.
pub(crate) async fn apart<R: 'static>(future: impl Future<Output = R> + 'static) -> R {
    match tokio::task::spawn_local(future).await.map_err(JoinError::try_into_panic) {
        Ok(outcome) => outcome,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The loop itself ends.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// A server that has lost a loop, or the timers of one, answers half of its calls: then it is better gone, and started again.
struct Watch;

/// Starts what a loop cannot do without. Tokio would let the others go on when it meets a fault.
fn start_task(task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    tokio::task::spawn_local(async move {
        let _watch = Watch;
        task.await;
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            log::error("an event loop met a fault of the server: the server ends");
            log::flush();
            std::process::exit(1);
        }
    }
}

impl Part {
    /// Begins to serve. To be called on the loop's thread, inside of its `LocalSet`.
    pub(crate) fn start(self) -> Result<Running, Failure> {
        let Self { configuration, clock, secret, bound, post, records, kept } = self;
        let network = bound.start().map_err(Failure::from_error)?;
        let mut config = configuration.proxy.clone();
        config.listeners = network
            .listeners()
            .iter()
            .map(|listener| proxy::config::Listener {
                advertised_host: configuration.advertise.clone(),
                outward_address: Some(listener.address.ip())
                    .filter(IpAddr::is_unspecified)
                    .and_then(outward_address),
                ..proxy::config::Listener::new(listener.protocol.transport(), listener.address)
            })
            .collect();
        let proxy = Proxy::among(config, secret, Box::new(SystemEntropy), post.common());
        let mut proxy = proxy.at_place(post.place());
        proxy.restore(clock.now(), records);
        let resolver = Resolver::system();
        let media = match configuration.media.gateway {
            true => {
                let place = MediaPlace::of(&configuration.media, &configuration.listeners)
                    .part(post.place(), post.loops());
                let records = configuration.calls.clone().map(CallRecords::open).transpose()?;
                Some(MediaJoining::open(&place, clock, resolver.clone(), records)?)
            }
            false => None,
        };
        let server = Server::new(Parts {
            clock,
            proxy,
            network: network.clone(),
            resolver,
            kept,
            post,
            media,
            page: WebPage::new(configuration.web.page, &configuration.proxy.domains),
            origins: configuration.web.origins.clone(),
            tokens: configuration.tokens.clone(),
            ice: configuration.ice.clone(),
            issued: configuration.tls.issued.clone(),
            stir: Arc::clone(&configuration.stir),
        });
        let mut tasks = vec![
            start_task(Rc::clone(&server).keep_time()),
            start_task(Rc::clone(&server).speak_for_media()),
            start_task(Rc::clone(&server).read_letters()),
            start_task(Rc::clone(&server).end_sign_ins()),
        ];
        if let Some(media) = server.media() {
            tasks.push(start_task(media.keep_time()));
        }
        tasks.push(start_task({
            let (network, server) = (network.clone(), Rc::clone(&server));
            async move { network.run(server).await }
        }));
        Ok(Running { server, network, tasks })
    }
}

impl Running {
    /// Ends in good order: calls that are joined here are hung up, requests in progress may end on every loop,
    /// connections are told.
    pub(crate) async fn stop(&self) {
        self.server.hang_up_joined_calls(&Reason::stopping());
        let _ = tokio::time::timeout(LAST_REQUESTS, self.until_quiet()).await;
        self.network.drain().await;
    }

    async fn until_quiet(&self) {
        while !self.server.post().all_quiet(self.server.is_quiet()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// It runs a second time in a process of its own, which it is to end.
    #[test]
    fn a_fault_in_a_task_of_a_loop_ends_the_server() {
        const INNER: &str = "SIPWEB_TEST_FAULT";
        if std::env::var_os(INNER).is_some() {
            LocalSet::new().block_on(&runtime().unwrap(), async {
                let task = start_task(async { panic!("a fault, wanted by the test") });
                let _ = task.await;
            });
            return;
        }
        let name = "event_loop::tests::a_fault_in_a_task_of_a_loop_ends_the_server";
        let mut inner = Command::new(std::env::current_exe().unwrap());
        let output = inner.args(["--exact", name]).env(INNER, "1").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
