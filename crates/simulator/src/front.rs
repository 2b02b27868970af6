//! The listener in front: every connection comes here. Requests for text are answered here, because their faults lie
//! below HTTP; all others are handed to wiremock (`stills`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::google_error::GoogleError;
use crate::http::{self, Request};
use crate::route::{self, Method};
use crate::service::{Service, error_reply};
use crate::wire::{Reply, Wire};

/// Bytes that a client may send ahead while it waits for a reply.
const AHEAD: usize = 1024 * 1024;

/// How long a failed accept waits for descriptors to come back.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(10);

/// Serves connections until the task is dropped. `stills` is wiremock's address.
pub async fn serve(listener: TcpListener, service: Arc<Service>, stills: SocketAddr) {
    loop {
        // An accept fails when a client has gone already or descriptors run out; both pass, the second not at once.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            // A broken connection is the client's affair; it is counted where a reply was under way.
            let _ = converse(stream, &service, stills).await;
        });
    }
}

async fn converse(mut stream: TcpStream, service: &Service, stills: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let request = match http::read(&mut stream, &mut buffer).await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let refusal =
                    GoogleError::invalid(format!("Your client has issued a malformed request: {error}."));
                error_reply(&refusal, false, Duration::ZERO).send(&mut stream, false, || ()).await?;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let generates = (request.method == "POST").then(|| route::method(&request.target)).flatten();
        let keep = match generates {
            Some((route, method)) if method != Method::Count => {
                let in_flight = InFlight::enter(service);
                let reply = service.generate(&route, method, &request.token, &request.body);
                in_flight.deliver(reply, &mut stream, &mut buffer, request.keep_alive).await?
            }
            _ => relay(&request, &mut stream, stills).await?,
        };
        if !keep {
            return Ok(());
        }
    }
}

/// Hands a request to wiremock and its reply back. The connection ends with it, which spares us reading the reply.
async fn relay(request: &Request, stream: &mut TcpStream, stills: SocketAddr) -> io::Result<bool> {
    let mut inner = TcpStream::connect(stills).await?;
    let Request { method, target, token, body, .. } = request;
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {stills}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    inner.write_all(head.as_bytes()).await?;
    inner.write_all(body).await?;
    tokio::io::copy(&mut inner, stream).await?;
    stream.shutdown().await?;
    Ok(false)
}

/// A request that is being answered. Leaving it, however that happens, ends its being in flight.
struct InFlight<'a> {
    service: &'a Service,
    settled: bool,
    hung: bool,
}

impl<'a> InFlight<'a> {
    fn enter(service: &'a Service) -> Self {
        service.count(|state| {
            let counters = &mut state.counters;
            counters.requests += 1;
            counters.in_flight += 1;
            counters.in_flight_most = counters.in_flight_most.max(counters.in_flight);
        });
        Self { service, settled: false, hung: false }
    }

    /// Waits as long as the reply wants, sends it and counts it.
    async fn deliver(
        mut self,
        reply: Reply,
        stream: &mut TcpStream,
        buffer: &mut Vec<u8>,
        keep_alive: bool,
    ) -> io::Result<bool> {
        wait(stream, buffer, reply.first_byte()).await?;
        let (wire, outcome) = (reply.wire, reply.outcome);
        if wire == Wire::Hang {
            // It is in flight until the client gives up, and then it was broken rather than abandoned.
            self.service.count(|state| state.counters.broken += 1);
            self.hung = true;
            gone_or(stream, buffer, std::future::pending()).await?;
        }
        let service = self.service;
        let settled = &mut self.settled;
        let settle = || {
            *settled = true;
            service.count(|state| {
                state.counters.in_flight -= 1;
                match wire {
                    Wire::Whole | Wire::Drip(_) => state.sent(outcome),
                    _ => state.counters.broken += 1,
                }
            });
        };
        reply.send(stream, keep_alive, settle).await
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let hung = self.hung;
        self.service.count(|state| {
            state.counters.in_flight -= 1;
            state.counters.abandoned += u64::from(!hung);
        });
    }
}

/// Waits, or fails as soon as the client has gone.
async fn wait(stream: &mut TcpStream, buffer: &mut Vec<u8>, delay: Duration) -> io::Result<()> {
    if delay.is_zero() {
        return Ok(());
    }
    gone_or(stream, buffer, tokio::time::sleep(delay)).await
}

async fn gone_or(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    done: impl Future<Output = ()>,
) -> io::Result<()> {
    tokio::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => return Ok(()),
            read = stream.read_buf(buffer), if buffer.len() < AHEAD => {
                if read? == 0 {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
    }
}
