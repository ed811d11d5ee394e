//! STUN and TURN servers for pages. They are told who has registered over WebSocket, in the answer: so nobody reads a
//! password in a script, and who may relay is who may sign in.
//!
//! The passwords are those that coturn calls TURN REST: the name is the time at which it ends and the user, the password an
//! HMAC of the name (<https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00>). Each server is one header,
//! written as WHIP writes its links (RFC 9725 §4.6):
//!
//!     Ice-Server: <turn:turn.example.com>;username="1796000000:alice@example.com";credential="u6tN..."

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sip::{HeaderName, Hop, Host, Message, Method};

const HEADER: &str = "Ice-Server";

/// The servers, and how passwords for them are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IceServers {
    /// Checked by the configuration: no octet of them means anything in a header.
    pub(crate) urls: Vec<String>,
    /// What the TURN servers know too.
    pub(crate) secret: Secret,
    /// How long a password is good.
    pub(crate) lifetime: Duration,
}

/// A secret, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl IceServers {
    /// A registration that is granted to a page, with the servers; `None` for everything else, for which `now` is not asked.
    pub(crate) fn told(&self, hop: &Hop, bytes: &[u8], now: impl FnOnce() -> SystemTime) -> Option<Vec<u8>> {
        if !matches!(hop, Hop::Flow(flow) if flow.transport.is_websocket())
            || !bytes.starts_with(b"SIP/2.0 200 ")
        {
            return None;
        }
        let message = Message::parse(bytes).ok()?;
        if message.cseq().ok()?.method != Method::Register || message.header(HeaderName::Contact).is_none() {
            return None;
        }
        let to = message.to().ok()?;
        let uri = to.uri().ok()?;
        let name = self.name(uri.user()?, &uri.host(), now());
        let password = self.password(&name);
        let mut edit = message.edit();
        for url in &self.urls {
            let value = match url.starts_with("turn") {
                true => format!("<{url}>;username=\"{name}\";credential=\"{password}\""),
                false => format!("<{url}>"),
            };
            edit.append_named(HEADER, value.as_bytes());
        }
        edit.finish().ok()
    }

    /// When it ends, in seconds since 1970, and for whom it is. Of the user what could end a quoted text is left out: TURN
    /// servers only write it in their logs.
    fn name(&self, user: &[u8], host: &Host<'_>, now: SystemTime) -> String {
        let end = (now + self.lifetime).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let readable = |part: &[u8]| -> String {
            let plain = |octet: &&u8| octet.is_ascii_graphic() && !b"\"\\:".contains(octet);
            part.iter().filter(plain).take(128).map(|octet| char::from(*octet)).collect()
        };
        let host = match host {
            Host::Name(name) => readable(name),
            Host::V4(address) => address.to_string(),
            Host::V6(address) => readable(address.to_string().as_bytes()),
        };
        format!("{end}:{}@{host}", readable(user))
    }

    fn password(&self, name: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret.0);
        STANDARD.encode(hmac::sign(&key, name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use sip::{ConnectionId, Flow, Transport};

    use super::*;

    fn servers() -> IceServers {
        IceServers {
            urls: vec!["stun:stun.example.com".to_owned(), "turn:turn.example.com?transport=udp".to_owned()],
            secret: Secret(b"north".to_vec()),
            lifetime: Duration::from_secs(3600),
        }
    }

    fn over(transport: Transport) -> Hop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        Hop::Flow(Flow { transport, connection: ConnectionId(1), local: address, remote: address })
    }

    fn answer(status: &str, method: &str, contact: &str) -> Vec<u8> {
        format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bKa\r\nFrom: <sip:alice@example.com>;tag=a\r\n\
             To: <sip:alice@example.com>;tag=b\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n{contact}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn told(hop: &Hop, bytes: &[u8]) -> Option<Vec<String>> {
        let told = servers().told(hop, bytes, || UNIX_EPOCH + Duration::from_secs(1_700_000_000))?;
        let message = Message::parse(&told).unwrap();
        assert!(message.check().is_ok());
        let fields = message.fields().filter(|field| field.text == HEADER.as_bytes());
        Some(fields.map(|field| String::from_utf8(field.value.to_vec()).unwrap()).collect())
    }

    const CONTACT: &str = "Contact: <sip:alice@a.invalid>;expires=600\r\n";

    #[test]
    fn a_page_that_has_registered_is_told_the_servers_and_a_password_that_ends() {
        // The password: printf 1700003600:alice@example.com | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(
            told(&over(Transport::Wss), &answer("200 OK", "REGISTER", CONTACT)).unwrap(),
            [
                "<stun:stun.example.com>",
                "<turn:turn.example.com?transport=udp>;username=\"1700003600:alice@example.com\";\
                 credential=\"VRPQNhy7K5wsWYjKwNdXCKp+sPA=\"",
            ]
        );
    }

    #[test]
    fn nobody_else_is_told() {
        let page = over(Transport::Ws);
        assert_eq!(
            told(&page, &answer("401 Unauthorized", "REGISTER", CONTACT)),
            None,
            "who must still sign in"
        );
        assert_eq!(told(&page, &answer("200 OK", "REGISTER", "")), None, "who has signed out");
        assert_eq!(told(&page, &answer("200 OK", "INVITE", CONTACT)), None, "who calls");
        let phone = over(Transport::Tls);
        assert_eq!(
            told(&phone, &answer("200 OK", "REGISTER", CONTACT)),
            None,
            "a phone, which would not read it"
        );
    }

    #[test]
    fn a_name_of_odd_octets_stays_within_its_quotes() {
        let name = servers().name(b"a\"b\\c:d e%22", &Host::Name(b"example.com"), UNIX_EPOCH);
        assert_eq!(name, "3600:abcde%22@example.com");
    }
}
