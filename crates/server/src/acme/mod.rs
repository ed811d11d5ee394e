//! Certificates that the server gets by itself (ACME, RFC 8555), proved on the HTTPS port (TLS-ALPN-01, RFC 8737) or on the HTTP
//! port (HTTP-01).
//!
//! A thread of its own looks after them: nothing of it runs on an event loop, which only shows what is in
//! [`IssuedCertificates`]. What has come is kept, so that a start asks for nothing; at two thirds of its life a certificate is
//! asked for anew, again and again if need be, and the old one is shown meanwhile.

mod kept;
mod order;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

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
    due: Due,
    failures: u32,
    /// Key and certificate that have come and could not be kept: an authority gives few of them in a week.
    unkept: Option<String>,
}

/// When something is to be done: from a day of the calendar on, and not before so much has passed of the time that nobody sets. The
/// calendar may be wrong for a while, as on a machine that has just started: a day that was counted by it would never come.
#[derive(Clone, Copy, Debug)]
struct Due {
    day: SystemTime,
    not_before: Instant,
}

impl Caretaker {
    /// Takes up what is kept.
    pub(crate) fn open(settings: Acme) -> Result<Self, Failure> {
        let kept = Kept::open(&settings.folder, &settings.directory).map_err(Failure::Failed)?;
        let issued = IssuedCertificates::default();
        let mut domains = Vec::new();
        for name in &settings.domains {
            let day = take_up(name, &kept, &issued).unwrap_or_else(|| {
                log::warning(format!(
                    "acme: there is no certificate for {name} yet; {} is asked for one, and until it comes another one is shown",
                    settings.directory
                ));
                SystemTime::UNIX_EPOCH
            });
            let due = Due { day, not_before: Instant::now() };
            domains.push(Domain { name: name.clone(), due, failures: 0, unkept: None });
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
            for place in 0..self.domains.len() {
                self.look_after(place).await;
            }
            let (now, clock) = (SystemTime::now(), Instant::now());
            let next = self.domains.iter().map(|domain| domain.due.wait(now, clock)).min();
            tokio::time::sleep(next.unwrap_or(LOOK).min(LOOK)).await;
        }
    }

    async fn look_after(&mut self, place: usize) {
        let is_due = |domain: &&mut Domain| domain.due.wait(SystemTime::now(), Instant::now()).is_zero();
        let Some(domain) = self.domains.get_mut(place).filter(is_due) else { return };
        let name = domain.name.clone();
        let got = match domain.unkept.take() {
            Some(pem) => Ok(pem),
            None => {
                let order = order::certificate(&self.settings, &self.kept, &self.issued, &name);
                let outcome = tokio::time::timeout(PATIENCE, order).await;
                self.issued.proven(&name);
                outcome.unwrap_or_else(|_| Err("the authority does not answer in time".to_owned()))
            }
        };
        let outcome = got.and_then(|pem| {
            if let Err(why) = self.kept.keep(&name, &pem) {
                domain.unkept = Some(pem);
                return Err(why);
            }
            self.issued.serve(&name, &self.kept.files(&name)).map_err(|error| error.to_string())
        });
        match outcome {
            Ok(period) => {
                domain.due = Due::of_next_order(&period, Instant::now());
                domain.failures = 0;
                log::info(format!("acme: a certificate for {name} has come, and is shown from now on"));
            }
            Err(why) => {
                // The authority has nothing to do with one that only has to be kept.
                let wait = if domain.unkept.is_some() { FIRST_WAIT } else { wait_after(domain.failures) };
                domain.failures = domain.failures.saturating_add(1);
                domain.due = Due { day: SystemTime::UNIX_EPOCH, not_before: Instant::now() + wait };
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

impl Due {
    /// When a certificate that has just come is asked for anew: where our calendar is far ahead its renewal seems to be over already,
    /// and each new one would be asked for again at once.
    fn of_next_order(period: &Period, clock: Instant) -> Self {
        let life = period.end.duration_since(period.begin).unwrap_or_default();
        Self { day: period.renewal(), not_before: clock + life / 3 }
    }

    /// How long it is until then.
    fn wait(&self, now: SystemTime, clock: Instant) -> Duration {
        let by_calendar = self.day.duration_since(now).unwrap_or_default();
        by_calendar.max(self.not_before.saturating_duration_since(clock))
    }
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
        let clock = Instant::now();
        let due = Due::of_next_order(&period, clock);
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(due.wait(after(0), clock).as_secs(), 60);
        assert_eq!(due.wait(after(80), clock).as_secs(), 30);
        assert_eq!(due.wait(after(80), clock + Duration::from_secs(30)).as_secs(), 0);
    }

    /// A machine whose clock said 2040 when it started has got a certificate; then the clock is set.
    #[test]
    fn a_clock_that_was_ahead_and_is_set_right_does_not_put_the_renewal_off() {
        let day = Duration::from_secs(86_400);
        let today = SystemTime::UNIX_EPOCH + 20_000 * day;
        let period = Period { begin: today, end: today + 90 * day };
        let clock = Instant::now();
        let due = Due::of_next_order(&period, clock);
        assert_eq!(due.wait(today, clock), 60 * day);
        assert_eq!(due.wait(today + 60 * day, clock + 60 * day), Duration::ZERO);
    }

    /// Where nobody could be asked: the port is nobody's.
    const NOBODY: &str = "https://127.0.0.1:1/directory";

    fn caretaker(folder: &std::path::Path) -> Caretaker {
        Caretaker::open(Acme {
            domains: vec!["sip.example.com".to_owned()],
            proof: Proof::Https,
            contact: None,
            directory: NOBODY.to_owned(),
            authority: None,
            folder: folder.to_owned(),
        })
        .unwrap()
    }

    fn pem() -> String {
        let made = rcgen::generate_simple_self_signed(["sip.example.com".to_owned()]).unwrap();
        format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem())
    }

    #[tokio::test]
    async fn a_certificate_that_could_not_be_kept_is_not_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut caretaker = caretaker(folder.path());
        let now = Due { day: SystemTime::UNIX_EPOCH, not_before: Instant::now() };
        // The disk takes nothing: what stands in the place of the new file cannot be removed.
        let in_the_way = caretaker.kept.files("sip.example.com").certificate.with_extension("pem.new");
        std::fs::create_dir(&in_the_way).unwrap();
        caretaker.domains[0].unkept = Some(pem());
        caretaker.look_after(0).await;
        assert!(!caretaker.issued.has("sip.example.com"));
        let wait = caretaker.domains[0].due.wait(SystemTime::now(), Instant::now());
        assert!(!wait.is_zero() && wait <= FIRST_WAIT, "{wait:?}");

        std::fs::remove_dir(in_the_way).unwrap();
        caretaker.domains[0].due = now;
        caretaker.look_after(0).await;
        assert!(caretaker.issued.has("sip.example.com"), "the one that had come is shown");
        assert!(caretaker.domains[0].unkept.is_none());
    }

    #[tokio::test]
    async fn a_try_that_failed_while_the_clock_was_ahead_is_made_again_when_it_is_set_right() {
        let folder = tempfile::tempdir().unwrap();
        let mut caretaker = caretaker(folder.path());
        caretaker.look_after(0).await;
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        let wait = caretaker.domains[0].due.wait(yesterday, Instant::now());
        assert!(!wait.is_zero() && wait <= FIRST_WAIT, "{wait:?}");
    }

    #[test]
    fn an_authority_that_fails_is_asked_ever_more_seldom() {
        let waits: Vec<u64> = (0..9).map(|failures| wait_after(failures).as_secs() / 60).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 720]);
    }
}
