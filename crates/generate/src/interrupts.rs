//! Ctrl-C, and whatever else asks a process to end.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Sends one message for each Ctrl-C, and for a request to end where the system has one. Each listener stays, so that
/// a second Ctrl-C right after the first is heard, too.
pub fn listen() -> anyhow::Result<UnboundedReceiver<()>> {
    let (sender, receiver) = unbounded_channel();
    let told = sender.clone();
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    #[cfg(windows)]
    let (mut interrupt, mut terminate) =
        (tokio::signal::windows::ctrl_c()?, tokio::signal::windows::ctrl_break()?);
    tokio::spawn(async move { while interrupt.recv().await.is_some() && sender.send(()).is_ok() {} });
    tokio::spawn(async move { while terminate.recv().await.is_some() && told.send(()).is_ok() {} });
    Ok(receiver)
}
