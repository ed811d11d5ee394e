//! Certificates that the server gets by itself (ACME, RFC 8555), proved on the HTTPS port (TLS-ALPN-01, RFC 8737) or on the HTTP
//! port (HTTP-01).
//!
//! A thread of its own looks after them: nothing of it runs on an event loop, which only shows what is in
//! [`IssuedCertificates`]. What has come is kept, so that a start asks for nothing; at two thirds of its life a certificate is
//! asked for anew, again and again if need be, and the old one is shown meanwhile.

mod kept;
mod order;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use net::{IssuedCertificates, Period};

use crate::Failure;
use crate::log;
use kept::Kept;

/// How long it takes from a failure to the next try, at first and in the end. Let's Encrypt bears five failures of a name in
/// an hour.
const FIRST_WAIT: Duration = Duration::from_secs(300);
const LAST_WAIT: Duration = Duration::from_secs(12 * 3600);
/// The clock of the machine may be set, so no sleep is longer.
const LOOK: Duration = Duration::from_secs(600);
/// No order takes longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// How it is proved that a domain is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proof {
    /// TLS-ALPN-01: a certificate on port 443.
    #[default]
    Https,
    /// HTTP-01: a page on port 80.
    Http,
}

/// What the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acme {
    /// The names, in small letters.
    pub(crate) domains: Vec<String>,
    /// How they are proved.
    pub(crate) proof: Proof,
    /// Whom the authority may write to.
    pub(crate) contact: Option<String>,
    /// The URL of the authority's directory.
    pub(crate) directory: String,
    /// A PEM file of who has signed the directory's own certificate; `None`: somebody whom the system believes.
    pub(crate) authority: Option<PathBuf>,
    /// Where account and certificates are kept.
    pub(crate) folder: PathBuf,
}

/// Looks after the certificates.
pub(crate) struct Caretaker {
    settings: Acme,
    issued: IssuedCertificates,
    kept: Kept,
    domains: Vec<Domain>,
}

/// One domain, and when its certificate is to be asked for.
struct Domain {
    name: String,
    due: SystemTime,
    failures: u32,
}

impl Caretaker {
    /// Takes up what is kept.
    pub(crate) fn open(settings: Acme) -> Result<Self, Failure> {
        let kept = Kept::open(&settings.folder, &settings.directory).map_err(Failure::Failed)?;
        let issued = IssuedCertificates::default();
        let mut domains = Vec::new();
        for name in &settings.domains {
            let due = take_up(name, &kept, &issued).unwrap_or_else(|| {
                log::warning(format!(
                    "acme: there is no certificate for {name} yet; {} is asked for one, and until it comes another one is shown",
                    settings.directory
                ));
                SystemTime::UNIX_EPOCH
            });
            domains.push(Domain { name: name.clone(), due, failures: 0 });
        }
        Ok(Self { settings, issued, kept, domains })
    }

    /// Where listeners find the certificates.
    pub(crate) fn issued(&self) -> IssuedCertificates {
        self.issued.clone()
    }

    /// Begins, when the listeners can give the proofs. The thread ends with the process.
    pub(crate) fn start(mut self) -> Result<(), Failure> {
        let failed =
            |error: std::io::Error| Failure::Failed(format!("cannot look after certificates: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let run = move || runtime.block_on(async move { self.run().await });
        std::thread::Builder::new().name("acme".to_owned()).spawn(run).map_err(failed)?;
        Ok(())
    }

    async fn run(&mut self) {
        loop {
            let now = SystemTime::now();
            for place in 0..self.domains.len() {
                self.look_after(place, now).await;
            }
            let next = self.domains.iter().map(|domain| domain.due).min();
            let wait = next.and_then(|next| next.duration_since(SystemTime::now()).ok());
            tokio::time::sleep(wait.unwrap_or_default().min(LOOK)).await;
        }
    }

    async fn look_after(&mut self, place: usize, now: SystemTime) {
        let Some(domain) = self.domains.get_mut(place).filter(|domain| domain.due <= now) else { return };
        let name = domain.name.clone();
        let order = order::certificate(&self.settings, &self.kept, &self.issued, &name);
        let outcome = tokio::time::timeout(PATIENCE, order).await;
        self.issued.proven(&name);
        let outcome = outcome.unwrap_or_else(|_| Err("the authority does not answer in time".to_owned()));
        let outcome = outcome.and_then(|pem| {
            self.kept.keep(&name, &pem)?;
            self.issued.serve(&name, &self.kept.files(&name)).map_err(|error| error.to_string())
        });
        match outcome {
            Ok(period) => {
                domain.due = next_order(&period, SystemTime::now());
                domain.failures = 0;
                log::info(format!("acme: a certificate for {name} has come, and is shown from now on"));
            }
            Err(why) => {
                let wait = wait_after(domain.failures);
                domain.failures = domain.failures.saturating_add(1);
                domain.due = SystemTime::now() + wait;
                let shown = if self.issued.has(&name) { "the one that it has" } else { "another one" };
                log::warning(format!(
                    "acme: no new certificate for {name}: {why}; tried again in {} s, and until then {shown} is shown",
                    wait.as_secs()
                ));
            }
        }
    }
}

/// Shows the certificate that is kept, if it still counts; when it is to be renewed.
fn take_up(name: &str, kept: &Kept, issued: &IssuedCertificates) -> Option<SystemTime> {
    let files = kept.files(name);
    if !files.certificate.exists() {
        return None;
    }
    match issued.serve(name, &files) {
        Ok(period) => Some(period.renewal()),
        Err(error) => {
            log::warning(format!("acme: {error}"));
            None
        }
    }
}

/// When a certificate that has just come is asked for anew: where our clock is far ahead its renewal seems to be over
/// already, and each new one would be asked for again at once.
fn next_order(period: &Period, now: SystemTime) -> SystemTime {
    let life = period.end.duration_since(period.begin).unwrap_or_default();
    period.renewal().max(now + life / 3)
}

fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(LAST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_does_not_ask_for_one_certificate_after_the_other() {
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let period = Period { begin, end: begin + Duration::from_secs(90) };
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(next_order(&period, after(0)), after(60));
        assert_eq!(next_order(&period, after(80)), after(110));
    }

    #[test]
    fn an_authority_that_fails_is_asked_ever_more_seldom() {
        let waits: Vec<u64> = (0..9).map(|failures| wait_after(failures).as_secs() / 60).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 720]);
    }
}
