//! The phone page and the library, from the binary itself: no folder to install, none to lose.

use std::borrow::Cow;

use net::{Bytes, HttpRequest, HttpResponse};

/// One file, in the forms that are sent.
struct File {
    path: &'static str,
    /// The entity tag, with its quotes.
    tag: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What a server is built without the page says in its place.
const NOT_BUILT: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Sipweb</title>
<h1>The server runs. The phone page is missing.</h1>
<p>This binary was built before the page was. In the project's folder, run</p>
<pre>cargo xtask build</pre>
<p>and start the server again. SIP phones and WebSocket clients can connect all the same.</p>
</html>
";

/// Scripts and styles from this server only; WebAssembly, which the library is; WebSockets to anywhere, for the
/// phone may be told another server.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; media-src 'self' blob: data:; connect-src 'self' ws: wss:; \
    manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The web side of the server.
pub(crate) struct WebPage {
    page: bool,
    /// The body of `/config.json`.
    settings: String,
}

/// What the page is told by `/config.json`.
#[derive(serde::Serialize)]
struct Settings<'a> {
    /// The domain of users that are typed without one.
    domain: &'a str,
    /// Where the WebSocket is, relative to the page.
    websocket: &'a str,
}

impl WebPage {
    /// The web side of the server for these domains, the main one first; with the phone page or without.
    pub(crate) fn new(page: bool, domains: &[String]) -> Self {
        let mut web_page = Self { page, settings: String::new() };
        web_page.serve(domains);
        web_page
    }

    /// From now on it is for these domains.
    pub(crate) fn serve(&mut self, domains: &[String]) {
        let domain = domains.first().map_or("", String::as_str);
        self.settings = serde_json::to_string(&Settings { domain, websocket: "/sip" }).unwrap_or_default();
    }

    /// Answers a request that is no WebSocket.
    pub(crate) fn answer(&self, request: &HttpRequest<'_>) -> HttpResponse {
        let path = request.target.split(['?', '#']).next().unwrap_or_default();
        let Some(response) = self.find(path, request) else {
            return plain(404, "There is nothing at this address.\n");
        };
        if !matches!(request.method, "GET" | "HEAD") {
            let mut response = plain(405, "Only GET and HEAD are of use here.\n");
            add(&mut response, "allow", "GET, HEAD");
            return response;
        }
        response
    }

    fn find(&self, path: &str, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        if path == "/sip" {
            return Some(upgrade_needed());
        }
        if path.starts_with("/library/") {
            return FILES.iter().find(|file| file.path == path).map(|file| library(file, request));
        }
        if !self.page {
            return None;
        }
        if path == "/config.json" {
            let mut response = with_type(200, "application/json", Bytes::from(self.settings.clone()));
            add(&mut response, "cache-control", "no-cache");
            return Some(response);
        }
        let path = if path == "/" { "/index.html" } else { path };
        if let Some(file) = FILES.iter().find(|file| file.path == path) {
            return Some(page(file, request));
        }
        (path == "/index.html").then(|| {
            let mut response =
                with_type(503, "text/html; charset=utf-8", Bytes::from_static(NOT_BUILT.as_bytes()));
            add(&mut response, "cache-control", "no-store");
            response
        })
    }
}

/// A file of the page.
fn page(file: &'static File, request: &HttpRequest<'_>) -> HttpResponse {
    let mut response = send(file, request);
    // Assets carry a hash of their content in their name; everything else is asked for again each time.
    let for_ever = file.path.starts_with("/assets/");
    add(
        &mut response,
        "cache-control",
        if for_ever { "public, max-age=31536000, immutable" } else { "no-cache" },
    );
    add(&mut response, "content-security-policy", POLICY);
    add(
        &mut response,
        "permissions-policy",
        "microphone=(self), camera=(self), geolocation=(), payment=(), usb=()",
    );
    add(&mut response, "referrer-policy", "no-referrer");
    add(&mut response, "cross-origin-opener-policy", "same-origin");
    response
}

/// A file of the library: for pages of any origin (Fetch §3.2, CORS).
fn library(file: &'static File, request: &HttpRequest<'_>) -> HttpResponse {
    let mut response = send(file, request);
    add(&mut response, "cache-control", "no-cache");
    add(&mut response, "access-control-allow-origin", "*");
    add(&mut response, "cross-origin-resource-policy", "cross-origin");
    response
}

/// The file in the smallest form that the browser takes; or nothing, if the browser has it (RFC 9110 §13.1.2).
fn send(file: &'static File, request: &HttpRequest<'_>) -> HttpResponse {
    let accepts = |coding: &str| request.header("accept-encoding").is_some_and(|list| accepts(list, coding));
    let (body, coding): (&'static [u8], Option<&'static str>) = match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
        _ => (file.identity, None),
    };
    let known = request.header("if-none-match").is_some_and(|tags| {
        tags.split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == file.tag || tag == "*")
    });
    let mut response = if known {
        HttpResponse { status: 304, headers: Vec::new(), body: Bytes::new() }
    } else {
        with_type(200, content_type(file.path), Bytes::from_static(body))
    };
    if let (Some(coding), false) = (coding, known) {
        add(&mut response, "content-encoding", coding);
    }
    // One tag for all codings: a weak one, for they differ octet by octet (RFC 9110 §8.8.1).
    response.headers.push(("etag".into(), Cow::Owned(format!("W/{}", file.tag))));
    add(&mut response, "vary", "accept-encoding");
    add(&mut response, "x-content-type-options", "nosniff");
    response
}

/// Whether `Accept-Encoding` takes a coding (RFC 9110 §12.5.3).
fn accepts(list: &str, coding: &str) -> bool {
    list.split(',').any(|element| {
        let mut parts = element.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused = parts.any(|parameter| {
            let quality = parameter.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            quality.is_some_and(|quality| quality <= 0.0)
        });
        named && !refused
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("ogg" | "opus") => "audio/ogg",
        Some("ts" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// RFC 9110 §15.5.22.
fn upgrade_needed() -> HttpResponse {
    let mut response = plain(426, "This address speaks SIP over WebSocket (RFC 7118).\n");
    add(&mut response, "upgrade", "websocket");
    add(&mut response, "connection", "upgrade");
    response
}

fn plain(status: u16, text: &'static str) -> HttpResponse {
    let mut response = with_type(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()));
    add(&mut response, "cache-control", "no-store");
    response
}

fn with_type(status: u16, content_type: &'static str, body: Bytes) -> HttpResponse {
    let mut response = HttpResponse { status, headers: Vec::new(), body };
    add(&mut response, "content-type", content_type);
    response
}

fn add(response: &mut HttpResponse, name: &'static str, value: &'static str) {
    response.headers.push((Cow::Borrowed(name), Cow::Borrowed(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_encodings() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("GZIP;q=0.5", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("br;q=0.000", "br"));
        assert!(accepts("br;q=1.0", "br"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("", "gzip"));
    }

    #[test]
    fn every_embedded_file_has_a_type_of_its_own() {
        for file in FILES {
            assert_ne!(content_type(file.path), "application/octet-stream", "{}", file.path);
        }
    }

    #[test]
    fn the_settings_are_json_whatever_the_domain() {
        let page = WebPage::new(true, &["a\"b".to_owned()]);
        assert_eq!(page.settings, r#"{"domain":"a\"b","websocket":"/sip"}"#);
    }
}
