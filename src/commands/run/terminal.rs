//! The terminal in raw mode, while keys go to the guest (termios(3)).

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::base::Diagnostic;

/// A terminal that hands keys on as they are typed, until this is dropped.
pub(super) struct RawMode(Termios);

impl RawMode {
    pub(super) fn begin() -> Result<Self, Diagnostic> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).map_err(|error| Diagnostic::io("the terminal cannot be read", &error.into()))?;
        let mut raw = before.clone();
        raw.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
        raw.input_modes -=
            InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON | InputModes::ISTRIP;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &raw)
            .map_err(|error| Diagnostic::io("the terminal cannot be set", &error.into()))?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
