//! The system's randomness, for salts only: nothing random ever reaches a plan or a bundle.

use crate::base::{Code, Diagnostic};
use rustix::rand::{GetRandomFlags, getrandom};

/// Returns random bytes from the kernel's generator (getrandom(2)).
///
/// So few bytes come whole, and a signal cannot interrupt them once the generator is ready.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Diagnostic> {
    let mut bytes = [0; N];
    let filled = getrandom(&mut bytes[..], GetRandomFlags::empty());
    match filled {
        Ok(count) if count == N => Ok(bytes),
        Ok(_) => Err(Diagnostic::new(Code::Io, "the system gave too little randomness")),
        Err(error) => Err(Diagnostic::io("the system gives no randomness", &error.into())),
    }
}
