//! What the configuration says of subscriptions and of messages that wait.

use core::time::Duration;

use proxy::{Events, Messages, Package, Watchers};

use super::file::File;
use super::values;

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn events(file: &mut File<'_>) -> Events {
    let mut events = Events::default();
    if let Some(packages) = file.all_parsed("events", "packages", package) {
        events.packages = packages.into_iter().map(|package| package.value).collect();
    }
    if let Some(watchers) = file.parsed("events", "watchers", watchers) {
        events.watchers = watchers.value;
    }
    let time = values::duration_within(Duration::from_secs(1), 30 * DAY);
    for (key, value) in [
        ("minimum_subscription", &mut events.minimum_expiry),
        ("maximum_subscription", &mut events.maximum_expiry),
        ("longest_call", &mut events.longest_call),
    ] {
        *value = file.parsed("events", key, &time).map_or(*value, |found| found.value);
    }
    let (least, most) = (events.minimum_expiry, events.maximum_expiry);
    if least > most && !file.is_wrong() {
        let keys = ["maximum_subscription", "minimum_subscription"];
        let place = keys.into_iter().find_map(|key| file.place("events", key)).unwrap_or_default();
        let message = format!(
            "minimum_subscription ({} s) is longer than maximum_subscription ({} s)",
            least.as_secs(),
            most.as_secs()
        );
        file.report(place, message);
    }
    for (key, limit) in [
        ("subscriptions", &mut events.subscriptions),
        ("subscriptions_per_user", &mut events.subscriptions_per_user),
    ] {
        *limit = file.number("limits", key, 1..1_000_000_001).unwrap_or(*limit);
    }
    events
}

pub(super) fn messages(file: &mut File<'_>) -> Messages {
    let mut messages = Messages::default();
    if let Some(keep) = file.parsed("messages", "keep", values::duration_within(Duration::ZERO, 365 * DAY)) {
        messages.keep = keep.value;
    }
    messages.voicemail = file.parsed("messages", "voicemail", uri).map(|found| found.value);
    for (key, limit) in [("messages", &mut messages.total), ("messages_per_user", &mut messages.per_user)] {
        *limit = file.number("limits", key, 1..1_000_000_001).unwrap_or(*limit);
    }
    messages
}

fn uri(text: &str) -> Result<String, String> {
    match sip::Uri::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("\"{text}\" is no URI; write one such as sip:voicemail@example.com")),
    }
}

fn package(text: &str) -> Result<Package, String> {
    let named = Package::ALL.into_iter().find(|package| package.name() == text);
    named.ok_or_else(|| {
        let known: Vec<&str> = Package::ALL.into_iter().map(Package::name).collect();
        format!(
            "\"{text}\" is no package that the server knows something for; known are {}",
            known.join(", ")
        )
    })
}

fn watchers(text: &str) -> Result<Watchers, String> {
    match text {
        "users" => Ok(Watchers::Users),
        "oneself" => Ok(Watchers::Oneself),
        _ => Err(format!("\"{text}\" names nobody who may watch; known are users and oneself")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Configuration;
    use super::*;

    #[test]
    fn subscriptions_are_as_written() {
        let text = "[events]\npackages = [\"dialog\"]\nwatchers = \"oneself\"\nminimum_subscription = \"2m\"\n\
                    maximum_subscription = \"3m\"\nlongest_call = \"1h\"\n[limits]\nsubscriptions = 7\n\
                    subscriptions_per_user = 3\n";
        let events = Configuration::parse(text, Path::new("")).unwrap().proxy.events;
        assert_eq!((events.packages, events.watchers), (vec![Package::Dialog], Watchers::Oneself));
        assert_eq!(events.minimum_expiry, Duration::from_secs(120));
        assert_eq!(events.maximum_expiry, Duration::from_secs(180));
        assert_eq!(events.longest_call, Duration::from_secs(3600));
        assert_eq!((events.subscriptions, events.subscriptions_per_user), (7, 3));
    }

    #[test]
    fn messages_are_kept_as_written() {
        let text = "[messages]\nkeep = \"1d\"\nvoicemail = \"sip:100@x\"\n[limits]\nmessages = 9\nmessages_per_user = 2\n";
        let messages = Configuration::parse(text, Path::new("")).unwrap().proxy.messages;
        assert_eq!((messages.keep, messages.total, messages.per_user), (DAY, 9, 2));
        assert_eq!(messages.voicemail.as_deref(), Some("sip:100@x"));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for text in [
            "[events]\npackages = \"refer\"",
            "[events]\nwatchers = \"world\"",
            "[events]\nminimum_subscription = \"2h\"",
            "[limits]\nsubscriptions = 0",
            "[messages]\nvoicemail = \"*97\"",
            "[messages]\nkeep = \"2y\"",
        ] {
            assert_eq!(Configuration::parse(text, Path::new("")).unwrap_err().len(), 1, "{text}");
        }
    }
}
