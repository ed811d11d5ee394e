//! Via (RFC 3261 §20.42, RFC 3581).

use core::net::IpAddr;

use super::{HeaderName, Parameters};
use crate::error::HeaderError;
use crate::part::Part;
use crate::text;
use crate::transport::Transport;
use crate::uri::host::HostPart;
use crate::uri::{Host, host};

/// With this every branch starts that was made by RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    value: &'a [u8],
    parts: ViaParts,
}

/// Where everything is in a Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ViaParts {
    transport: Part,
    sent_by: Part,
    host: HostPart,
    port: Option<u16>,
    parameters: Part,
    /// The first branch, empty or not.
    branch: Option<Part>,
    /// Whether there is another one.
    repeats_branch: bool,
    /// Where the first `rport` ends that has no value.
    open_rport: Option<u16>,
    /// Whether there are the parameters that RFC 3581 is about, or `received`.
    tells_source: bool,
    /// Whether there is an `rport`.
    has_rport: bool,
}

impl ViaParts {
    fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let malformed = |reason| HeaderError::malformed(HeaderName::Via, reason);
        if value.len() > Part::LIMIT {
            return Err(malformed("the value is too long"));
        }
        let (transport, rest) = protocol(value)?;
        if !rest.first().copied().is_some_and(text::is_linear_space) {
            return Err(malformed("there is no sent-by"));
        }
        let rest = text::trim_start(rest);
        let end = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
        let sent_by = Part::within(value, text::trim(text::part(rest, 0, end)));
        let (host, port) = sent_by_parts(value, sent_by).ok_or(malformed("the sent-by is no host"))?;
        let text = text::from(rest, end);
        let (mut branch, mut repeats_branch) = (None, false);
        let (mut open_rport, mut tells_source, mut has_rport) = (None, false, false);
        let parameters = Parameters::parse_each(text, |parameter| match parameter.name.len() {
            6 if parameter.name.eq_ignore_ascii_case(b"branch") => {
                repeats_branch |= branch.is_some();
                let value = parameter.value.map(|text| Part::within(value, text)).unwrap_or_default();
                branch = branch.or(Some(value));
            }
            5 if parameter.name.eq_ignore_ascii_case(b"rport") => {
                let is_open = !tells_source && parameter.value.is_none();
                open_rport = is_open.then(|| Part::within(value, parameter.name).end());
                (tells_source, has_rport) = (true, true);
            }
            8 if parameter.name.eq_ignore_ascii_case(b"received") => {
                (tells_source, open_rport) = (true, None);
            }
            _ => {}
        });
        let parameters = parameters.map_err(|error| error.of(HeaderName::Via))?;
        Ok(Self {
            transport: Part::within(value, transport),
            sent_by,
            host,
            port,
            parameters: Part::within(value, parameters.as_bytes()),
            branch,
            repeats_branch,
            open_rport,
            tells_source,
            has_rport,
        })
    }
}

impl ViaParts {
    /// Where everything is once an open rport, which ends at `at`, has been filled in with so many octets.
    pub(crate) fn with_rport(self, at: u16, length: u16) -> Self {
        Self {
            parameters: self.parameters.after_insertion(at, length),
            branch: self.branch.map(|branch| branch.after_insertion(at, length)),
            open_rport: None,
            ..self
        }
    }
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// If it is not a protocol, a sent-by and parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        Ok(Self { value, parts: ViaParts::parse(value)? })
    }

    /// The value of which is known where everything is in it.
    pub(crate) const fn known(value: &'a [u8], parts: ViaParts) -> Self {
        Self { value, parts }
    }

    /// Where everything is in it.
    pub(crate) const fn parts(&self) -> ViaParts {
        self.parts
    }

    /// The value as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.value
    }

    /// The transport; `None` for one that is not ours.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        Transport::from_token(self.transport_token())
    }

    /// The transport's token as received.
    #[must_use]
    pub fn transport_token(&self) -> &'a [u8] {
        self.parts.transport.of(self.value)
    }

    /// The sent-by as received: host and perhaps port.
    #[must_use]
    pub fn sent_by(&self) -> &'a [u8] {
        self.parts.sent_by.of(self.value)
    }

    /// The sent-by host.
    #[must_use]
    pub fn host(&self) -> Host<'a> {
        self.parts.host.of(self.value)
    }

    /// The sent-by port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The branch; `None` too where it is empty.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.parts.branch.map(|branch| branch.of(self.value)).filter(|branch| !branch.is_empty())
    }

    /// Whether there is more than one branch.
    pub(crate) const fn repeats_branch(&self) -> bool {
        self.parts.repeats_branch
    }

    /// The branch if it was made by RFC 3261: the magic cookie, in any case of letters, and something behind it.
    /// Only such a branch identifies a transaction (RFC 3261 §17.2.3, RFC 4475 §3.2.1).
    #[must_use]
    pub fn transaction_branch(&self) -> Option<&'a [u8]> {
        self.branch().filter(|branch| {
            branch.len() > MAGIC_COOKIE.len()
                && branch
                    .get(..MAGIC_COOKIE.len())
                    .is_some_and(|cookie| cookie.eq_ignore_ascii_case(MAGIC_COOKIE))
        })
    }

    /// Whether there is one `rport`, which is empty, and no `received` beside it: what a server fills in with
    /// [`Message::fill_rport`](crate::Message::fill_rport).
    #[must_use]
    pub const fn has_open_rport(&self) -> bool {
        self.parts.open_rport.is_some()
    }

    /// Where an empty `rport` ends in the value, of which there is one and no `received` beside it: what a server has to
    /// fill in as a rule (RFC 3581 §4).
    pub(crate) const fn open_rport(&self) -> Option<u16> {
        self.parts.open_rport
    }

    /// The `received` parameter, with or without brackets around an IPv6 address (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.source_parameter("received")??;
        match Host::parse(value).or_else(|| host::bare_v6(value).map(Host::V6))? {
            Host::V4(address) => Some(IpAddr::V4(address)),
            Host::V6(address) => Some(IpAddr::V6(address)),
            Host::Name(_) => None,
        }
    }

    /// Whether there is an `rport` parameter, with a value or without.
    #[must_use]
    pub const fn has_rport(&self) -> bool {
        self.parts.has_rport
    }

    /// The `rport` parameter (RFC 3581): `Some(None)` is the empty flag of a request.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.source_parameter("rport")
            .map(|value| value.and_then(text::parse_decimal).and_then(|port| u16::try_from(port).ok()))
    }

    /// A parameter of those whose presence was noted: most values have none of them.
    fn source_parameter(&self, name: &str) -> Option<Option<&'a [u8]>> {
        if self.parts.tells_source { self.parameter(name) } else { None }
    }

    /// The `maddr` parameter, if it is a host.
    #[must_use]
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.parameters().value("maddr").and_then(Host::parse)
    }

    /// The parameter called `name`: `Some(None)` is a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.parameters().get(name)
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters::checked(self.parts.parameters.of(self.value))
    }
}

/// The transport of a value, and what follows it.
fn protocol(value: &[u8]) -> Result<(&[u8], &[u8]), HeaderError> {
    let malformed = |reason| HeaderError::malformed(HeaderName::Via, reason);
    // As nearly everybody writes it.
    if let Some(rest) = value.strip_prefix(b"SIP/2.0/") {
        let length = text::token_length(rest);
        if length > 0 {
            return Ok(rest.split_at_checked(length).unwrap_or_default());
        }
    }
    let (protocol, rest) = token(value).ok_or(malformed("there is no protocol"))?;
    let (version, rest) = slash_token(rest).ok_or(malformed("there is no protocol version"))?;
    let found = slash_token(rest).ok_or(malformed("there is no transport"))?;
    if !protocol.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
        return Err(malformed("the protocol is not SIP/2.0"));
    }
    Ok(found)
}

/// A token at the beginning of `text`, and what follows it.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text::trim_start(text);
    let length = text::token_length(text);
    text.split_at_checked(length).filter(|(token, _)| !token.is_empty())
}

/// A slash and a token, white space allowed around the slash, and what follows them.
fn slash_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (slash, rest) = text::trim_start(text).split_first()?;
    if *slash == b'/' { token(rest) } else { None }
}

/// Host and port; white space is allowed around the colon between them (RFC 3261 §25.1, `COLON`).
fn sent_by_parts(value: &[u8], place: Part) -> Option<(HostPart, Option<u16>)> {
    let sent_by = place.of(value);
    let host_end = match sent_by.first()? {
        b'[' => memchr::memchr(b']', sent_by)? + 1,
        _ => sent_by.iter().position(|&byte| byte == b':').unwrap_or(sent_by.len()),
    };
    let host = Part::within(value, text::trim_end(text::part(sent_by, 0, host_end)));
    let found = HostPart::parse(value, host)?;
    let rest = text::trim_start(text::from(sent_by, host_end));
    match rest.split_first() {
        None => Some((found, None)),
        Some((b':', port)) => Some((found, Some(host::parse_port(text::trim_start(port))?))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use super::*;

    #[test]
    fn white_space_may_stand_around_every_separator() {
        let via =
            Via::parse(b"SIP  / 2.0\r\n / TCP     spindle.example.com : 5070  ;\r\n branch  =   z9hG4bK9ik ")
                .unwrap();
        assert_eq!(via.transport(), Some(Transport::Tcp));
        assert_eq!((via.host(), via.port()), (Host::Name(b"spindle.example.com"), Some(5070)));
        assert_eq!(via.transaction_branch(), Some(&b"z9hG4bK9ik"[..]));
    }

    #[test]
    fn rport_and_received_are_read() {
        let via = Via::parse(b"SIP/2.0/UDP [2001:db8::9]:5060;rport;received=[2001:db8::1]").unwrap();
        assert_eq!(via.rport(), Some(None));
        assert_eq!(via.received(), Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))));
        let via = Via::parse(b"SIP/2.0/UDP h;rport=5062;received=2001:db8::1").unwrap();
        assert_eq!(via.rport(), Some(Some(5062)));
        assert!(via.received().is_some());
    }

    #[test]
    fn a_bare_cookie_identifies_no_transaction() {
        let via = Via::parse(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK").unwrap();
        assert_eq!((via.branch(), via.transaction_branch()), (Some(&b"z9hG4bK"[..]), None));
    }

    #[test]
    fn unknown_transports_are_read_and_broken_values_refused() {
        assert_eq!(Via::parse(b"SIP/2.0/SCTP h").unwrap().transport(), None);
        for wrong in [
            &b""[..],
            b"SIP/2.0 h",
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP ;a",
            b"SIP/2.0/UDP h;;,;,,",
            b"SIP/2.0/UDP h:x",
            b"SIP/3.0/UDP h",
            b"HTTP/1.1/TCP h",
            b"SIP/2.0/UDP a b",
        ] {
            assert!(Via::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
