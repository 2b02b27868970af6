//! One attempt against a server that writes raw bytes and then misbehaves.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vertex::{Attempt, Options, Outcome, TransientKind};

use crate::{client_with, fixture, request};

#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Hang,
}

/// Answers one connection with `bytes`, then ends as told.
async fn serve(bytes: Vec<u8>, end: End) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        match end {
            End::Close => drop(stream),
            End::Reset => {
                stream.set_zero_linger().unwrap();
                drop(stream);
            }
            End::Hang => std::future::pending().await,
        }
    });
    address
}

/// Reads all of a request, since closing a socket with unread bytes would reset it.
async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        seen.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap().parse().unwrap();
        if body.len() >= length {
            return;
        }
    }
}

async fn attempt(bytes: impl Into<Vec<u8>>, end: End, deadline: Duration) -> Attempt {
    let address = serve(bytes.into(), end).await;
    let options = Options { deadline, ..Options::default() };
    client_with(&format!("http://{address}"), options).generate(&request()).await
}

fn kind(attempt: &Attempt) -> TransientKind {
    match &attempt.outcome {
        Outcome::Transient(transient) => transient.kind,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const HALF: &str = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"half an ans";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[tokio::test]
async fn a_cut_reply_goes_again_and_its_beginning_is_kept() {
    let counted = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{HALF}");
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk(HALF));
    let until_close = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{HALF}");
    for bytes in [counted, chunked, until_close] {
        let attempt = attempt(bytes.as_str(), End::Close, LONG).await;
        assert_eq!(kind(&attempt), TransientKind::Cut, "{bytes}");
        assert_eq!(attempt.body, HALF, "{bytes}");
        assert_eq!(attempt.status, Some(200), "{bytes}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_reply_goes_again() {
    for end in [End::Close, End::Reset] {
        let attempt = attempt("", end, LONG).await;
        assert_eq!(kind(&attempt), TransientKind::Cut);
        assert_eq!((attempt.status, attempt.body.as_str()), (None, ""));
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_goes_again() {
    let bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{HALF}");
    assert_eq!(kind(&attempt(bytes, End::Reset, LONG).await), TransientKind::Cut);
}

#[tokio::test]
async fn an_answer_that_is_whole_is_kept_though_the_connection_broke_after_it() {
    let answer = String::from_utf8(fixture("200-answer").1).unwrap();
    // The chunk that says "no more" never comes.
    let bytes = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk(&answer));
    for (end, deadline) in [(End::Close, LONG), (End::Hang, SHORT)] {
        let attempt = attempt(bytes.as_str(), end, deadline).await;
        assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_deadline() {
    let half = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{HALF}");
    for (bytes, kept) in [("", ""), (half.as_str(), HALF)] {
        let attempt = attempt(bytes, End::Hang, SHORT).await;
        assert_eq!(kind(&attempt), TransientKind::Deadline);
        assert_eq!(attempt.body, kept);
    }
}

#[tokio::test]
async fn an_unreachable_address_is_named() {
    // Bound and let go: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = client_with(&format!("http://{address}"), Options::default());
    let Outcome::Transient(transient) = client.generate(&request()).await.outcome else {
        panic!("not transient")
    };
    assert_eq!(transient.kind, TransientKind::Connect);
    assert!(
        transient.message.starts_with(&format!("cannot reach http://{address}: ")),
        "{}",
        transient.message
    );
}
