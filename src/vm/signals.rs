//! Ctrl-C and its like while a machine runs: noted, so that what was made can be taken away first.
//!
//! Source: signal(7). The handler only stores a number (the crate signal-hook, as ours would need `unsafe`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::base::Diagnostic;

/// Notes signals that would end the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Begins to note them, for the rest of the process.
    pub(crate) fn note() -> Result<Self, Diagnostic> {
        let noted = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&noted), number)
                .map_err(|error| Diagnostic::io("signals cannot be noted", &error))?;
        }
        Ok(Self(noted))
    }

    /// Begins as if a signal had come.
    #[cfg(test)]
    pub(crate) fn of(signal: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(signal)))
    }

    /// Returns whether a signal came that nobody took.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// Takes the latest signal, if one came since.
    pub(crate) fn take(&self) -> Option<i32> {
        i32::try_from(self.0.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}

/// Ends the process by the signal itself, so that a shell loop around it ends too; what is to be taken away is gone.
pub(crate) fn end_by(signal: i32) {
    // Where that fails, the caller's exit code tells.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}
