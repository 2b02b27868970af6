//! A service that answers every request at once with the same text, in the shape that the request's path asks for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What every request is answered.
const TEXT: &str =
    "<think>\\nA short thought.\\n</think>\\n\\nA short answer, in two sentences. This is the second.";

/// Serves on a thread of its own, as fast as it can. Returns its address.
pub fn serve() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let replies: &'static Replies = Box::leak(Box::new(Replies::new()));
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, replies));
            }
        });
    });
    address
}

/// The two replies, head and body.
struct Replies {
    google: String,
    openai: String,
}

impl Replies {
    fn new() -> Self {
        let google = format!(
            "{{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{TEXT}\"}}]}},\"finishReason\":\"STOP\"}}],\
             \"usageMetadata\":{{\"promptTokenCount\":20,\"candidatesTokenCount\":30,\"thoughtsTokenCount\":40,\"totalTokenCount\":90}},\
             \"modelVersion\":\"gemini-3.1-pro-preview\",\"responseId\":\"r\"}}"
        );
        let openai = format!(
            "{{\"id\":\"r\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\
             \"message\":{{\"role\":\"assistant\",\"content\":\"{TEXT}\"}},\"finish_reason\":\"stop\"}}],\
             \"usage\":{{\"prompt_tokens\":20,\"completion_tokens\":70,\"total_tokens\":90}}}}"
        );
        let whole = |body: String| {
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        };
        Self { google: whole(google), openai: whole(openai) }
    }

    fn to(&self, head: &[u8]) -> &[u8] {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let openai = line.windows(b"/chat/completions".len()).any(|part| part == b"/chat/completions");
        if openai { self.openai.as_bytes() } else { self.google.as_bytes() }
    }
}

async fn answer(mut stream: TcpStream, replies: &Replies) {
    let mut held = Vec::new();
    loop {
        while let Some(length) = request_length(&held) {
            let reply = replies.to(&held);
            if stream.write_all(reply).await.is_err() {
                return;
            }
            held.drain(..length);
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
