//! Who the agent is on the wire: its address of record, its Contact, its GRUUs, its Via.

use crate::config::Config;
use core::fmt;
use sip::{
    Entropy,
    uri::{Scheme, Uri},
};

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The address of record is not a SIP URI with a user part.
    Uri,
    /// The Contact is not a SIP URI.
    Contact,
    /// The registrar is not a SIP URI.
    Registrar,
    /// The preloaded route is not a SIP URI.
    Route,
    /// The instance id, the sent-by of Via or the User-Agent has octets that would break a message.
    Text,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri => "the address of record must be a SIP URI with a user part",
            Self::Contact => "the Contact must be a SIP URI",
            Self::Registrar => "the registrar must be a SIP URI",
            Self::Route => "the preloaded route must be a SIP URI",
            Self::Text => "the instance id, the Via host or the User-Agent has forbidden octets",
        })
    }
}

impl core::error::Error for ConfigError {}

/// The names under which the agent is known, as bytes ready to be written.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) uri: Vec<u8>,
    pub(crate) user: Vec<u8>,
    pub(crate) domain: Vec<u8>,
    pub(crate) contact_uri: Vec<u8>,
    pub(crate) contact_user: Vec<u8>,
    pub(crate) via_host: Vec<u8>,
    pub(crate) instance_id: String,
    pub(crate) registrar: Vec<u8>,
    pub(crate) route: Option<Vec<u8>>,
    pub(crate) pub_gruu: Option<Vec<u8>>,
    pub(crate) temp_gruu: Option<Vec<u8>>,
}

impl Identity {
    pub(crate) fn new(config: &Config, entropy: &mut dyn Entropy) -> Result<Self, ConfigError> {
        let uri = sip_uri(config.uri.as_bytes()).ok_or(ConfigError::Uri)?;
        let user = uri.user().ok_or(ConfigError::Uri)?;
        let domain = host_and_port(uri.as_bytes());
        let registrar = match &config.registrar_server {
            Some(server) => {
                sip_uri(server.as_bytes()).ok_or(ConfigError::Registrar)?;
                server.clone().into_bytes()
            }
            None => [b"sip:", domain].concat(),
        };
        let via_host = match (&config.via_host, &config.contact_uri) {
            (Some(host), _) => host.clone().into_bytes(),
            (None, Some(contact)) => host_and_port(contact.as_bytes()).to_vec(),
            // RFC 7118 §5: a browser has no name of its own; RFC 2606 keeps `.invalid` free for this.
            (None, None) => [entropy.token(12).as_bytes(), b".invalid"].concat(),
        };
        let contact_uri = match &config.contact_uri {
            Some(contact) => contact.clone().into_bytes(),
            None => {
                let transport = config.via.transport.uri_parameter().as_bytes();
                [b"sip:", entropy.token(8).as_bytes(), b"@", &via_host, b";transport=", transport].concat()
            }
        };
        let contact = sip_uri(&contact_uri).ok_or(ConfigError::Contact)?;
        let instance_id = match &config.instance_id {
            Some(instance) => instance.strip_prefix("uuid:").unwrap_or(instance).to_owned(),
            None => uuid(entropy),
        };
        let plain = |text: &[u8]| {
            !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"')
        };
        let user_agent = config.user_agent.as_bytes();
        if !plain(instance_id.as_bytes()) || !plain(&via_host) || sip::text::breaks_line(user_agent) {
            return Err(ConfigError::Text);
        }
        Ok(Self {
            user: user.to_vec(),
            domain: domain.to_vec(),
            contact_user: contact.user().unwrap_or_default().to_vec(),
            registrar,
            route: config.preloaded_route.as_deref().map(loose_route).transpose()?,
            via_host,
            instance_id,
            uri: config.uri.clone().into_bytes(),
            contact_uri,
            pub_gruu: None,
            temp_gruu: None,
        })
    }

    /// Our Contact as a name-addr: a GRUU if the registrar gave one (RFC 5627 §4.4), else our own URI, with `ob`
    /// (RFC 5626 §4.3) where it starts a dialog.
    pub(crate) fn contact(&self, anonymous: bool, outbound: bool) -> Vec<u8> {
        const ANONYMOUS: &[u8] = b"sip:anonymous@anonymous.invalid;transport=ws";
        let gruu = if anonymous { &self.temp_gruu } else { &self.pub_gruu };
        match gruu {
            Some(gruu) => [b"<", gruu.as_slice(), b">"].concat(),
            None => {
                let uri = if anonymous { ANONYMOUS } else { &self.contact_uri };
                let parameter: &[u8] = if outbound { b";ob>" } else { b">" };
                [b"<", uri, parameter].concat()
            }
        }
    }

    /// Whether a Request-URI is meant for us: our user, our Contact's user, or one of our GRUUs (RFC 5627 §4.5:
    /// a temporary GRUU has a user part of its own). A registrar may change the case of letters in a GRUU.
    pub(crate) fn is_ours(&self, request_uri: &[u8]) -> bool {
        let Ok(uri) = Uri::parse(request_uri) else { return false };
        let user = uri.user().unwrap_or_default();
        user == self.user
            || user == self.contact_user
            || [&self.pub_gruu, &self.temp_gruu].into_iter().flatten().any(|gruu| {
                Uri::parse(gruu)
                    .ok()
                    .and_then(|gruu| gruu.user())
                    .is_some_and(|ours| ours.eq_ignore_ascii_case(user))
            })
    }
}

/// The URI in `text` if it is a SIP or SIPS URI.
pub(crate) fn sip_uri(text: &[u8]) -> Option<Uri<'_>> {
    Uri::parse(text).ok().filter(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips))
}

/// `host:port` of a SIP URI, as written.
fn host_and_port(uri: &[u8]) -> &[u8] {
    let start = match uri.iter().rposition(|byte| *byte == b'@') {
        Some(at) => at + 1,
        None => uri.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1),
    };
    let rest = uri.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// A Route value for `uri`, which need not have angle brackets or `;lr` yet.
fn loose_route(uri: &str) -> Result<Vec<u8>, ConfigError> {
    let uri = uri.strip_prefix('<').and_then(|inside| inside.strip_suffix('>')).unwrap_or(uri);
    let parsed = sip_uri(uri.as_bytes()).ok_or(ConfigError::Route)?;
    let parameter: &[u8] = if parsed.parameter("lr").is_some() { b">" } else { b";lr>" };
    Ok([b"<", uri.as_bytes(), parameter].concat())
}

/// A random UUID (RFC 4122 §4.4).
fn uuid(entropy: &mut dyn Entropy) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.into_iter().enumerate() {
        let byte = match position {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        };
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0')));
        }
    }
    text
}
