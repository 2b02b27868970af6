//! A client that sees the bytes: what a library would smooth over is what these tests are about.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Scenario, Simulator};

pub const MODEL: &str = "gemini-3.1-pro-preview";
/// A scenario's thoughts, small and known: 100 hidden tokens for every prompt at level high.
pub const THOUGHTS: &str = "\n[thoughts]\nmedian = 100\nsigma = 0\n";

/// A reply that came whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// How a reply broke off.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// RST after so many bytes.
    Reset(usize),
    /// FIN after so many bytes, where more were due.
    Closed(usize),
    /// Nothing for as long as the client waits.
    Silent,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn said(&self) -> String {
        self.json()["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap_or_default().into()
    }

    pub fn finish(&self) -> String {
        self.json()["candidates"][0]["finishReason"].as_str().unwrap_or_default().into()
    }

    pub fn usage(&self, field: &str) -> u64 {
        self.json()["usageMetadata"][field].as_u64().unwrap_or_default()
    }
}

/// Starts a simulator on a scenario's text.
pub fn start(scenario: &str) -> Simulator {
    Simulator::start(Scenario::parse("test.toml", scenario).unwrap()).unwrap()
}

/// A request for `prompt` with room for `most` tokens.
pub fn body(prompt: &str, most: u64) -> Value {
    json!({
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "systemInstruction": {"parts": [{"text": "You are a careful assistant."}]},
        "generationConfig": {"maxOutputTokens": most, "thinkingConfig": {"thinkingLevel": "high"}},
    })
}

pub fn vertex(verb: &str) -> String {
    format!("/v1/projects/p/locations/global/publishers/google/models/{MODEL}:{verb}")
}

pub fn developer(verb: &str) -> String {
    format!("/v1beta/models/{MODEL}:{verb}")
}

/// Asks for text on Vertex.
pub fn ask(simulator: &Simulator, prompt: &str, most: u64) -> Reply {
    post(simulator, &vertex("generateContent"), &body(prompt, most))
        .unwrap_or_else(|broken| panic!("{broken:?}"))
}

/// Asks for text on Vertex where the reply may break off.
pub fn try_ask(simulator: &Simulator, prompt: &str) -> Result<Reply, Broken> {
    post(simulator, &vertex("generateContent"), &body(prompt, 8_192))
}

pub fn post(simulator: &Simulator, target: &str, body: &Value) -> Result<Reply, Broken> {
    send(simulator, "POST", target, "", body.to_string().as_bytes())
}

pub fn get(simulator: &Simulator, target: &str) -> Reply {
    send(simulator, "GET", target, "", b"").unwrap_or_else(|broken| panic!("{broken:?}"))
}

/// One request on a connection of its own; `headers` are whole lines.
pub fn send(
    simulator: &Simulator,
    method: &str,
    target: &str,
    headers: &str,
    body: &[u8],
) -> Result<Reply, Broken> {
    let mut stream = connect(simulator);
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    read(&mut stream)
}

pub fn connect(simulator: &Simulator) -> TcpStream {
    let stream = TcpStream::connect(simulator.base_url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Reads one reply, however it is framed.
pub fn read(stream: &mut TcpStream) -> Result<Reply, Broken> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let lower = head.to_lowercase();
    let body = if let Some(rest) = lower.split("content-length: ").nth(1) {
        let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
        while bytes.len() < end + length {
            more(stream, &mut bytes)?;
        }
        bytes[end..end + length].to_vec()
    } else if lower.contains("transfer-encoding: chunked") {
        while !bytes.ends_with(b"\r\n0\r\n\r\n") {
            more(stream, &mut bytes)?;
        }
        unchunk(&bytes[end..])
    } else {
        loop {
            match more(stream, &mut bytes) {
                Ok(()) => {}
                Err(Broken::Closed(_)) => break bytes[end..].to_vec(),
                Err(broken) => return Err(broken),
            }
        }
    };
    Ok(Reply { status, head, body })
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), Broken> {
    let mut piece = [0; 4096];
    match stream.read(&mut piece) {
        Ok(0) => Err(Broken::Closed(bytes.len())),
        Ok(count) => {
            bytes.extend_from_slice(&piece[..count]);
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Broken::Silent)
        }
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {
            Err(Broken::Reset(bytes.len()))
        }
        Err(error) => panic!("{error}"),
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = find(bytes, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        body.extend_from_slice(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
    }
    body
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
