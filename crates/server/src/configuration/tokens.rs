//! What the configuration says of tokens.

use std::path::Path;
use std::sync::Arc;

use super::Origins;
use super::file::{File, Placed};
use crate::tokens::{KeyError, Keys, Tokens};

/// The claim that usually has the user's name (RFC 7519 §4.1.2).
const SUBJECT: &str = "sub";

/// Which tokens count; `None` if none do. Relative paths are relative to `folder`.
pub(super) fn tokens(
    file: &mut File<'_>,
    folder: &Path,
    domains: &[String],
    origins: &Origins,
) -> Option<Arc<Tokens>> {
    let mut keys = Keys::default();
    let mut left_out = Vec::new();
    for path in file.texts("tokens", "public_keys").unwrap_or_default() {
        let name = folder.join(&path.value).display().to_string();
        add(file, folder, path, |read| {
            let others = keys.add_public(&String::from_utf8_lossy(read))?;
            left_out.extend(others.into_iter().map(|key| format!("{name}: {key}")));
            Ok(())
        });
    }
    if let Some(path) = file.text("tokens", "shared_secret") {
        add(file, folder, path, |read| keys.add_secret(read.trim_ascii()));
    }
    if let Some(issuer) = file.text("tokens", "issuer") {
        keys.set_issuer(&issuer.value);
    }
    if let Some(audience) = file.text("tokens", "audience") {
        keys.set_audience(&audience.value);
    }
    let user_claim =
        file.text("tokens", "user_claim").map_or_else(|| SUBJECT.to_owned(), |claim| claim.value);
    let cookie = file.parsed("tokens", "cookie", name);
    let query = file.parsed("tokens", "query", name);
    let required = file.truth("tokens", "token_required").unwrap_or(false);
    if let (Some(cookie), Origins::Any) = (&cookie, origins) {
        let message = "browsers send cookies with whatever page connects, and every page may (web.origins is \"*\"): \
                       any page could call in the name of its visitor. Name the pages in web.origins";
        file.report(cookie.span.clone(), message.to_owned());
    }
    if required && cookie.is_none() && query.is_none() {
        let place = file.place("tokens", "token_required").unwrap_or_default();
        file.report(place, "a page has no place to show its token: set cookie or query too".to_owned());
    }
    if keys.is_empty() {
        let others = ["issuer", "audience", "cookie", "query", "authorization_server"];
        let alone = others.into_iter().find_map(|key| file.place("tokens", key));
        let place = alone.or_else(|| required.then(|| file.place("tokens", "token_required")).flatten());
        if let (Some(place), false) = (place, file.is_wrong()) {
            let message = "tokens need a key to be checked with: set public_keys or shared_secret too";
            file.report(place, message.to_owned());
        }
        return None;
    }
    Some(Arc::new(Tokens {
        keys,
        user_claim,
        domains: domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        cookie: cookie.map(|cookie| cookie.value),
        query: query.map(|query| query.value),
        required,
        left_out,
    }))
}

/// What the proxy is told of them.
pub(super) fn for_the_proxy(file: &mut File<'_>) -> Option<proxy::config::Tokens> {
    let server = file.parsed("tokens", "authorization_server", address_of_a_page);
    let has_keys =
        ["public_keys", "shared_secret"].into_iter().any(|key| file.place("tokens", key).is_some());
    has_keys.then(|| proxy::config::Tokens { authorization_server: server.map(|server| server.value) })
}

fn add(
    file: &mut File<'_>,
    folder: &Path,
    path: Placed<String>,
    add: impl FnOnce(&[u8]) -> Result<(), KeyError>,
) {
    let full = folder.join(&path.value);
    let problem = match std::fs::read(&full) {
        Ok(read) => add(&read).err().map(|error| format!("{}: {error}", full.display())),
        Err(error) => Some(format!("cannot read {}: {error}", full.display())),
    };
    if let Some(problem) = problem {
        file.report(path.span, problem);
    }
}

/// The name of a cookie or of a parameter: what needs no escape in either.
fn name(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no name; it has letters, digits and -_. only"))
    }
}

fn address_of_a_page(text: &str) -> Result<String, String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web && text.chars().all(|letter| letter.is_ascii_graphic() && !"\"\\<>".contains(letter)) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no address such as \"https://sso.example.com\""))
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::problems_in;

    fn problems(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "a secret of thirty-two octets, or of some more\n")
            .unwrap();
        std::fs::write(folder.path().join("short"), "secret\n").unwrap();
        problems_in(text, folder.path())
    }

    #[test]
    fn a_secret_and_a_cookie_are_enough() {
        let text = "[tokens]\nshared_secret = \"secret\"\ncookie = \"sip_token\"\ntoken_required = true\n";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn keys_that_are_none_are_told_with_their_place() {
        assert_eq!(
            problems("[tokens]\nshared_secret = \"short\"\n"),
            ["2:17: short: it has no more than 6 octets; a secret needs 32 at the least"]
        );
        let found = problems("[tokens]\npublic_keys = [\"nowhere.pem\", \"secret\"]\n");
        assert!(found[0].starts_with("2:16: cannot read nowhere.pem: "), "{found:?}");
        assert_eq!(found[1], "2:31: secret: it has no public key in PEM and no JSON Web Key set");
    }

    #[test]
    fn what_needs_a_key_is_told_without_one() {
        let needs = "tokens need a key to be checked with: set public_keys or shared_secret too";
        assert_eq!(problems("[tokens]\ncookie = \"sip\"\n"), [format!("2:10: {needs}")]);
        assert_eq!(
            problems("[tokens]\ntoken_required = true\n"),
            ["2:18: a page has no place to show its token: set cookie or query too"]
        );
    }

    #[test]
    fn cookies_and_every_page_do_not_go_together() {
        let text = "[web]\norigins = \"*\"\n[tokens]\nshared_secret = \"secret\"\ncookie = \"sip\"\n";
        let found = problems(text);
        assert!(found.len() == 1 && found[0].starts_with("5:10: browsers send cookies"), "{found:?}");
    }

    #[test]
    fn names_and_addresses_are_looked_at() {
        let text = "[tokens]\nshared_secret = \"secret\"\ncookie = \"a b\"\nauthorization_server = \"sso\"\n";
        let found = problems(text);
        assert!(found[0].starts_with("3:10: \"a b\" is no name"), "{found:?}");
        assert!(found[1].starts_with("4:24: \"sso\" is no address"), "{found:?}");
    }
}
