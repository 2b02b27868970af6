//! Ctrl-C, and whatever else asks a process to end.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Sends one message for each Ctrl-C, and for a request to end where the system has one.
pub fn listen() -> anyhow::Result<UnboundedReceiver<()>> {
    let (sender, receiver) = unbounded_channel();
    let told = sender.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move { while terminate.recv().await.is_some() && told.send(()).is_ok() {} });
    }
    #[cfg(windows)]
    {
        let mut terminate = tokio::signal::windows::ctrl_break()?;
        tokio::spawn(async move { while terminate.recv().await.is_some() && told.send(()).is_ok() {} });
    }
    tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).is_ok() {} });
    Ok(receiver)
}
