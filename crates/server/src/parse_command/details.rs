//! What the value of a header says, part by part.

use serde::ser::{Serialize, SerializeMap, Serializer};
use sip::header::SubscriptionState;
use sip::header::list::elements;
use sip::header::{
    AuthParameters, Date, Event, HeaderName, Parameters, RAck, Reason, Replaces, SessionExpires,
};
use sip::{CSeq, Contact, HeaderError, Host, NameAddress, Scheme, Uri, Via};

use crate::log::Escaped;

/// Named parts, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Details(pub(super) Vec<(String, String)>);

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Details {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn add_octets(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.add(name, shown(value));
        }
    }

    fn add_parameters(&mut self, prefix: &str, parameters: Parameters<'_>) {
        for parameter in parameters.iter() {
            let name = format!("{prefix}{}", shown(parameter.name).to_ascii_lowercase());
            self.add(&name, parameter.value.map_or_else(|| "(set)".to_owned(), shown));
        }
    }
}

/// Octets as text, fit for a terminal.
pub(super) fn shown(octets: &[u8]) -> String {
    Escaped(octets).to_string()
}

/// Each value of a header field, and what it says or why it cannot be read.
pub(super) fn of(name: HeaderName, value: &[u8]) -> Vec<(&[u8], Result<Details, HeaderError>)> {
    if name.is_list() {
        return elements(value).present().map(|element| (element, one(name, element))).collect();
    }
    vec![(value, one(name, value))]
}

fn one(name: HeaderName, value: &[u8]) -> Result<Details, HeaderError> {
    let mut details = Details::default();
    match name {
        HeaderName::Via => return Via::parse(value).map(|via| via_details(&via)),
        HeaderName::Contact => return contact(value),
        HeaderName::From
        | HeaderName::To
        | HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::Path
        | HeaderName::ServiceRoute
        | HeaderName::ReferTo
        | HeaderName::ReferredBy
        | HeaderName::PAssertedIdentity
        | HeaderName::PPreferredIdentity => return address(&NameAddress::parse(value)?),
        HeaderName::CSeq => {
            let cseq = CSeq::parse(value)?;
            details.add("number", cseq.number.to_string());
            details.add("method", shown(cseq.method.as_bytes()));
        }
        HeaderName::MaxForwards => details.add("hops left", number(value)?),
        HeaderName::ContentLength => details.add("octets", number(value)?),
        HeaderName::Expires | HeaderName::MinExpires | HeaderName::RetryAfter => {
            details.add("seconds", number(value)?);
        }
        HeaderName::RSeq => details.add("number", number(value)?),
        HeaderName::Authorization
        | HeaderName::ProxyAuthorization
        | HeaderName::WwwAuthenticate
        | HeaderName::ProxyAuthenticate => {
            return AuthParameters::parse(value).map(|auth| auth_details(&auth));
        }
        HeaderName::AuthenticationInfo | HeaderName::ProxyAuthenticationInfo => {
            return AuthParameters::parse_info(value).map(|auth| auth_details(&auth));
        }
        _ => return rare(name, value),
    }
    Ok(details)
}

/// Headers that not every call has.
fn rare(name: HeaderName, value: &[u8]) -> Result<Details, HeaderError> {
    let mut details = Details::default();
    match name {
        HeaderName::Reason => {
            let reason = Reason::parse(value)?;
            details.add("protocol", shown(reason.protocol()));
            if let Some(cause) = reason.cause() {
                details.add("cause", cause.to_string());
            }
            details.add_octets("text", reason.text().as_deref());
        }
        HeaderName::Event => {
            let event = Event::parse(value)?;
            details.add("package", shown(event.package()));
            details.add_parameters("", event.parameters());
        }
        HeaderName::SubscriptionState => {
            let state = SubscriptionState::parse(value)?;
            details.add("state", shown(state.state()));
            details.add_parameters("", state.parameters());
        }
        HeaderName::SessionExpires => {
            let session = SessionExpires::parse(value)?;
            details.add("seconds", session.seconds.to_string());
            details.add_octets("refresher", session.refresher);
        }
        HeaderName::RAck => {
            let acknowledged = RAck::parse(value)?;
            details.add("response", acknowledged.response.to_string());
            details.add("number", acknowledged.number.to_string());
            details.add("method", shown(acknowledged.method.as_bytes()));
        }
        HeaderName::Replaces => {
            let replaces = Replaces::parse(value)?;
            details.add("call-id", shown(replaces.call_id));
            details.add("to-tag", shown(replaces.to_tag));
            details.add("from-tag", shown(replaces.from_tag));
            if replaces.early_only {
                details.add("early-only", "(set)");
            }
        }
        HeaderName::Date => {
            let date = Date::parse(value)?;
            let Date { year, month, day, hour, minute, second, .. } = date;
            details
                .add("time", format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"));
        }
        _ => {}
    }
    Ok(details)
}

fn number(value: &[u8]) -> Result<String, HeaderError> {
    sip::header::leading_number(value).map(|number| number.to_string())
}

fn contact(value: &[u8]) -> Result<Details, HeaderError> {
    let contact = Contact::parse(value)?;
    match contact.address() {
        Some(found) => address(found),
        None => {
            let mut details = Details::default();
            details.add("all contacts", "*");
            details.add_parameters("", contact.parameters());
            Ok(details)
        }
    }
}

fn address(address: &NameAddress<'_>) -> Result<Details, HeaderError> {
    let mut details = Details::default();
    details.add_octets("display name", address.display_text().as_deref());
    match address.uri() {
        Ok(found) => details.0.extend(uri(&found).0),
        Err(error) => return Err(HeaderError::malformed(HeaderName::Other, error.reason())),
    }
    details.add_parameters("", address.parameters());
    Ok(details)
}

/// The parts of a URI.
pub(super) fn uri(uri: &Uri<'_>) -> Details {
    let mut details = Details::default();
    details.add("scheme", shown(uri.scheme_bytes()));
    if uri.scheme() == Scheme::Other {
        return details;
    }
    if uri.scheme() == Scheme::Tel {
        details.add_octets("number", uri.user());
    } else {
        details.add_octets("user", uri.user());
        if uri.password().is_some() {
            details.add("password", "(hidden)");
        }
        details.add("host", host(uri.host()));
        if let Some(port) = uri.port() {
            details.add("port", port.to_string());
        }
    }
    for parameter in uri.parameters() {
        let name = format!("uri {}", shown(parameter.name).to_ascii_lowercase());
        details.add(&name, parameter.value.map_or_else(|| "(set)".to_owned(), shown));
    }
    for header in uri.headers() {
        details
            .add(&format!("uri header {}", shown(header.name)), header.value.map_or_else(String::new, shown));
    }
    details
}

fn host(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => shown(name),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => format!("[{address}]"),
    }
}

fn via_details(via: &Via<'_>) -> Details {
    let mut details = Details::default();
    details.add("transport", shown(via.transport_token()));
    details.add("host", host(via.host()));
    if let Some(port) = via.port() {
        details.add("port", port.to_string());
    }
    details.add_parameters("", via.parameters());
    details
}

fn auth_details(auth: &AuthParameters<'_>) -> Details {
    let mut details = Details::default();
    if !auth.scheme().is_empty() {
        details.add("scheme", shown(auth.scheme()));
    }
    for parameter in auth.iter() {
        details.add(
            &shown(parameter.name).to_ascii_lowercase(),
            parameter.value.map_or_else(String::new, shown),
        );
    }
    details
}
