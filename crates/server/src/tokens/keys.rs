//! The keys that may have signed a token: public ones in PEM or as a set of JSON Web Keys (RFC 7517), or a secret that
//! both sides have.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::{SKEW, TokenError};

/// A shorter secret can be guessed from one token (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;

/// Keys, and what they vouch for.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: Option<String>,
}

/// What of a file can only be a set of keys.
#[derive(serde::Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Clone)]
struct Key {
    /// The name that tokens may call it by.
    id: Option<String>,
    family: AlgorithmFamily,
    key: DecodingKey,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("it has no public key in PEM and no JSON Web Key set")]
    NoKey,
    #[error(
        "it has a private key; only the public one is needed here, and the private one is to stay where it is"
    )]
    Private,
    #[error("it has none of the keys that tokens are signed with (RSA, EC P-256 and P-384, Ed25519)")]
    OtherKind,
    #[error("it has no more than {0} octets; a secret needs 32 at the least")]
    ShortSecret(usize),
}

impl Keys {
    /// Adds the public keys of a file. Gives the names of those keys of a set that are left out.
    pub(crate) fn add_public(&mut self, text: &str) -> Result<Vec<String>, KeyError> {
        if text.trim_start().starts_with('{') {
            return self.add_set(text);
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        if !text.contains("-----BEGIN") {
            return Err(KeyError::NoKey);
        }
        let pem = text.as_bytes();
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem))
            .map_err(|_| KeyError::OtherKind)?;
        self.keys.push(Key { id: None, family: key.family(), key });
        Ok(Vec::new())
    }

    /// Each key is read by itself: one of a kind that nobody knows yet takes nothing from the others (RFC 7517 §5).
    fn add_set(&mut self, text: &str) -> Result<Vec<String>, KeyError> {
        let set: Set = serde_json::from_str(text).map_err(|_| KeyError::NoKey)?;
        let before = self.keys.len();
        let mut left_out = Vec::new();
        for (index, value) in set.keys.iter().enumerate() {
            match usable(value) {
                Some(key) => self.keys.push(key),
                None => left_out.push(name(index, value)),
            }
        }
        if self.keys.len() == before { Err(KeyError::OtherKind) } else { Ok(left_out) }
    }

    /// Adds a secret that whoever signs has too.
    pub(crate) fn add_secret(&mut self, secret: &[u8]) -> Result<(), KeyError> {
        if secret.len() < SHORTEST_SECRET {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        let key = DecodingKey::from_secret(secret).map_err(|_| KeyError::ShortSecret(secret.len()))?;
        self.keys.push(Key { id: None, family: AlgorithmFamily::Hmac, key });
        Ok(())
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Only tokens of this issuer count (`iss`).
    pub(crate) fn set_issuer(&mut self, issuer: &str) {
        self.issuer = Some(issuer.to_owned());
    }

    /// Only tokens for this audience count (`aud`).
    pub(crate) fn set_audience(&mut self, audience: &str) {
        self.audience = Some(audience.to_owned());
    }

    /// What a token says, if one of the keys has signed it and it is valid now.
    pub(super) fn claims(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        let header = decode_header(token)?;
        let mut error = TokenError::OtherKey;
        for key in &self.keys {
            let is_named = match (&key.id, &header.kid) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            };
            // The kind of key decides what a signature may be: a public key is never taken for a secret.
            if !is_named || !key.family.algorithms().contains(&header.alg) {
                continue;
            }
            match decode::<Map<String, Value>>(token, &key.key, &self.validation(header.alg)) {
                Ok(token) => return Ok(token.claims),
                Err(other) => error = other.into(),
            }
            if error.is_of_claims() {
                break;
            }
        }
        Err(error)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = SKEW.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// A key of a set, if it is one that tokens are signed with here. A set may have keys for other purposes.
fn usable(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let is_known = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => {
            matches!(key.curve, EllipticCurve::P256 | EllipticCurve::P384)
        }
        _ => true,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let is_public = key.family() != AlgorithmFamily::Hmac;
    (is_known && is_public).then(|| Key { id: jwk.common.key_id, family: key.family(), key })
}

/// What a key of a set is called in the log: its place, its kind and its name.
fn name(index: usize, value: &Value) -> String {
    let field = |name| value.get(name).and_then(Value::as_str).map(str::escape_debug);
    let mut name = format!("key {}", index.saturating_add(1));
    for (what, field) in
        ["kty", "crv", "alg", "kid"].into_iter().filter_map(|what| Some((what, field(what)?)))
    {
        name.push_str(&format!(" {what}={field}"));
    }
    name
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are nobody's to read.
        f.debug_struct("Keys")
            .field("keys", &self.keys.len())
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::super::tests::{SECRET, in_seconds, signed};
    use super::*;

    /// A pair of keys made for this test, and a token signed with it.
    fn pair(kid: Option<&str>) -> (rcgen::KeyPair, String) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        let token = encode(&header, &json!({ "sub": "alice", "exp": in_seconds(60) }), &key).unwrap();
        (pair, token)
    }

    #[test]
    fn a_public_key_in_pem_vouches_for_tokens() {
        let (pair, token) = pair(None);
        let mut keys = Keys::default();
        keys.add_public(&pair.public_key_pem()).unwrap();
        assert_eq!(keys.claims(&token).unwrap()["sub"], "alice");
        let (_, foreign) = self::pair(None);
        assert!(matches!(keys.claims(&foreign), Err(TokenError::OtherKey)));
    }

    /// While keys are changed there are two, and pages come with old tokens. That is no guess, whichever key signed them.
    #[test]
    fn of_two_keys_the_one_that_signed_says_what_is_wrong() {
        let (old, new) = (SECRET, b"the secret that follows it, and just as long".as_slice());
        for keys in [[old, new], [new, old]] {
            let mut known = Keys::default();
            keys.into_iter().for_each(|key| known.add_secret(key).unwrap());
            let ended = signed(&json!({ "sub": "alice", "exp": in_seconds(-60) }));
            assert!(matches!(known.claims(&ended), Err(TokenError::Expired)));
            let good = signed(&json!({ "sub": "alice", "exp": in_seconds(60) }));
            assert_eq!(known.claims(&good).unwrap()["sub"], "alice");
        }
    }

    #[test]
    fn a_public_key_is_never_taken_for_a_secret() {
        let (pair, _) = pair(None);
        let public = pair.public_key_pem();
        let mut keys = Keys::default();
        keys.add_public(&public).unwrap();
        let key = EncodingKey::from_secret(public.as_bytes()).unwrap();
        let claims = json!({ "sub": "alice", "exp": in_seconds(60) });
        let forged = encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert!(matches!(keys.claims(&forged), Err(TokenError::OtherKey)));
    }

    #[test]
    fn a_set_of_keys_has_names_for_them() {
        let (first, first_token) = pair(Some("first"));
        let (second, second_token) = pair(Some("second"));
        let jwk = |pair: &rcgen::KeyPair, kid: &str| {
            let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
            let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
            jwk.common.key_id = Some(kid.to_owned());
            jwk
        };
        let set = json!({ "keys": [jwk(&first, "first"), jwk(&second, "second")] }).to_string();
        let mut keys = Keys::default();
        keys.add_public(&set).unwrap();
        for token in [first_token, second_token] {
            assert!(keys.claims(&token).is_ok());
        }
        let (_, unknown) = pair(Some("third"));
        assert!(matches!(keys.claims(&unknown), Err(TokenError::OtherKey)));
    }

    /// RFC 7517 §5: what is not understood is to be ignored.
    #[test]
    fn keys_of_a_set_that_nobody_understands_are_left_out_and_the_others_count() {
        let (pair, token) = pair(Some("ours"));
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        let mut ours = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        ours.common.key_id = Some("ours".to_owned());
        let others = [
            (
                json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA" }),
                "kty=AKP alg=ML-DSA-44 kid=pq",
            ),
            (json!({ "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA" }), "kty=EC crv=secp256k1"),
            (json!({ "kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA" }), "kty=EC crv=P-521"),
            (json!({ "kty": "OKP", "crv": "X25519", "x": "AAAA" }), "kty=OKP crv=X25519"),
            (json!({ "kty": "OKP", "crv": "Ed448", "x": "AAAA" }), "kty=OKP crv=Ed448"),
            (json!({ "kty": "oct", "k": "AAAA" }), "kty=oct"),
            (json!({ "kty": "EC", "crv": "P-256", "kid": 7, "x": "AAAA", "y": "AAAA" }), "kty=EC crv=P-256"),
            (json!({ "kid": "a\nb" }), "kid=a\\nb"),
        ];
        for (other, name) in others {
            let mut keys = Keys::default();
            let set = json!({ "keys": [other, ours] }).to_string();
            assert_eq!(keys.add_public(&set).unwrap(), [format!("key 1 {name}")], "{name}");
            assert!(keys.claims(&token).is_ok(), "{name}");
            let alone = json!({ "keys": [other] }).to_string();
            assert!(matches!(Keys::default().add_public(&alone), Err(KeyError::OtherKind)), "{name}");
        }
    }

    #[test]
    fn files_without_a_usable_key_are_told_apart() {
        let (pair, _) = pair(None);
        let mut keys = Keys::default();
        let mut refused = |text: &str| keys.add_public(text).unwrap_err().to_string();
        assert!(refused(&pair.serialize_pem()).starts_with("it has a private key"));
        assert!(refused("hello").starts_with("it has no public key"));
        assert!(refused("{\"keys\":[]}").starts_with("it has none of the keys"));
        assert!(
            refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
                .starts_with("it has none")
        );
        assert_eq!(
            keys.add_secret(b"short").unwrap_err().to_string(),
            "it has no more than 5 octets; a secret needs 32 at the least"
        );
        assert!(keys.is_empty());
    }
}
