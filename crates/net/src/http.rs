//! Plain HTTP requests: hyper over our own connection.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::rt::ReadBufCursor;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioTimer;
use websocket::Head;

use crate::connection::{Connection, State};
use crate::handler::{HttpRequest, HttpResponse};
use crate::shared::{Life, READ, Shared};
use crate::upgrade;

/// Serves requests until the connection closes, or until one of them has made it a WebSocket.
///
/// The first request of a connection may ask for a WebSocket without coming here. A later one comes here when a
/// proxy in front of us keeps its connections.
pub(crate) async fn serve(net: &Rc<Shared>, connection: &Rc<Connection>) {
    let io = Io {
        net: Rc::clone(net),
        connection: Rc::clone(connection),
        prefix: Bytes::from(connection.partial.take().into_vec()),
    };
    let upgraded = Cell::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(net, connection, request);
        upgraded.set(response.status() == StatusCode::SWITCHING_PROTOCOLS);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(net.limits.http_idle)
        .max_buf_size(READ)
        .serve_connection(io, service);
    let mut asked = false;
    std::future::poll_fn(|cx| {
        connection.remember(cx.waker());
        if connection.state() == State::Dead {
            return Poll::Ready(());
        }
        if net.life.get() != Life::Running && !asked {
            asked = true;
            Pin::new(&mut served).graceful_shutdown();
        }
        served.poll_without_shutdown(cx).map(|_| ())
    })
    .await;
    if upgraded.get() && connection.is_open() {
        let mut behind = served.into_parts().read_buf.to_vec();
        connection.begin_websocket(net);
        connection.take_in(net, &mut behind);
    } else {
        connection.begin_closing(net);
    }
}

fn answer(net: &Rc<Shared>, connection: &Connection, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, _) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if parts.headers.contains_key(UPGRADE)
        && let Some(response) = answer_upgrade(net, connection, &parts, target)
    {
        return response;
    }
    let question = HttpRequest {
        remote: connection.flow.remote,
        local: connection.flow.local,
        secure: connection.protocol.is_secure(),
        method: parts.method.as_str(),
        target,
        headers: &parts.headers,
    };
    let mut response = net
        .call(|handler| handler.http(&question))
        .unwrap_or_else(|| HttpResponse::text(500, "internal error\n"));
    if response.status == 101 {
        // Only we change protocols.
        response.status = 500;
    }
    build(response)
}

/// The answer to a request for a WebSocket; `None` if it asks for another protocol.
fn answer_upgrade(
    net: &Rc<Shared>,
    connection: &Connection,
    parts: &Parts,
    target: &str,
) -> Option<Response<Full<Bytes>>> {
    let head = head_of(parts, target);
    let Ok(Head::Complete { request, .. }) = websocket::Request::parse(&head) else { return None };
    if !request.asks_for_websocket() {
        return None;
    }
    let mut response = Response::new(Full::default());
    match upgrade::decide(net, connection, &request) {
        Ok(upgrade) => {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(upgrade.accept()).ok()?);
        }
        Err(refused) => {
            upgrade::report(net, connection, &refused);
            *response.status_mut() = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            if let Some((name, value)) = refused.header {
                headers
                    .insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_static(value));
            }
            *response.body_mut() = Full::new(Bytes::from(format!("{}\n", refused.reason)));
        }
    }
    Some(response)
}

/// The head as it came, for the one parser and the one set of rules that decide on WebSockets.
fn head_of(parts: &Parts, target: &str) -> Vec<u8> {
    let version = if parts.version == Version::HTTP_11 { " HTTP/1.1\r\n" } else { " HTTP/1.0\r\n" };
    let mut head = Vec::new();
    for text in [parts.method.as_str(), " ", target, version] {
        head.extend_from_slice(text.as_bytes());
    }
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn build(response: HttpResponse) -> Response<Full<Bytes>> {
    let mut built = Response::new(Full::new(response.body));
    *built.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        // What cannot be a header is left out; it would split the response.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            built.headers_mut().append(name, value);
        }
    }
    built
}

/// Our connection as hyper wants to see it.
struct Io {
    net: Rc<Shared>,
    connection: Rc<Connection>,
    /// What was read before hyper took over.
    prefix: Bytes,
}

impl hyper::rt::Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let length = into.remaining().min(self.prefix.len());
            into.put_slice(&self.prefix.split_to(length));
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut buffer = self.net.take_buffer();
            let length = into.remaining().min(buffer.len());
            let free = buffer.get_mut(..length).unwrap_or_default();
            let outcome = self.connection.read_plain(&self.net, free);
            if let Ok(length) = outcome {
                into.put_slice(free.get(..length).unwrap_or_default());
            }
            self.net.give_buffer(buffer);
            match outcome {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.connection.poll_read_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.connection.poll_flush(&self.net, cx));
        // One part at a time, so that a large page never counts as a slow reader's backlog.
        let length = bytes.len().min(READ).min(self.net.limits.send_queue / 2);
        self.connection.write(&self.net, bytes.get(..length).unwrap_or_default(), &[]);
        if self.connection.state() == State::Dead {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_flush(&self.net, cx).map(Ok)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection ends itself.
        Poll::Ready(Ok(()))
    }
}
