//! The HTTP request that becomes a WebSocket.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{CONTENT_TYPE, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// What the upgrade request said, for plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HttpRequest {
    /// Names in lower case, in the order of the request; values that are not text are left out.
    pub(crate) headers: Vec<(String, String)>,
}

/// Answers the upgrade request.
pub(super) async fn accept<S>(
    stream: S,
    path: &str,
    configuration: WebSocketConfig,
) -> Result<(WebSocketStream<S>, HttpRequest), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut seen = HttpRequest::default();
    let door = Door { path, seen: &mut seen };
    let stream = accept_hdr_async_with_config(stream, door, Some(configuration)).await?;
    Ok((stream, seen))
}

/// Decides about the request and remembers what it said.
struct Door<'a> {
    path: &'a str,
    seen: &'a mut HttpRequest,
}

impl Callback for Door<'_> {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        if request.uri().path() != self.path {
            let text = format!("There is no MQTT here; it is at {}.\n", self.path);
            return Err(refusal(StatusCode::NOT_FOUND, text));
        }
        let Some(subprotocol) = subprotocol(request.headers()) else {
            let text = "The subprotocol \"mqtt\" is missing in Sec-WebSocket-Protocol [MQTT-6.0.0-3].\n";
            return Err(refusal(StatusCode::BAD_REQUEST, text.into()));
        };
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        self.seen.headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(response)
    }
}

/// The offered subprotocol that is answered [MQTT-6.0.0-4]: `mqtt`, or what clients of MQTT 3.1 call it.
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    let offered = || {
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',').map(str::trim))
    };
    SUBPROTOCOLS.into_iter().find(|known| offered().any(|name| name == *known))
}

fn refusal(status: StatusCode, text: String) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// In the order in which they are preferred.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
