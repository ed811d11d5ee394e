//! Where a token is shown when a WebSocket is opened (RFC 7118 §7). A browser's script can add no header to that request,
//! so there it is a cookie or a parameter of the URL (RFC 6750 §2.3); other programs write `Authorization`.

use std::borrow::Cow;

use sip::uri::escape::unescape;
use websocket::Request;

use super::Tokens;

impl Tokens {
    /// The token that the request shows. What was put there on purpose comes before a cookie.
    pub(super) fn shown<'a>(&self, request: &Request<'a>) -> Option<Cow<'a, str>> {
        let header = request.header("Authorization").and_then(|value| str::from_utf8(value).ok());
        if let Some(token) = header.and_then(bearer) {
            return Some(Cow::Borrowed(token));
        }
        let from_url = self.query.as_deref().and_then(|name| parameter(request.target(), name));
        from_url.map(Cow::Owned).or_else(|| {
            let name = self.cookie.as_deref()?;
            request
                .headers()
                .filter(|(header, _)| header.eq_ignore_ascii_case(b"Cookie"))
                .filter_map(|(_, value)| str::from_utf8(value).ok())
                .find_map(|value| cookie(value, name))
                .map(Cow::Borrowed)
        })
    }
}

/// The token in a header (RFC 6750 §2.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// The value of a cookie (RFC 6265 §4.2.1), without the quotes that it may have.
fn cookie<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        (known.trim() == name && !bare.is_empty()).then_some(bare)
    })
}

/// A parameter of the query, unescaped.
fn parameter(target: &str, name: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        let unescaped = unescape(value.as_bytes());
        // What is no text is no token.
        (known == name && !value.is_empty()).then(|| str::from_utf8(&unescaped).ok().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use websocket::Head;

    use super::super::tests::tokens;
    use super::*;

    fn shown(target: &str, headers: &str) -> Option<String> {
        let tokens = Tokens {
            cookie: Some("sip_token".to_owned()),
            query: Some("access_token".to_owned()),
            ..tokens()
        };
        let head = format!("GET {target} HTTP/1.1\r\nHost: example.com\r\n{headers}\r\n");
        let Ok(Head::Complete { request, .. }) = Request::parse(head.as_bytes()) else { panic!("{head}") };
        tokens.shown(&request).map(Cow::into_owned)
    }

    #[test]
    fn a_cookie_among_others_is_found() {
        let found = shown("/sip", "Cookie: theme=dark; sip_token=a.b.c; other=1\r\n");
        assert_eq!(found.as_deref(), Some("a.b.c"));
        assert_eq!(shown("/sip", "Cookie: a=b\r\ncookie: sip_token=\"a.b.c\"\r\n").as_deref(), Some("a.b.c"));
        for none in ["", "Cookie: sip_token=\r\n", "Cookie: not_sip_token=a\r\n", "Cookie: sip_token\r\n"] {
            assert_eq!(shown("/sip", none), None, "{none}");
        }
    }

    #[test]
    fn a_program_writes_it_into_authorization() {
        assert_eq!(shown("/sip", "Authorization: bearer  a.b.c\r\n").as_deref(), Some("a.b.c"));
        assert_eq!(shown("/sip", "Authorization: Basic YTpi\r\n"), None);
    }

    #[test]
    fn a_parameter_of_the_url_comes_before_a_cookie() {
        let cookie = "Cookie: sip_token=cookie\r\n";
        assert_eq!(shown("/sip?access_token=url", cookie).as_deref(), Some("url"));
        assert_eq!(shown("/sip?a=1&access_token=a%2Eb%2ec", "").as_deref(), Some("a.b.c"));
        assert_eq!(shown("/sip?access_token=", cookie).as_deref(), Some("cookie"));
        assert_eq!(shown("/sip?access_token=%ff", ""), None);
        assert_eq!(shown("/sip?access_token=100%", "").as_deref(), Some("100%"));
    }
}
