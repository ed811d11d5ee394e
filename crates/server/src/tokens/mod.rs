//! Tokens: signed words of another system, mostly the web site that has signed its visitor in (JSON Web Tokens,
//! RFC 7519).
//!
//! [`Tokens`] says whose a token is ([`keys`] reads the keys that may have signed it); [`handshake`] finds the one that a
//! page shows when it opens its WebSocket; [`SignIns`] remembers until when that one holds.

mod handshake;
mod keys;
mod sign_ins;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::{Error, ErrorKind};
use proxy::TokenHolder;
use serde_json::{Map, Value};
use sip::Instant;

use crate::log;
pub(crate) use keys::{KeyError, Keys};
pub(crate) use sign_ins::SignIns;

/// How far the clock of whoever signs may be from ours.
const SKEW: Duration = Duration::from_secs(30);

/// The longest name that counts as a user's.
const LONGEST_NAME: usize = 255;

/// Which tokens count, and where a page may show one.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// Who may have signed them.
    pub(crate) keys: Keys,
    /// The claim that has the user's name.
    pub(crate) user_claim: String,
    /// The domains that may stand behind the name, in lower case.
    pub(crate) domains: Vec<String>,
    /// The cookie of a WebSocket's handshake that has one.
    pub(crate) cookie: Option<String>,
    /// The parameter of a WebSocket's URL that has one.
    pub(crate) query: Option<String>,
    /// Whether a page that shows none gets no WebSocket.
    pub(crate) required: bool,
    /// The keys of sets that are left out, each with its file.
    pub(crate) left_out: Vec<String>,
}

/// Why a token does not count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is none that can be read")]
    Unreadable,
    #[error("no key that is configured has signed the token")]
    OtherKey,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token is of another issuer")]
    OtherIssuer,
    #[error("the token is meant for another audience")]
    OtherAudience,
    #[error("the token has no claim \"{0}\" of the right kind")]
    Missing(String),
    #[error("the token is of a user of another domain")]
    OtherDomain,
}

impl TokenError {
    /// Whether one of our keys has signed the token, and time alone stands against it: who shows it does not guess. The clocks
    /// may be wrong, too.
    pub(crate) const fn is_of_time(&self) -> bool {
        matches!(self, Self::Expired | Self::TooEarly)
    }

    /// Whether it is about what the token says: then its signature holds, and no other key has a better word for it.
    const fn is_of_claims(&self) -> bool {
        !matches!(self, Self::Unreadable | Self::OtherKey)
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::TooEarly,
            ErrorKind::InvalidIssuer => Self::OtherIssuer,
            ErrorKind::InvalidAudience => Self::OtherAudience,
            ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
                Self::Missing(claim.clone())
            }
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => Self::OtherKey,
            _ => Self::Unreadable,
        }
    }
}

impl Tokens {
    /// Says in the log which keys do not count.
    pub(crate) fn tell_trouble(&self) {
        for key in &self.left_out {
            log::warning(format!(
                "{key} is left out: it is none that tokens are checked with (RSA, EC P-256 and P-384, Ed25519)"
            ));
        }
    }

    /// Whose a token is, and until when. `now` is the present time.
    ///
    /// # Errors
    /// Why it does not count.
    pub(crate) fn holder(&self, now: Instant, token: &str) -> Result<TokenHolder, TokenError> {
        let claims = self.keys.claims(token)?;
        let user = self.user(&claims)?;
        let ends =
            claims.get("exp").and_then(seconds).ok_or_else(|| TokenError::Missing("exp".to_owned()))?;
        let present = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_secs(ends).saturating_add(SKEW).saturating_sub(present);
        Ok(TokenHolder { user, until: now + left })
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<String, TokenError> {
        let missing = || TokenError::Missing(self.user_claim.clone());
        let name = claims.get(&self.user_claim).and_then(Value::as_str).ok_or_else(missing)?;
        let (user, domain) = name.split_once('@').map_or((name, None), |(user, at)| (user, Some(at)));
        let is_ours = |domain: &str| self.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain));
        if domain.is_some_and(|domain| !is_ours(domain)) {
            return Err(TokenError::OtherDomain);
        }
        if user.is_empty() || user.len() > LONGEST_NAME || user.chars().any(char::is_control) {
            return Err(missing());
        }
        Ok(user.to_owned())
    }
}

/// A time in a claim: whole seconds, which some write with a fraction.
fn seconds(claim: &Value) -> Option<u64> {
    claim.as_u64().or_else(|| {
        let number = claim.as_f64().filter(|number| (0.0..1e12).contains(number))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
        Some(number as u64)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    pub(crate) const SECRET: &[u8] = b"a secret of the web site and of us, long enough";

    pub(crate) fn tokens() -> Tokens {
        let mut keys = Keys::default();
        keys.add_secret(SECRET).unwrap();
        Tokens {
            keys,
            user_claim: "sub".to_owned(),
            domains: vec!["example.com".to_owned()],
            cookie: None,
            query: None,
            required: false,
            left_out: Vec::new(),
        }
    }

    pub(crate) fn in_seconds(seconds: i64) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        i64::try_from(now).unwrap() + seconds
    }

    pub(crate) fn signed(claims: &Value) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET).unwrap()).unwrap()
    }

    fn refused(tokens: &Tokens, claims: &Value) -> String {
        tokens.holder(Instant::ZERO, &signed(claims)).unwrap_err().to_string()
    }

    #[test]
    fn a_token_says_who_and_until_when() {
        let token = signed(&json!({ "sub": "alice", "exp": in_seconds(300) }));
        let holder = tokens().holder(Instant::from_secs(1000), &token).unwrap();
        assert_eq!(holder.user, "alice");
        let left = holder.until.saturating_since(Instant::from_secs(1000));
        assert!((329..=330).contains(&left.as_secs()), "clocks may differ by half a minute: {left:?}");
    }

    #[test]
    fn the_name_may_be_in_another_claim_with_a_domain_of_ours() {
        let tokens = Tokens { user_claim: "email".to_owned(), ..tokens() };
        let token = signed(&json!({ "sub": "17", "email": "bob@Example.com", "exp": in_seconds(60) }));
        assert_eq!(tokens.holder(Instant::ZERO, &token).unwrap().user, "bob");
        let foreign = json!({ "email": "bob@example.net", "exp": in_seconds(60) });
        assert_eq!(refused(&tokens, &foreign), "the token is of a user of another domain");
    }

    #[test]
    fn what_is_wrong_with_a_token_is_told() {
        let tokens = tokens();
        let cases = [
            (json!({ "sub": "alice", "exp": in_seconds(-31) }), "the token has expired"),
            (
                json!({ "sub": "alice", "exp": in_seconds(300), "nbf": in_seconds(120) }),
                "the token is not valid yet",
            ),
            (json!({ "sub": "alice" }), "the token has no claim \"exp\" of the right kind"),
            (json!({ "sub": "alice", "exp": "soon" }), "the token has no claim \"exp\" of the right kind"),
            (json!({ "exp": in_seconds(60) }), "the token has no claim \"sub\" of the right kind"),
            (json!({ "sub": "", "exp": in_seconds(60) }), "the token has no claim \"sub\" of the right kind"),
            (json!({ "sub": 17, "exp": in_seconds(60) }), "the token has no claim \"sub\" of the right kind"),
        ];
        for (claims, sentence) in cases {
            assert_eq!(refused(&tokens, &claims), sentence, "{claims}");
        }
        let endless = signed(&json!({ "sub": "alice", "exp": u64::MAX }));
        assert_eq!(tokens.holder(Instant::ZERO, &endless).unwrap().until, Instant::NEVER);
        for text in ["", "a.b.c", "nothing"] {
            let error = tokens.holder(Instant::ZERO, text).unwrap_err().to_string();
            assert_eq!(error, "the token is none that can be read", "{text}");
        }
    }

    /// Our clock may be behind: then the tokens of all are too early, and nobody is to be banned for that.
    #[test]
    fn a_token_out_of_its_time_is_no_guess_and_every_other_that_does_not_count_is() {
        let of_time =
            |claims: &Value| tokens().holder(Instant::ZERO, &signed(claims)).unwrap_err().is_of_time();
        assert!(of_time(&json!({ "sub": "alice", "exp": in_seconds(-60) })));
        assert!(of_time(&json!({ "sub": "alice", "exp": in_seconds(600), "nbf": in_seconds(300) })));
        assert!(!of_time(&json!({ "exp": in_seconds(60) })));
        assert!(!tokens().holder(Instant::ZERO, "made-up").unwrap_err().is_of_time());
    }

    #[test]
    fn a_token_that_nobody_signed_counts_for_nothing() {
        // {"alg":"none"}.{"sub":"alice","exp":9999999999}.
        let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0.";
        assert!(tokens().holder(Instant::ZERO, none).is_err());
        let token = signed(&json!({ "sub": "alice", "exp": in_seconds(60) }));
        let (head, _) = token.rsplit_once('.').unwrap();
        let other = encode(
            &Header::new(Algorithm::HS256),
            &json!({ "sub": "alice", "exp": in_seconds(60) }),
            &EncodingKey::from_secret(b"the secret of somebody else, just as long").unwrap(),
        )
        .unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        for forged in [other.clone(), format!("{head}.{signature}")] {
            let error = tokens().holder(Instant::ZERO, &forged).unwrap_err().to_string();
            assert_eq!(error, "no key that is configured has signed the token");
        }
    }

    #[test]
    fn issuer_and_audience_count_where_they_are_configured() {
        let mut tokens = tokens();
        let claims =
            |iss: &str, aud: &str| json!({ "sub": "a", "exp": in_seconds(60), "iss": iss, "aud": aud });
        assert!(tokens.holder(Instant::ZERO, &signed(&claims("anybody", "anything"))).is_ok());
        tokens.keys.set_issuer("https://example.com");
        tokens.keys.set_audience("sip");
        assert!(tokens.holder(Instant::ZERO, &signed(&claims("https://example.com", "sip"))).is_ok());
        assert_eq!(refused(&tokens, &claims("https://example.net", "sip")), "the token is of another issuer");
        assert_eq!(
            refused(&tokens, &claims("https://example.com", "mail")),
            "the token is meant for another audience"
        );
        let silent = json!({ "sub": "a", "exp": in_seconds(60), "aud": "sip" });
        assert_eq!(refused(&tokens, &silent), "the token has no claim \"iss\" of the right kind");
    }
}
