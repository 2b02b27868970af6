//! HTTP/1.1 requests off a socket: as much of RFC 9112 as clients use.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEAD: usize = 64 * 1024;
const BODY: usize = 64 * 1024 * 1024;

/// A request that arrived whole.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// A bearer token or an API key; empty where there is none.
    pub token: String,
    /// Whether the client wants the connection kept.
    pub keep_alive: bool,
    pub body: Vec<u8>,
}

enum Length {
    Known(usize),
    Chunked,
}

/// Reads the next request; `buffer` keeps what belongs to the one after. `None` when the client has closed.
///
/// # Errors
/// The connection broke, or what came is no HTTP.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > HEAD {
            return Err(invalid("the request's head is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let (mut request, length, expects) = parse_head(&head)?;
    if expects && buffer.len() == end {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let used = match length {
        Length::Known(length) => {
            fill(stream, buffer, end + length).await?;
            request.body = buffer[end..end + length].to_vec();
            end + length
        }
        Length::Chunked => read_chunks(stream, buffer, end, &mut request.body).await?,
    };
    buffer.drain(..used);
    Ok(Some(request))
}

fn parse_head(head: &str) -> io::Result<(Request, Length, bool)> {
    let mut lines = head.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = first[..] else { return Err(invalid("the request line is malformed")) };
    let mut request = Request {
        method: method.into(),
        // An absolute target is what a proxy is sent; only its path counts here.
        target: target
            .strip_prefix("http://")
            .map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]))
            .into(),
        keep_alive: version != "HTTP/1.0",
        ..Request::default()
    };
    let (mut length, mut expects) = (Length::Known(0), false);
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { return Err(invalid("a header has no colon")) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let bytes = value.parse().ok().filter(|bytes| *bytes <= BODY);
                length = Length::Known(bytes.ok_or_else(|| invalid("the content length is no length"))?);
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => length = Length::Chunked,
            "connection" => request.keep_alive &= !value.eq_ignore_ascii_case("close"),
            "expect" => expects = value.eq_ignore_ascii_case("100-continue"),
            "authorization" => request.token = value.strip_prefix("Bearer ").unwrap_or(value).into(),
            "x-goog-api-key" => request.token = value.into(),
            _ => {}
        }
    }
    if request.token.is_empty() {
        let key = request.target.split(['?', '&']).find_map(|pair| pair.strip_prefix("key="));
        request.token = key.unwrap_or_default().into();
    }
    Ok((request, length, expects))
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Reads chunks into `body` and gives the place in `buffer` where they end.
async fn read_chunks(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    from: usize,
    body: &mut Vec<u8>,
) -> io::Result<usize> {
    let mut at = from;
    loop {
        let line = loop {
            if let Some(end) = buffer[at..].windows(2).position(|window| window == b"\r\n") {
                break at + end;
            }
            fill(stream, buffer, buffer.len() + 1).await?;
        };
        let size = String::from_utf8_lossy(&buffer[at..line]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .ok()
            .filter(|size| *size <= BODY.saturating_sub(body.len()))
            .ok_or_else(|| invalid("a chunk has no size"))?;
        let start = line + 2;
        fill(stream, buffer, start + size + 2).await?;
        body.extend_from_slice(&buffer[start..start + size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(at);
        }
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
