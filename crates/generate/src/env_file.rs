//! `.env`: settings and credentials beside the work, never shown.

use anyhow::Context;

/// Reads `.env` from the working directory or one above it. What the environment sets already stays.
pub fn load() -> anyhow::Result<()> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error would print the line, and the line may hold a key.
        Err(dotenvy::Error::LineParse(_, _)) => {
            anyhow::bail!(
                ".env has a line that is not NAME=value; correct it (it is not shown, as it may hold a secret)"
            )
        }
        Err(error) => Err(error).context("cannot read .env"),
    }
}
