//! Ctrl-C: asked for once, the loop stops after the step in hand and keeps its state; twice, the process ends now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The documented exit code of an interrupted run.
pub const EXIT: i32 = 130;

/// Whether someone asked to stop. Clones look at the same wish.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    at_once: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for Ctrl-C from now on. `told` is called at the first one, from a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread or no signal.
    pub fn on_ctrl_c(told: impl Fn() + Send + 'static) -> std::io::Result<Stop> {
        let stop = Stop::default();
        let asked = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("ctrl-c".into()).spawn(move || {
            runtime.block_on(async {
                // Where no signal can be had, Ctrl-C ends the process as it always did: checkpoints cover that too.
                if tokio::signal::ctrl_c().await.is_ok() {
                    asked.ask();
                    told();
                    if tokio::signal::ctrl_c().await.is_ok() {
                        std::process::exit(EXIT);
                    }
                }
            });
        })?;
        Ok(stop)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Asks to stop without another checkpoint: the step in hand could not be recorded, and is to be taken again.
    pub fn ask_at_once(&self) {
        self.at_once.store(true, Ordering::Relaxed);
    }

    /// Whether no checkpoint is wanted any more.
    pub fn asked_at_once(&self) -> bool {
        self.at_once.load(Ordering::Relaxed)
    }

    /// Whether someone asked.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
