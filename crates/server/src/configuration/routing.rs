//! What the configuration says of forks, strangers and identities.

use std::time::Duration;

use proxy::config::{Guests, SessionTimers};
use proxy::{Forking, Identity, NextHop, Redirections, Strangers};

use super::file::{File, Placed};
use super::values;

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn forking(file: &mut File<'_>) -> Forking {
    let mut forking = Forking::default();
    forking.serial = file.truth("forking", "serial").unwrap_or(forking.serial);
    forking.late = file.truth("forking", "late").unwrap_or(forking.late);
    let time = values::duration_within(Duration::from_secs(1), Duration::from_secs(3600));
    if let Some(next_after) = file.parsed("forking", "next_after", time) {
        forking.next_after = next_after.value;
    }
    if let Some(redirections) = file.parsed("forking", "redirections", redirections_of) {
        forking.redirections = redirections.value;
    }
    forking
}

/// Timer C (RFC 3261 §16.6 item 11).
pub(super) fn ring_time(file: &mut File<'_>) -> Option<Duration> {
    let time = values::duration_within(Duration::from_secs(10), Duration::from_secs(3600));
    file.parsed("forking", "ring_time", time).map(|time| time.value)
}

pub(super) fn next_hop(file: &mut File<'_>) -> NextHop {
    let mut next_hop = NextHop::default();
    let patience = values::duration_within(Duration::from_millis(200), Duration::from_secs(32));
    if let Some(patience) = file.parsed("next_hop", "patience", patience) {
        next_hop.patience = patience.value;
    }
    let avoid = values::duration_within(Duration::ZERO, Duration::from_secs(3600));
    if let Some(avoid) = file.parsed("next_hop", "avoid", avoid) {
        next_hop.avoid = avoid.value;
    }
    next_hop
}

pub(super) fn strangers(file: &mut File<'_>) -> Strangers {
    let mut strangers = Strangers::default();
    let mut number = |key, usual: u32, most| {
        let found = file.number("limits", key, 0..most);
        found.and_then(|found| u32::try_from(found).ok()).unwrap_or(usual)
    };
    strangers.tries = number("tries", strangers.tries, 100_001);
    strangers.requests_per_second = number("stranger_requests", strangers.requests_per_second, 1_000_001);
    if let Some(ban) = file.parsed("limits", "ban", values::duration_within(Duration::from_secs(1), 30 * DAY))
    {
        strangers.ban = ban.value;
    }
    strangers
}

/// Accounts of a public page's visitors.
pub(super) fn guests(file: &mut File<'_>) -> Guests {
    let names = |found: Option<Vec<Placed<String>>>| {
        found.unwrap_or_default().into_iter().map(|name| name.value).collect::<Vec<_>>()
    };
    let users = names(file.texts("guests", "accounts"));
    let may_call = names(file.texts("guests", "may_call"));
    let calls = file.number("guests", "guest_calls", 0..1_000_001).unwrap_or(6);
    if let (Some(place), false) = (file.place("guests", "accounts"), users.is_empty() || file.is_wrong()) {
        if may_call.is_empty() {
            let message = "there is nobody whom guests may call: set may_call too";
            file.report(place.clone(), message.to_owned());
        }
        if file.place("edge", "upstream").is_some() {
            let message = "an edge knows no accounts, and so no guests: its upstream ([edge]) does";
            file.report(place, message.to_owned());
        }
    }
    Guests { users, may_call, calls_per_minute: u32::try_from(calls).unwrap_or(6) }
}

/// RFC 4028 §4: no interval is shorter than 90 s.
pub(super) fn session_timers(file: &mut File<'_>) -> SessionTimers {
    let interval = |text: &str| {
        let found = values::duration_within(Duration::ZERO, DAY)(text)?;
        if !found.is_zero() && found < Duration::from_secs(90) {
            return Err(format!(
                "\"{text}\" is shorter than RFC 4028 allows; write 90s or more, or 0s for none"
            ));
        }
        Ok(found)
    };
    let mut timers = SessionTimers::default();
    if let Some(found) = file.parsed("calls", "session_interval", interval) {
        timers.interval = found.value;
    }
    if let Some(found) = file.parsed("calls", "minimum_session_interval", interval) {
        timers.minimum = found.value;
        if !timers.interval.is_zero() && timers.interval < timers.minimum {
            let message = "longer than session_interval; write it shorter, or that one longer";
            file.report(found.span, message.to_owned());
        }
    }
    timers
}

pub(super) fn identity(file: &mut File<'_>) -> Identity {
    file.parsed("peers", "identity", identity_of).map_or_else(Identity::default, |found| found.value)
}

fn redirections_of(text: &str) -> Result<Redirections, String> {
    match text {
        "passed" => Ok(Redirections::Passed),
        "users" => Ok(Redirections::ToUsers),
        "followed" => Ok(Redirections::Followed),
        _ => Err(format!("\"{text}\" says nothing about redirections; known are passed, users and followed")),
    }
}

fn identity_of(text: &str) -> Result<Identity, String> {
    match text {
        "never" => Ok(Identity::Never),
        "peers" => Ok(Identity::Peers),
        "users" => Ok(Identity::Users),
        _ => Err(format!("\"{text}\" names nobody who may be told; known are never, peers and users")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Configuration;
    use super::*;

    fn parsed(text: &str) -> Configuration {
        Configuration::parse(text, Path::new("")).unwrap()
    }

    #[test]
    fn forks_strangers_and_identities_are_as_written() {
        let config = parsed(
            "[forking]\nserial = false\nnext_after = \"5s\"\nredirections = \"users\"\nlate = false\n\
             ring_time = \"4m\"\n[limits]\ntries = 5\nban = \"1h\"\nstranger_requests = 0\n\
             [peers]\nidentity = \"users\"\n[next_hop]\npatience = \"500ms\"\navoid = \"0s\"\n",
        )
        .proxy;
        assert!(!config.forking.serial && !config.forking.late);
        assert_eq!(config.forking.next_after, Duration::from_secs(5));
        assert_eq!(config.forking.redirections, Redirections::ToUsers);
        assert_eq!(config.timer_c, Duration::from_secs(240));
        assert_eq!((config.strangers.tries, config.strangers.requests_per_second), (5, 0));
        assert_eq!(config.strangers.ban, Duration::from_secs(3600));
        assert_eq!(config.identity, Identity::Users);
        assert_eq!(config.next_hop.patience, Duration::from_millis(500));
        assert_eq!(config.next_hop.avoid, Duration::ZERO);
    }

    #[test]
    fn guests_are_accounts_that_may_call_somebody() {
        let guests = parsed("[guests]\naccounts = \"guest\"\nmay_call = [\"shop\", \"desk\"]\n").proxy.guests;
        assert_eq!((guests.users, guests.calls_per_minute), (vec!["guest".to_owned()], 6));
        assert_eq!(guests.may_call, ["shop", "desk"]);
        let wrong = Configuration::parse("[guests]\naccounts = [\"guest\"]\n", Path::new("")).unwrap_err();
        assert_eq!((wrong[0].line, wrong[0].column), (2, 12));
        assert_eq!(wrong[0].message, "there is nobody whom guests may call: set may_call too");
    }

    #[test]
    fn an_edge_has_no_guests() {
        let text =
            "[guests]\naccounts = \"guest\"\nmay_call = \"shop\"\n[edge]\nupstream = \"sip:10.0.0.9\"\n";
        let wrong = Configuration::parse(text, Path::new("")).unwrap_err();
        assert_eq!((wrong.len(), wrong[0].line, wrong[0].column), (1, 2, 12));
    }

    #[test]
    fn words_that_are_none_are_told() {
        for text in
            ["[forking]\nredirections = \"yes\"", "[peers]\nidentity = \"yes\"", "[limits]\nban = \"0s\""]
        {
            assert_eq!(Configuration::parse(text, Path::new("")).unwrap_err().len(), 1, "{text}");
        }
    }

    #[test]
    fn session_timers_are_off_or_90_seconds_at_the_least() {
        let config = parsed("").proxy.session_timers;
        assert_eq!((config.interval, config.minimum), (Duration::ZERO, Duration::ZERO));
        let text = "[calls]\nsession_interval = \"30m\"\nminimum_session_interval = \"90s\"";
        let config = parsed(text).proxy.session_timers;
        assert_eq!((config.interval, config.minimum), (Duration::from_secs(1800), Duration::from_secs(90)));
        let wrong = |text| Configuration::parse(text, Path::new("")).is_err();
        assert!(wrong("[calls]\nsession_interval = \"89s\""));
        let text = "[calls]\nsession_interval = \"90s\"\nminimum_session_interval = \"2m\"";
        assert!(wrong(text));
    }
}
