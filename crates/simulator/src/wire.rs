//! Replies on the wire, whole or broken on purpose: what lies below HTTP and what no HTTP library will do.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::state::Outcome;

/// Pieces of a drip.
const DROPS: usize = 16;

/// A reply, and its fate.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Body,
    /// Before the first byte; a stream spends half of it between its pieces.
    pub delay: Duration,
    pub wire: Wire,
    pub outcome: Outcome,
}

/// A body.
#[derive(Debug, Clone)]
pub enum Body {
    /// Sent at once, with its length.
    Whole(Vec<u8>),
    /// Sent piece by piece, chunked.
    Pieces(Vec<Vec<u8>>),
}

/// What the wire does to a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Nothing.
    Whole,
    /// RST before the first byte.
    ResetBefore,
    /// RST after half of the body.
    ResetWithin,
    /// FIN after half of a body with a length.
    CutBody,
    /// FIN after half of a chunked body.
    CutChunked,
    /// FIN after half of a body that ends with the connection.
    CutClose,
    /// Nothing is ever sent.
    Hang,
    /// The whole body, slowly.
    Drip(Duration),
}

impl Reply {
    /// How long to wait before the first byte.
    pub fn first_byte(&self) -> Duration {
        match &self.body {
            Body::Pieces(pieces) if pieces.len() > 1 => self.delay / 2,
            _ => self.delay,
        }
    }

    /// Sends the reply. `true` where the connection is good for another request. `settle` runs before the last bytes
    /// leave, so that whoever has the reply finds it counted.
    ///
    /// # Errors
    /// The client has gone.
    pub async fn send(
        self,
        stream: &mut TcpStream,
        keep_alive: bool,
        settle: impl FnOnce(),
    ) -> io::Result<bool> {
        let pause = self.delay - self.first_byte();
        match (self.wire, self.body) {
            (Wire::Hang, _) => Ok(false),
            (Wire::ResetBefore, _) => {
                settle();
                reset(stream)
            }
            (Wire::Whole, Body::Whole(body)) => {
                let mut bytes = head(self.status, self.content_type, Framing::Length(body.len()), keep_alive);
                bytes.extend_from_slice(&body);
                settle();
                stream.write_all(&bytes).await?;
                Ok(keep_alive)
            }
            (Wire::Whole, Body::Pieces(pieces)) => {
                stream.write_all(&head(self.status, self.content_type, Framing::Chunked, keep_alive)).await?;
                let gaps = u32::try_from(pieces.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
                for (index, piece) in pieces.iter().enumerate() {
                    if index > 0 && !pause.is_zero() {
                        tokio::time::sleep(pause / gaps).await;
                    }
                    stream.write_all(&chunk(piece)).await?;
                }
                settle();
                stream.write_all(b"0\r\n\r\n").await?;
                Ok(keep_alive)
            }
            (Wire::Drip(pause), body) => {
                let body = body.joined();
                stream
                    .write_all(&head(self.status, self.content_type, Framing::Length(body.len()), keep_alive))
                    .await?;
                let (first, last) = body.split_at(body.len() - body.len() / DROPS);
                for drop in first.chunks(body.len().div_ceil(DROPS).max(1)) {
                    stream.write_all(drop).await?;
                    tokio::time::sleep(pause).await;
                }
                settle();
                stream.write_all(last).await?;
                Ok(keep_alive)
            }
            (wire, body) => {
                let body = body.joined();
                let half = &body[..body.len() / 2];
                let (framing, sent) = match wire {
                    Wire::CutChunked => (Framing::Chunked, chunk(half)),
                    Wire::CutClose => (Framing::Close, half.to_vec()),
                    _ => (Framing::Length(body.len()), half.to_vec()),
                };
                let mut bytes = head(self.status, self.content_type, framing, wire != Wire::CutClose);
                bytes.extend_from_slice(&sent);
                settle();
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                if wire == Wire::ResetWithin {
                    return reset(stream);
                }
                stream.shutdown().await?;
                Ok(false)
            }
        }
    }
}

impl Body {
    fn joined(self) -> Vec<u8> {
        match self {
            Self::Whole(body) => body,
            Self::Pieces(pieces) => pieces.concat(),
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
    Close,
}

fn head(status: u16, content_type: &str, framing: Framing, keep_alive: bool) -> Vec<u8> {
    let framing = match framing {
        Framing::Length(length) => format!("Content-Length: {length}\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".into(),
        Framing::Close => String::new(),
    };
    let connection = if keep_alive { "" } else { "Connection: close\r\n" };
    let reason = reason(status);
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nServer: simulator\r\n{framing}{connection}\r\n"
    )
    .into_bytes()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// Makes the coming close a RST: unread and unsent bytes are thrown away.
fn reset(stream: &TcpStream) -> io::Result<bool> {
    stream.set_zero_linger()?;
    Ok(false)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}
