//! The terminal in another mode for a while (termios(3)).

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::Diagnostic;

/// A terminal whose mode was changed, until this is dropped.
pub(super) struct TerminalMode(Termios);

impl TerminalMode {
    /// Changes the mode of the terminal at stdin.
    pub(super) fn change(when: OptionalActions, change: impl FnOnce(&mut Termios)) -> Result<Self, Diagnostic> {
        let failed = |error: rustix::io::Errno| Diagnostic::io("cannot change the terminal's mode", &error.into());
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(std::io::stdin(), when, &changed).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
