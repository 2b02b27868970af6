//! The handle: a simulator runs on threads of its own from start to drop.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::counters::Counters;
use crate::front;
use crate::scenario::Scenario;
use crate::service::Service;
use crate::stills::Stills;

/// A running simulator. Dropping it closes every connection and frees the port.
pub struct Simulator {
    base_url: String,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there, or the system does not let us.
    #[error(
        "cannot listen on 127.0.0.1:{port}: stop what uses the port, or choose another with --port (0: any free one)"
    )]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// No thread or no sockets.
    #[error("cannot run the simulator's threads: free memory or file descriptors and try again")]
    Threads(#[source] std::io::Error),
}

impl Simulator {
    /// Starts on a free port of loopback. May be called with or without a runtime around it.
    ///
    /// # Errors
    /// The system refuses a port or a thread.
    pub fn start(scenario: Scenario) -> Result<Self, StartError> {
        Self::start_on(scenario, 0)
    }

    /// Starts on `port` of loopback; 0 takes any free one.
    ///
    /// # Errors
    /// The port is in use, or the system refuses a thread.
    pub fn start_on(scenario: Scenario, port: u16) -> Result<Self, StartError> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| StartError::Port { port, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Port { port, source })?;
        let service = Arc::new(Service::new(scenario));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let serving = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || run(listener, serving, stopped, &ready))
            .map_err(StartError::Threads)?;
        match is_ready.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(StartError::Threads(error)),
            Err(_) => return Err(StartError::Threads(std::io::Error::other("its thread ended"))),
        }
        Ok(Self { base_url: format!("http://{address}"), service, stop: Some(stop), thread: Some(thread) })
    }

    /// Scheme, host and port: what `GOOGLE_VERTEX_BASE_URL` and `GOOGLE_GEMINI_BASE_URL` are set to.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The counters now; `GET /_simulator/counters` gives the same.
    pub fn counters(&self) -> Counters {
        self.service.counters()
    }

    /// Blocks until `done` holds of the counters, and gives them; `None` when `limit` has passed first.
    pub fn wait_for(&self, done: impl Fn(&Counters) -> bool, limit: Duration) -> Option<Counters> {
        self.service.wait_for(done, limit)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already; nothing is left to do about it.
            let _ = thread.join();
        }
    }
}

fn run(
    listener: TcpListener,
    service: Arc<Service>,
    stopped: oneshot::Receiver<()>,
    ready: &mpsc::Sender<std::io::Result<()>>,
) {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let stills = Stills::start(&service).await;
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        tokio::select! {
            () = front::serve(listener, service, stills.address()) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}
