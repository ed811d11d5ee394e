//! What the configuration says of the registrar, and of the keys that its flow tokens are signed with.

use std::time::Duration;

use proxy::config::{FlowTokenKeys, Registrar};

use super::file::File;
use super::values;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn registrar(file: &mut File<'_>) -> Registrar {
    let mut registrar = Registrar::default();
    let time = values::duration_within(Duration::from_secs(1), 365 * DAY);
    for (key, value) in [
        ("minimum_expires", &mut registrar.minimum_expiry),
        ("default_expires", &mut registrar.default_expiry),
        ("maximum_expires", &mut registrar.maximum_expiry),
    ] {
        *value = file.parsed("registrar", key, &time).map_or(*value, |found| found.value);
    }
    let grace = file.parsed("registrar", "flow_grace", values::duration_within(Duration::ZERO, 60 * MINUTE));
    registrar.flow_grace = grace.map_or(registrar.flow_grace, |grace| grace.value);
    let timer = file.parsed("registrar", "flow_timer", values::duration_within(Duration::ZERO, 60 * MINUTE));
    registrar.flow_timer = timer.map_or(registrar.flow_timer, |timer| timer.value);
    let routes = file.all_parsed("registrar", "service_route", values::route).unwrap_or_default();
    registrar.service_route = routes.into_iter().map(|route| route.value).collect();
    registrar.maximum_contacts =
        file.number("registrar", "max_contacts", 1..1001).unwrap_or(registrar.maximum_contacts);
    let (least, usual, most) = (registrar.minimum_expiry, registrar.default_expiry, registrar.maximum_expiry);
    let rise = least <= usual && usual <= most;
    if !rise && !file.is_wrong() {
        let keys = ["default_expires", "maximum_expires", "minimum_expires"];
        let place = keys.into_iter().find_map(|key| file.place("registrar", key)).unwrap_or_default();
        let message = format!(
            "the times must rise from minimum_expires ({} s) over default_expires ({} s) to maximum_expires ({} s)",
            least.as_secs(),
            usual.as_secs(),
            most.as_secs()
        );
        file.report(place, message);
    }
    registrar
}

/// The keys of flow tokens. The token in the Path of a registration is to hold for as long as that does, `longest` at the most.
pub(super) fn flow_tokens(file: &mut File<'_>, longest: Duration) -> FlowTokenKeys {
    let mut keys = FlowTokenKeys::default();
    let every = file.parsed("registrar", "flow_key_every", values::duration_within(60 * MINUTE, 30 * DAY));
    let kept = file.parsed("registrar", "flow_keys_kept", values::duration_within(60 * MINUTE, 366 * DAY));
    keys.every = every.map_or(keys.every, |every| every.value);
    keys.kept = kept.as_ref().map_or(keys.kept, |kept| kept.value);
    let place = file.place("registrar", "flow_keys_kept");
    let place = place.or_else(|| file.place("registrar", "flow_key_every")).unwrap_or_default();
    if keys.kept < keys.every {
        let message = "a key is known for as long as it is in use at the least: flow_keys_kept is longer than flow_key_every";
        file.report(place, message.to_owned());
    } else if keys.kept > keys.every * 250 {
        let message = "these would be too many keys: flow_keys_kept is at the most 250 times flow_key_every";
        file.report(place, message.to_owned());
    } else if keys.kept < longest && !file.is_wrong() {
        let place = file.place("registrar", "flow_keys_kept");
        let place = place.or_else(|| file.place("registrar", "maximum_expires")).unwrap_or_default();
        let message = format!(
            "a registration of {} s (maximum_expires) would outlive the key of its flow, which is known for {} s: flow_keys_kept is \
             no shorter than maximum_expires",
            longest.as_secs(),
            keys.kept.as_secs()
        );
        file.report(place, message);
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Configuration;

    fn problems(text: &str) -> Vec<String> {
        let found = Configuration::parse(text, Path::new("")).err().unwrap_or_default();
        found.iter().map(|it| format!("{}:{}: {}", it.line, it.column, it.message)).collect()
    }

    #[test]
    fn expiry_times_must_rise() {
        assert!(
            problems("[registrar]\nminimum_expires = \"1h\"\n")[0].starts_with("2:19: the times must rise")
        );
        assert!(problems("[registrar]\nminimum_expires = \"1h\"\ndefault_expires = \"1h\"").is_empty());
    }

    #[test]
    fn keys_of_flows_are_known_for_as_long_as_they_are_in_use_and_registrations_last() {
        let short = problems("[registrar]\nflow_key_every = \"2d\"\nflow_keys_kept = \"1d\"");
        assert!(short[0].starts_with("3:18: a key is known for as long as it is in use"), "{short:?}");
        let longest = problems("[registrar]\nflow_key_every = \"1h\"\nflow_keys_kept = \"1h\"");
        let message = "a registration of 7200 s (maximum_expires) would outlive the key of its flow, which is known for 3600 s: \
                       flow_keys_kept is no shorter than maximum_expires";
        assert_eq!(longest, [format!("3:18: {message}")]);
        let longest = problems("[registrar]\nmaximum_expires = \"60d\"");
        assert!(longest[0].starts_with("2:19: a registration of 5184000 s"), "{longest:?}");
        assert!(problems("[registrar]\nmaximum_expires = \"60d\"\nflow_keys_kept = \"60d\"").is_empty());
        let many = problems("[registrar]\nflow_key_every = \"1h\"");
        assert!(many[0].starts_with("2:18: these would be too many keys"), "{many:?}");
    }
}
