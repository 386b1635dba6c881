#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// Two ends of one TCP connection: the broker's and the client's.
pub(super) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (server, client) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (server.unwrap().0, client.unwrap())
}

/// Everything of `bytes`, through the owner.
pub(super) async fn write_all(owned: &mut Owned, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|context| owned.poll_write(context, bytes)).await?;
        bytes = &bytes[written..];
    }
    poll_fn(|context| owned.poll_flush(context)).await
}

/// The next bytes that arrive; empty at the end.
pub(super) async fn read(owned: &mut Owned) -> io::Result<Vec<u8>> {
    let mut space = [0; 4096];
    let mut buffer = ReadBuf::new(&mut space);
    poll_fn(|context| owned.poll_read(context, &mut buffer)).await?;
    Ok(buffer.filled().to_vec())
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    assert_eq!(size_of::<Owned>(), 16);
    assert!(size_of::<Writer>() <= 16);
}

#[tokio::test]
async fn anyone_may_write_into_plain_tcp() {
    let (server, mut client) = pair().await;
    let (mut owned, writer) = Transport::Tcp(server).split();
    assert!(writer.inline_capable());
    let shared = std::thread::spawn(move || {
        writer.try_write(b"from a thread, ").unwrap();
        writer
    });
    let writer = shared.join().unwrap();
    writer.try_write(b"in pieces, ").unwrap();
    write_all(&mut owned, b"by the owner").await.unwrap();
    poll_fn(|context| owned.poll_shutdown(context)).await.unwrap();
    let mut all = String::new();
    timeout(PATIENCE, client.read_to_string(&mut all)).await.unwrap().unwrap();
    assert_eq!(all, "from a thread, in pieces, by the owner");
}

#[tokio::test]
async fn the_owner_continues_when_a_full_socket_has_room_again() {
    let (server, mut client) = pair().await;
    let (mut owned, writer) = Transport::Tcp(server).split();
    let block = vec![7; 1 << 16];
    let mut sent = 0;
    loop {
        match writer.try_write(&block) {
            Ok(written) => sent += written,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                break;
            }
        }
    }
    let rest = tokio::spawn(async move {
        write_all(&mut owned, &block).await.unwrap();
        poll_fn(|context| owned.poll_shutdown(context)).await.unwrap();
        block.len()
    });
    let mut received = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received.len(), sent + rest.await.unwrap());
}

#[tokio::test]
async fn only_the_owner_writes_into_a_layered_stream() {
    let (server, mut client) = tokio::io::duplex(64);
    let (mut owned, writer) = Transport::Layered(Box::new(server)).split();
    assert!(!writer.inline_capable());
    assert_eq!(writer.try_write(b"no").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    write_all(&mut owned, b"yes").await.unwrap();
    client.write_all(b"back").await.unwrap();
    assert_eq!(read(&mut owned).await.unwrap(), b"back");
}

#[tokio::test]
async fn the_last_words_survive_unread_input() {
    let (server, mut client) = pair().await;
    let (mut owned, writer) = Transport::Tcp(server).split();
    drop(writer);
    client.write_all(&[0; 100_000]).await.unwrap();
    write_all(&mut owned, b"goodbye").await.unwrap();
    poll_fn(|context| owned.poll_shutdown(context)).await.unwrap();
    let closing = tokio::spawn(async move {
        poll_fn(|context| owned.poll_discard(context)).await;
        drop(owned);
    });
    let mut last = String::new();
    timeout(PATIENCE, client.read_to_string(&mut last)).await.unwrap().unwrap();
    assert_eq!(last, "goodbye");
    drop(client);
    timeout(PATIENCE, closing).await.unwrap().unwrap();
}
