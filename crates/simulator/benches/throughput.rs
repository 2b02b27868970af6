//! Requests a second that the simulator answers, beside what wiremock alone reaches: `cargo bench -p simulator`.
//!
//! Zero latency, the `calm` preset, 32 connections kept alive, a request of usual size. The client shares the cores with
//! the server and writes raw bytes, so that the figure is the server's and not a client library's.

use std::io::{self, Write, stdout};
use std::time::Instant;

use serde_json::json;
use simulator::{Scenario, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 40_000;
const WARM_UP: usize = 3_200;
const PATH: &str =
    "/v1/projects/p/locations/global/publishers/google/models/gemini-3.1-pro-preview:generateContent";

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let simulator =
        Simulator::start(Scenario::named("calm").map_err(io::Error::other)?).map_err(io::Error::other)?;
    let address = simulator.base_url().trim_start_matches("http://").to_string();

    runtime.block_on(load(&address, WARM_UP))?;
    let (rate, bytes) = runtime.block_on(load(&address, REQUESTS))?;
    writeln!(stdout(), "simulator: {rate:.0} requests/s, {bytes} bytes a reply, {CONNECTIONS} connections")?;
    let counters = simulator.counters();
    assert_eq!(counters.ok as usize, REQUESTS + WARM_UP, "every request was answered 200");

    // The same bytes from wiremock, which neither parses nor decides anything here.
    let (rate, _) = runtime.block_on(async {
        let server = MockServer::builder().disable_request_recording().start().await;
        let reply = ResponseTemplate::new(200).set_body_raw(vec![b' '; bytes], "application/json");
        server.register(Mock::given(any()).respond_with(reply)).await;
        load(&server.address().to_string(), REQUESTS).await
    })?;
    writeln!(stdout(), "wiremock alone: {rate:.0} requests/s, the same size, a fixed reply")?;
    Ok(())
}

/// Requests a second, and the bytes of a reply's body.
async fn load(address: &str, requests: usize) -> io::Result<(f64, usize)> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|connection| tokio::spawn(converse(address.to_string(), connection, requests / CONNECTIONS)))
        .collect();
    let mut bytes = 0;
    for task in tasks {
        bytes = task.await.map_err(io::Error::other)??;
    }
    Ok((requests as f64 / started.elapsed().as_secs_f64(), bytes))
}

async fn converse(address: String, connection: usize, requests: usize) -> io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let system = include_str!("../../../fixtures/phase_3e/arms/aba.md");
    let mut length = 0;
    for index in 0..requests {
        // 489 prompts, as the experiment has.
        let prompt = format!(
            "Prompt {}: should I sell my boat before the winter?",
            (connection * requests + index) % 489
        );
        let body = json!({
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "systemInstruction": {"parts": [{"text": system}]},
            "generationConfig": {"temperature": 1.0, "maxOutputTokens": 8192, "thinkingConfig": {"thinkingLevel": "low"}},
        })
        .to_string();
        let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        length = read(&mut stream).await?;
    }
    Ok(length)
}

/// Reads one reply of status 200 and gives the length of its body.
async fn read(stream: &mut TcpStream) -> io::Result<usize> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(io::Error::other(head));
        }
        let length =
            head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let length: usize = length.ok_or_else(|| io::Error::other("no length"))?;
        while bytes.len() < end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(length);
    }
}
