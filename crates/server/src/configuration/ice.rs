//! What the configuration says of STUN and TURN servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::file::File;
use super::values;
use crate::ice_servers::{IceServers, Secret};

const DAY: Duration = Duration::from_secs(86_400);

/// The servers that pages are told; `None` if there are none. Relative paths are relative to `folder`; registrations
/// last `registration` at the most.
pub(super) fn ice(file: &mut File<'_>, folder: &Path, registration: Duration) -> Option<Arc<IceServers>> {
    let urls = file.all_parsed("ice", "ice_servers", url).unwrap_or_default();
    let secret = secret(file, folder);
    let lifetime = values::duration_within(Duration::from_secs(60), 365 * DAY);
    let lifetime = file.parsed("ice", "turn_lifetime", lifetime);
    let relay = urls.iter().find(|url| url.value.starts_with("turn"));
    match (relay, file.place("ice", "turn_secret")) {
        (Some(relay), None) => file.report(
            relay.span.clone(),
            "a TURN server lets nobody relay without a password: set turn_secret too".to_owned(),
        ),
        (None, Some(place)) if !file.is_wrong() => {
            file.report(place, "a secret of TURN servers without one; name it in ice_servers".to_owned());
        }
        _ => {}
    }
    if let (Some(lifetime), true) = (&lifetime, relay.is_some())
        && lifetime.value < registration
    {
        let message = format!(
            "a page gets a new password when it registers again, which may be after {} s (registrar.maximum_expires); \
             its TURN password must be good for so long",
            registration.as_secs()
        );
        file.report(lifetime.span.clone(), message);
    }
    if urls.is_empty() {
        return None;
    }
    Some(Arc::new(IceServers {
        urls: urls.into_iter().map(|url| url.value).collect(),
        secret: Secret(secret.unwrap_or_default()),
        lifetime: lifetime.map_or(DAY.max(registration), |lifetime| lifetime.value),
    }))
}

fn secret(file: &mut File<'_>, folder: &Path) -> Option<Vec<u8>> {
    let named = file.text("ice", "turn_secret")?;
    let path = folder.join(&named.value);
    let read = match std::fs::read(&path) {
        Ok(text) if text.trim_ascii().is_empty() => Err(format!("{} has no secret in it", path.display())),
        Ok(text) => Ok(text.trim_ascii().to_owned()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    read.map_err(|message| file.report(named.span, message)).ok()
}

/// The URL of a STUN or TURN server (RFC 7064 §3.1, RFC 7065 §3.1).
fn url(text: &str) -> Result<String, String> {
    let wrong = |what: &str| {
        format!("\"{text}\" is no STUN or TURN server: {what}; write it as \"turn:turn.example.com:3478\"")
    };
    let Some((scheme, rest)) = text.split_once(':') else { return Err(wrong("it has no scheme")) };
    let relays = match scheme {
        "stun" | "stuns" => false,
        "turn" | "turns" => true,
        _ => return Err(wrong("it begins with none of stun:, stuns:, turn: and turns:")),
    };
    let place = match rest.split_once('?') {
        Some((place, "transport=udp" | "transport=tcp")) if relays => place,
        Some(_) => return Err(wrong("only ?transport=udp or ?transport=tcp of a TURN server may follow")),
        None => rest,
    };
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if !place.ends_with(']') => (name, Some(port)),
        _ => (place, None),
    };
    if name.contains(':') != name.starts_with('[') {
        return Err(wrong("an IPv6 address stands in brackets"));
    }
    values::host(name).map_err(|_| wrong("its host is none"))?;
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(wrong("its port is none"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_stun_and_turn_servers() {
        for good in [
            "stun:stun.example.com",
            "stuns:stun.example.com:5349",
            "turn:192.0.2.1:3478?transport=udp",
            "turns:[2001:db8::1]:443?transport=tcp",
            "turn:[2001:db8::1]",
        ] {
            assert_eq!(url(good), Ok(good.to_owned()));
        }
        for wrong in [
            "turn.example.com:3478",
            "https://turn.example.com",
            "stun:stun.example.com?transport=udp",
            "turn:turn.example.com?transport=sctp",
            "turn:turn.example.com:0",
            "turn:2001:db8::1",
            "turn:a>b",
            "turn:",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    fn problems(text: &str) -> Vec<String> {
        let mut file = File::parse(text);
        ice(&mut file, Path::new(""), Duration::from_secs(3600));
        file.problems().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let turn = "[ice]\nice_servers = \"turn:turn.example.com\"\n";
        assert!(problems(turn)[0].contains("set turn_secret too"));
        assert!(
            problems(&format!("{turn}turn_secret = \"/nowhere/secret\""))[0]
                .starts_with("cannot read /nowhere/secret")
        );
        let short = format!("{turn}turn_secret = \"/nowhere/secret\"\nturn_lifetime = \"10m\"");
        assert!(problems(&short).iter().any(|problem| problem.contains("after 3600 s")));
        assert_eq!(problems("[ice]\nice_servers = \"stun:stun.example.com\""), Vec::<String>::new());
    }
}
