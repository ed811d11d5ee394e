//! The PASSporT (RFC 8225) and the header that carries it (RFC 8224 §4).

use std::ops::RangeInclusive;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxy::stir::{Claims, Party};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::{Call, StirError};

/// The longest that is read.
const LONGEST: usize = 16_384;

/// Signs caller ids.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    /// Where verifiers get the certificate.
    x5u: String,
    /// The seconds since the Unix epoch in which it is valid, if it is known here.
    valid: Option<RangeInclusive<u64>>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("x5u", &self.x5u).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with the private key of a PEM text.
    ///
    /// # Errors
    /// A sentence, if it has no such key.
    pub(crate) fn new(pem: &str, x5u: &str) -> Result<Self, &'static str> {
        const KIND: &str =
            "it has no private key of the curve P-256 in PKCS #8 (-----BEGIN PRIVATE KEY-----)";
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KIND)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            .map_err(|_| KIND)?;
        Ok(Self { key, x5u: x5u.to_owned(), valid: None })
    }

    /// Takes the certificate, the first one of a PEM text: nothing is signed while it is not valid (RFC 8224 §4.1).
    ///
    /// # Errors
    /// A sentence, if it is none, or that of another key.
    pub(crate) fn with_certificate(mut self, pem: &[u8]) -> Result<Self, &'static str> {
        const NONE: &str = "it has no certificate in PEM (-----BEGIN CERTIFICATE-----)";
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| NONE)?;
        let (_, read) = X509Certificate::from_der(&der).map_err(|_| NONE)?;
        if *read.public_key().subject_public_key.data != *self.key.public_key().as_ref() {
            return Err("it is the certificate of another key than signing_key");
        }
        let second = |time: ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
        self.valid = Some(second(read.validity().not_before)..=second(read.validity().not_after));
        Ok(self)
    }

    /// The value of an `Identity` header, in full form.
    pub(super) fn identity(&self, iat: u64, claims: &Claims) -> Option<Vec<u8>> {
        if self.valid.as_ref().is_some_and(|valid| !valid.contains(&iat)) {
            return None;
        }
        let header = json!({ "alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.x5u });
        let (name, dest) = party(&claims.dest);
        let (orig_name, orig) = party(&claims.orig);
        let payload = json!({
            "attest": claims.attest.letter(),
            "dest": { name: [dest] },
            "iat": iat,
            "orig": { orig_name: orig },
            "origid": claims.origid,
        });
        // RFC 8225 §9: the keys in their order, and no blanks between them; that is how these are written.
        let signed = signed_part(&header, &payload);
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Some(format!("{signed}.{signature};info=<{}>;alg=ES256;ppt=\"shaken\"", self.x5u).into_bytes())
    }
}

fn signed_part(header: &Value, payload: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(payload))
}

fn party(party: &Party) -> (&'static str, &str) {
    match party {
        Party::Number(number) => ("tn", number),
        Party::Uri(uri) => ("uri", uri),
    }
}

/// What somebody has signed.
#[derive(Debug)]
pub(super) struct Passport {
    /// The text that the signature is over.
    pub(super) signed: String,
    pub(super) signature: Vec<u8>,
    pub(super) x5u: String,
    pub(super) iat: u64,
    pub(super) orig: Party,
    pub(super) dest: Vec<Party>,
}

/// The parameters of the header.
#[derive(Default)]
struct Parameters<'a> {
    info: Option<&'a str>,
    ppt: Option<&'a str>,
}

impl Passport {
    /// Reads the value of an `Identity` header of `call`.
    pub(super) fn read(identity: &[u8], call: Call<'_>) -> Result<Self, StirError> {
        let bad = StirError::Unreadable;
        let text = str::from_utf8(identity).ok().filter(|text| text.len() <= LONGEST);
        let text = text.ok_or(bad("it is no text, or too long"))?;
        let (token, rest) = text.split_once(';').unwrap_or((text, ""));
        let parameters = parameters(rest)?;
        let mut parts = token.trim().split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad("it has other than three parts"));
        };
        let signature =
            URL_SAFE_NO_PAD.decode(signature).map_err(|_| bad("the signature is no base64url"))?;
        if header.is_empty() && payload.is_empty() {
            return Self::compact(&parameters, signature, call);
        }
        let header_object = object(header).ok_or(bad("its header is no JSON object"))?;
        let claims = object(payload).ok_or(bad("its claims are no JSON object"))?;
        let word = |name: &str| header_object.get(name).and_then(Value::as_str);
        if word("alg") != Some("ES256") {
            return Err(bad("alg is not ES256"));
        }
        if word("typ").is_some_and(|kind| kind != "passport") {
            return Err(bad("typ is not passport"));
        }
        let ppt = word("ppt");
        if ppt != parameters.ppt || ppt.is_some_and(|ppt| ppt != "shaken") {
            return Err(bad("ppt is not shaken, or not the same in both places"));
        }
        let x5u = word("x5u").ok_or(bad("x5u is missing"))?;
        if parameters.info.is_some_and(|info| info != x5u) {
            return Err(bad("info is not what x5u is"));
        }
        if header_object.contains_key("crit") {
            return Err(bad("it has critical parts that are not known here"));
        }
        if ppt.is_some() {
            let attest = claims.get("attest").and_then(Value::as_str);
            if !attest.is_some_and(|attest| matches!(attest, "A" | "B" | "C")) {
                return Err(bad("attest is none of A, B and C"));
            }
            if !claims.get("origid").is_some_and(Value::is_string) {
                return Err(bad("origid is missing"));
            }
        }
        Ok(Self {
            signed: format!("{header}.{payload}"),
            signature,
            x5u: x5u.to_owned(),
            iat: claims.get("iat").and_then(Value::as_u64).ok_or(bad("iat is missing"))?,
            orig: one_party(claims.get("orig")).ok_or(bad("orig names nobody"))?,
            dest: parties(claims.get("dest")).ok_or(bad("dest names nobody"))?,
        })
    }

    /// RFC 8224 §4, RFC 8225 §7: only the signature is there; what it is over, the other headers say. The claims of SHAKEN
    /// are in none of them.
    fn compact(parameters: &Parameters<'_>, signature: Vec<u8>, call: Call<'_>) -> Result<Self, StirError> {
        let bad = StirError::Unreadable;
        if parameters.ppt.is_some() {
            return Err(bad("a compact form has no claims of SHAKEN"));
        }
        let x5u = parameters.info.ok_or(bad("info is missing"))?.to_owned();
        let date = call.date.and_then(|date| str::from_utf8(date).ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let iat = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
        let iat = iat.ok_or(bad("a compact form needs a Date"))?.as_secs();
        let (Some(orig), Some(dest)) = (call.orig.first(), call.dest.first()) else {
            return Err(bad("nobody is named"));
        };
        let header = json!({ "alg": "ES256", "typ": "passport", "x5u": x5u });
        let ((orig_name, orig_text), (dest_name, dest_text)) = (party(orig), party(dest));
        let payload =
            json!({ "dest": { dest_name: [dest_text] }, "iat": iat, "orig": { orig_name: orig_text } });
        Ok(Self {
            signed: signed_part(&header, &payload),
            signature,
            x5u,
            iat,
            orig: orig.clone(),
            dest: vec![dest.clone()],
        })
    }
}

/// `info=<..>;alg=ES256;ppt="shaken"`.
fn parameters(text: &str) -> Result<Parameters<'_>, StirError> {
    let mut parameters = Parameters::default();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let Some((name, value)) = rest.split_once('=') else { break };
        let value = value.trim_start();
        // A URL may have semicolons.
        let (value, next) = match value.strip_prefix('<').map(|inner| inner.split_once('>')) {
            Some(Some((url, next))) => (url, next.trim_start().strip_prefix(';').unwrap_or_default()),
            Some(None) => return Err(StirError::Unreadable("a bracket does not end")),
            None => value.split_once(';').unwrap_or((value, "")),
        };
        rest = next;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "info" => parameters.info = Some(value),
            "ppt" => parameters.ppt = Some(value),
            "alg" if value != "ES256" => return Err(StirError::Unreadable("alg is not ES256")),
            _ => {}
        }
    }
    Ok(parameters)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn one_party(value: Option<&Value>) -> Option<Party> {
    let value = value?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    text("tn").map(Party::Number).or_else(|| text("uri").map(Party::Uri))
}

fn parties(value: Option<&Value>) -> Option<Vec<Party>> {
    let value = value?;
    let texts = |name: &str| {
        let texts = value.get(name).and_then(Value::as_array).into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let numbers = texts("tn").into_iter().map(Party::Number);
    Some(numbers.chain(texts("uri").into_iter().map(Party::Uri)).collect())
}
