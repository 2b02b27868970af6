//! How fast a ledger is read when a run is taken up again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use dataset::row::{Meta, Row, TokenStats};
use dataset::{ledger::line, scan};

/// Prints the table.
pub fn report() {
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
