//! What both commands do around their work: read the flags, say an error, choose the exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

/// Runs a command with the flags that were typed.
pub fn command<F: Parser>(run: impl FnOnce(&F) -> anyhow::Result<()>) -> ExitCode {
    let flags = match F::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // Help is what was asked for; anything else that was typed is wrong input.
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output, such as `head`, has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where these commands print an error")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(1)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
