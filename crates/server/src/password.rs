//! Passwords: made up, asked for, and turned into what is kept instead.

use std::io::{BufRead, IsTerminal};

use sip::digest::{Algorithm, Ha1};
use store::User;

use crate::Failure;

/// A password of `groups` groups of four letters that can be read out and typed. Each group carries 12.6 bits.
pub(crate) fn made_up(groups: usize) -> Result<String, Failure> {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut password = String::new();
    for group in 0..groups {
        if group > 0 {
            password.push('-');
        }
        for _ in 0..2 {
            password.push(char::from(CONSONANTS[random_below(16)?]));
            password.push(char::from(VOWELS[random_below(5)?]));
        }
    }
    Ok(password)
}

/// A random number below `bound`, each as likely as the other.
fn random_below(bound: u8) -> Result<usize, Failure> {
    let fair = u8::MAX - u8::MAX % bound;
    loop {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|error| {
            Failure::Failed(format!("the operating system gave no random bytes: {error}"))
        })?;
        if byte[0] < fair {
            return Ok(usize::from(byte[0] % bound));
        }
    }
}

/// A password and how it came about.
pub(crate) struct Chosen {
    pub(crate) password: String,
    /// It was made up here, so somebody must be told.
    pub(crate) made_up: bool,
}

/// Asks for a password at the terminal, twice; or reads it from the first line of standard input. An empty one
/// means that one shall be made up.
pub(crate) fn choose(name: &str) -> Result<Chosen, Failure> {
    let password = if std::io::stdin().is_terminal() { ask(name)? } else { read_line()? };
    if password.is_empty() {
        return Ok(Chosen { password: made_up(5)?, made_up: true });
    }
    Ok(Chosen { password, made_up: false })
}

fn ask(name: &str) -> Result<String, Failure> {
    let prompt = |text: String| {
        rpassword::prompt_password(text)
            .map_err(|error| Failure::Failed(format!("cannot read the password: {error}")))
    };
    let password = prompt(format!("Password for {name} (empty: make one up): "))?;
    if !password.is_empty() && prompt("The same again: ".to_owned())? != password {
        return Err(Failure::Failed("the two passwords differ; nothing was changed".to_owned()));
    }
    Ok(password)
}

fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::Failed(format!("cannot read the password from standard input: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The user whose password this is: hashed for every algorithm, so that the configuration may change its mind.
pub(crate) fn user(name: &str, realm: &str, password: &str) -> User {
    let hash = |algorithm| Ha1::new(algorithm, name.as_bytes(), realm.as_bytes(), password.as_bytes());
    User {
        name: name.to_owned(),
        realm: realm.to_owned(),
        md5: hash(Algorithm::Md5).as_bytes().try_into().ok(),
        sha256: hash(Algorithm::Sha256).as_bytes().try_into().ok(),
        sha512_256: hash(Algorithm::Sha512_256).as_bytes().try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_passwords_can_be_read_out_and_differ() {
        let one = made_up(3).unwrap();
        assert_eq!(one.len(), 14);
        assert!(
            one.split('-')
                .all(|group| group.len() == 4 && group.bytes().all(|octet| octet.is_ascii_lowercase()))
        );
        assert_ne!(one, made_up(3).unwrap());
    }

    #[test]
    fn every_algorithm_gets_its_hash() {
        // RFC 2617 §3.5 and RFC 7616 §3.9.1 give users, realms and passwords, but print no H(A1); the response
        // computed from one is checked where digest lives. Here: that none is missing.
        let user = user("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert!(user.md5.is_some() && user.sha256.is_some() && user.sha512_256.is_some());
    }
}
