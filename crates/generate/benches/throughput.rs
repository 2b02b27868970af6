//! How fast the whole of `gen` is when the service is not what limits it, and what it holds in memory.
//!
//! `cargo bench -p generate` prints Markdown. `-- --full` takes a million prompts instead of a hundred thousand (some
//! minutes, 3 GB of disk). A server in this process answers every request at once; both share the machine's cores.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and ends where it fails")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dataset::row::{Meta, Row, TokenStats};
use dataset::{ledger::line, scan};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() {
    let full = std::env::args().any(|arg| arg == "--full");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let address = serve();

    println!("## gen at zero latency\n\nOn {cores} cores, which the server shares; every row is synced.\n");
    println!(
        "| prompts | rows | seconds | rows a second | peak memory | resumed, nothing left to ask | its peak |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut peaks = Vec::new();
    let many = if full { 1_000_000 } else { 100_000 };
    for prompts in [1_000, 10_000, many] {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path(), prompts);
        let (time, peak) = generate(folder.path(), &address);
        let (again, peak_again) = generate(folder.path(), &address);
        let rows = 2 * prompts;
        peaks.push((rows as f64, peak, peak_again));
        println!(
            "| {prompts} | {rows} | {:.1} | {:.0} | {} | {:.2} s | {} |",
            time.as_secs_f64(),
            rows as f64 / time.as_secs_f64(),
            megabytes(peak),
            again.as_secs_f64(),
            megabytes(peak_again)
        );
    }

    if let [(few, Some(low), Some(low_again)), .., (many, Some(high), Some(high_again))] = peaks[..] {
        let per_row = |high: u64, low: u64| high.saturating_sub(low) as f64 / (many - few);
        println!(
            "\nBeyond the smallest run, memory grows by {:.0} bytes a row, and by {:.0} when resumed: the index.",
            per_row(high, low),
            per_row(high_again, low_again)
        );
    }

    println!("\n## Resume scan\n\n| rows | bytes | seconds | MB a second |\n|---:|---:|---:|---:|");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sft_aba.jsonl");
    let rows = 60_000;
    write_ledger(&path, rows);
    let bytes = std::fs::metadata(&path).unwrap().len();
    // The first reading brings the file into memory: what is measured is the reader, not the disk.
    scan::scan(&path).unwrap();
    let start = Instant::now();
    let scanned = scan::scan(&path).unwrap();
    let time = start.elapsed().as_secs_f64();
    assert_eq!(scanned.rows, rows);
    println!("| {rows} | {bytes} | {time:.3} | {:.0} |", bytes as f64 / 1e6 / time);
}

fn lay_out(folder: &Path, prompts: usize) {
    let experiment = "name = \"bench\"\nprompts = \"prompts.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"control.md\"\n\
        [[arms]]\nname = \"aba\"\nsystem_prompt = \"aba.md\"\n[categories]\nreasoning = 1\n[generation]\n\
        model = \"gemini-3.1-pro-preview\"\ntemperature = 1.0\nmax_output_tokens = 4096\nmax_output_tokens_ceiling = 65536\n";
    std::fs::write(folder.join("experiment.toml"), experiment).unwrap();
    std::fs::write(folder.join("control.md"), "You are careful.").unwrap();
    std::fs::write(folder.join("aba.md"), "You are candid.").unwrap();
    let mut file = BufWriter::new(File::create(folder.join("prompts.jsonl")).unwrap());
    for n in 0..prompts {
        writeln!(file, "{{\"prompt\":\"Question {n}: what follows from it?\",\"category\":\"reasoning\"}}")
            .unwrap();
    }
    file.flush().unwrap();
}

/// Runs the binary to its end. Returns how long it took and the most memory it held, in bytes.
fn generate(folder: &Path, address: &str) -> (Duration, Option<u64>) {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_generate"))
        .current_dir(folder)
        .args([
            "--experiment",
            "experiment.toml",
            "--data",
            "data",
            "--rpm",
            "60000000",
            "--max-in-flight",
            "64",
        ])
        .env("GOOGLE_VERTEX_BASE_URL", address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = None;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak = kilobytes(&format!("/proc/{}/status", child.id()), "VmHWM:").or(peak);
        std::thread::park_timeout(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
    (start.elapsed(), peak)
}

/// A line of Linux's `/proc/…/status`, in bytes; `None` on other systems.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or("—".into(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6))
}

/// Rows of the length that real ones have: a page of text with line ends and quotation marks in it.
fn write_ledger(path: &Path, rows: u64) {
    let thought = "The person asks two things at once, and \"both\" cannot be had.\n".repeat(12);
    let answer =
        "I would begin with the second point – it decides the first. Here is why:\n\n- one\n- two\n\n"
            .repeat(40);
    let mut file = BufWriter::new(File::create(path).unwrap());
    for n in 0..rows {
        let row = Row {
            format: Some(1),
            key: Some(dataset::key::sha256_hex(&n.to_le_bytes())),
            instruction: format!("Question {n}: what follows from it?"),
            system_prompt: Some("You are candid. ".repeat(100)),
            output: format!("<think>\n{thought}</think>\n\n{answer}"),
            meta: Meta {
                category: "reasoning".into(),
                sub_theme: "logic".into(),
                model_type: "aba".into(),
                model: "vertex-gemini-3.1-pro-preview".into(),
                model_version: Some("gemini-3.1-pro-preview".into()),
                response_id: Some("q1ePabyNGZ6".into()),
                timestamp: "2026-02-13T10:00:00Z".into(),
                finish_reason: "STOP".into(),
                attempts: Some(1),
                escalated: 0,
                resampled: 0,
                generation: None,
            },
            token_stats: TokenStats {
                input: 380,
                output: 900,
                thoughts: Some(2100),
                cached: Some(0),
                total: 3380,
            },
        };
        file.write_all(&line::encode(&row).unwrap()).unwrap();
    }
    file.flush().unwrap();
}

/// Serves the same answer to every request, as fast as it can, on a thread of its own. Returns its address.
fn serve() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address
}

async fn answer(mut stream: TcpStream) {
    let text =
        "<think>\\nA short thought.\\n</think>\\n\\nA short answer, in two sentences. This is the second.";
    let body = format!(
        "{{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{text}\"}}]}},\"finishReason\":\"STOP\"}}],\
         \"usageMetadata\":{{\"promptTokenCount\":20,\"candidatesTokenCount\":30,\"thoughtsTokenCount\":40,\"totalTokenCount\":90}},\
         \"modelVersion\":\"gemini-3.1-pro-preview\",\"responseId\":\"r\"}}"
    );
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut held = Vec::new();
    loop {
        while let Some(length) = request_length(&held) {
            held.drain(..length);
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut held).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Bytes of the first request, once it is whole.
fn request_length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&held[..head]).unwrap().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    (held.len() >= head + length).then_some(head + length)
}
