//! What the configuration says of the server's accounts at providers.

use std::path::Path;
use std::time::Duration;

use proxy::trunk_settings::{Account, Caller, Password};

use super::file::File;
use super::values;

/// The account of the group that `section` is.
pub(super) fn account(file: &mut File<'_>, section: &str, folder: &Path) -> Option<Account> {
    let uri = file.parsed(section, "account", account_uri);
    let password = password(file, section, folder);
    let expires = values::duration_within(Duration::from_secs(60), Duration::from_secs(86_400));
    let expires = file.parsed(section, "expires", expires);
    let caller = file.parsed(section, "caller", caller_of);
    let register = file.truth(section, "register").unwrap_or(true);
    let login = file.text(section, "login").map(|login| login.value);
    let placed = file.place(section, "account");
    if placed.is_none() {
        let keys = ["password", "password_file", "login", "register", "expires", "caller"];
        if let Some(place) = keys.into_iter().find_map(|key| file.place(section, key)) {
            file.report(place, "whose? write account = \"sip:user@provider\" too".to_owned());
        }
    }
    let (user, domain) = uri?.value;
    if password.is_none() && !file.is_wrong() {
        let message = "an account has a password: write password or password_file";
        file.report(placed.unwrap_or_default(), message.to_owned());
    }
    let expires = expires.map_or(Duration::from_secs(600), |expires| expires.value);
    let caller = caller.map_or_else(Caller::default, |caller| caller.value);
    Some(Account { user, domain, login, password: Password(password?), register, expires, caller })
}

fn password(file: &mut File<'_>, section: &str, folder: &Path) -> Option<String> {
    let written = file.text(section, "password");
    let named = file.text(section, "password_file");
    if let (Some(_), Some(named)) = (&written, &named) {
        let message = "a password is written here or in its file, and not in both";
        file.report(named.span.clone(), message.to_owned());
    }
    if written.is_some() {
        return written.map(|written| written.value);
    }
    let named = named?;
    let path = folder.join(&named.value);
    let read = match std::fs::read_to_string(&path) {
        Ok(text) => text
            .lines()
            .next()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| format!("{} has no password in its first line", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    read.map_err(|message| file.report(named.span, message)).ok()
}

fn caller_of(text: &str) -> Result<Caller, String> {
    match text {
        "own" => Ok(Caller::Own),
        "account" => Ok(Caller::Account),
        "number" => Ok(Caller::Number),
        _ => Err(format!("\"{text}\" is none of own, account and number")),
    }
}

/// User and domain of `sip:user@domain`.
fn account_uri(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("\"{text}\" is no account; write it as \"sip:49305550@provider.example.net\"");
    let rest = text.strip_prefix("sip:").ok_or_else(wrong)?;
    let (name, domain) = rest.split_once('@').ok_or_else(wrong)?;
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&octet);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(wrong());
    }
    Ok((name.to_owned(), values::host(domain).map_err(|_| wrong())?))
}
