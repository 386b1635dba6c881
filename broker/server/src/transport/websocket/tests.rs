#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};

use super::*;

type Client = WebSocketStream<DuplexStream>;
type Served = io::Result<(WebSocket<DuplexStream>, HttpRequest)>;
type Answered = Result<(Client, Response<Option<Vec<u8>>>), Error>;

/// A client that asks for `path` with `subprotocols`, and what both sides say to it.
async fn shake(path: &str, subprotocols: Option<&'static str>) -> (Served, Answered) {
    let (near, far) = duplex(1 << 16);
    let mut request = format!("ws://broker{path}").into_client_request().unwrap();
    request.headers_mut().insert("x-token", HeaderValue::from_static("secret"));
    if let Some(subprotocols) = subprotocols {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(subprotocols));
    }
    let both = async { tokio::join!(accept(near, "/mqtt", 1000), client_async(request, far)) };
    timeout(Duration::from_secs(10), both).await.unwrap()
}

async fn connected() -> (WebSocket<DuplexStream>, Client) {
    let (server, client) = shake("/mqtt", Some("mqtt")).await;
    (server.unwrap().0, client.unwrap().0)
}

fn status(refused: Answered) -> u16 {
    match refused.unwrap_err() {
        Error::Http(response) => response.status().as_u16(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_subprotocol_is_echoed_and_the_headers_are_kept() {
    let (server, client) = shake("/mqtt?tenant=a", Some("other, mqttv3.1, mqtt")).await;
    let (_, request) = server.unwrap();
    assert!(request.headers.contains(&("x-token".into(), "secret".into())));
    let (_, response) = client.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
}

#[tokio::test]
async fn a_client_of_3_1_may_use_its_own_name() {
    let (server, client) = shake("/mqtt", Some("mqttv3.1")).await;
    assert!(server.is_ok());
    assert_eq!(client.unwrap().1.headers()["sec-websocket-protocol"], "mqttv3.1");
}

#[tokio::test]
async fn another_path_is_not_found_and_a_missing_subprotocol_is_a_bad_request() {
    let (server, client) = shake("/elsewhere", Some("mqtt")).await;
    assert!(server.is_err());
    assert_eq!(status(client), 404);
    for subprotocols in [None, Some("graphql-ws")] {
        let (server, client) = shake("/mqtt", subprotocols).await;
        assert!(server.is_err());
        assert_eq!(status(client), 400);
    }
}

#[tokio::test]
async fn packets_may_span_frames_and_frames_may_hold_several() {
    let (mut server, mut client) = connected().await;
    for part in [&b"ab"[..], b"", b"cdef"] {
        client.send(Message::Binary(part.to_vec().into())).await.unwrap();
    }
    let mut all = [0; 6];
    server.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"abcdef");
}

#[tokio::test]
async fn what_is_written_between_two_flushes_is_one_frame() {
    let (mut server, mut client) = connected().await;
    server.write_all(b"one ").await.unwrap();
    server.write_all(b"frame").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Binary(Bytes::from_static(b"one frame")));
}

#[tokio::test]
async fn much_written_is_many_frames_of_bounded_size() {
    let (mut server, mut client) = connected().await;
    let sent = vec![5; 5 * FRAME_BYTES_MAX + 1];
    let length = sent.len();
    let writing = tokio::spawn(async move {
        server.write_all(&sent).await.unwrap();
        server.shutdown().await.unwrap();
        server
    });
    let mut received = 0;
    while let Some(Ok(Message::Binary(bytes))) = client.next().await {
        assert!(bytes.len() <= FRAME_BYTES_MAX);
        received += bytes.len();
    }
    assert_eq!(received, length);
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn a_ping_is_answered_while_reading() {
    let (mut server, mut client) = connected().await;
    client.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    let reading = tokio::spawn(async move { server.read_u8().await });
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
    client.send(Message::Binary(Bytes::from_static(&[9]))).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), 9);
}

#[tokio::test]
async fn mqtt_6_0_0_1_a_text_frame_closes_with_1003() {
    let (mut server, mut client) = connected().await;
    client.send(Message::Text("hello".into())).await.unwrap();
    let error = server.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("MQTT-6.0.0-1"), "{error}");
    assert_eq!(close_code(&mut client).await, CloseCode::Unsupported);
}

#[tokio::test]
async fn a_message_larger_than_allowed_closes_with_1009() {
    let (mut server, mut client) = connected().await;
    client.send(Message::Binary(vec![0; 1001].into())).await.unwrap();
    assert!(server.read_u8().await.is_err());
    assert_eq!(close_code(&mut client).await, CloseCode::Size);
}

#[tokio::test]
async fn both_sides_close_by_the_book() {
    let (mut server, mut client) = connected().await;
    server.write_all(b"bye").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Binary(Bytes::from_static(b"bye")));
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    let closing = async {
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        drop(server);
    };
    let ((), end) = tokio::join!(closing, client.next());
    assert!(end.is_none());

    let (mut server, mut client) = connected().await;
    client.close(None).await.unwrap();
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
}

async fn close_code(client: &mut Client) -> CloseCode {
    match timeout(Duration::from_secs(10), client.next()).await.unwrap() {
        Some(Ok(Message::Close(Some(frame)))) => frame.code,
        other => panic!("no close frame: {other:?}"),
    }
}
