//! Why a command can't answer, and how it exits then.

use std::fmt::{self, Display, Formatter};
use std::io::Write;

/// What stands in the way. The numbers are exit codes, those above 64 as `sysexits.h` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command was called wrongly.
    Usage = 2,
    /// Something that should be read is missing or unreadable.
    Input = 66,
    /// A service can't be reached, or does not answer as it should.
    Service = 69,
}

/// What stands in the way, in words: what was found, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: Kind,
    /// The words.
    pub text: String,
    /// Whether it may be over later without anybody's doing.
    pub may_pass: bool,
}

impl Problem {
    /// Returns the problem that the command was called wrongly.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, text: text.into(), may_pass: false }
    }

    /// Returns the problem that something is missing or unreadable, and stays so.
    pub fn input(text: impl Into<String>) -> Self {
        Self { kind: Kind::Input, text: text.into(), may_pass: false }
    }

    /// Returns the problem that something is not there yet.
    pub fn not_yet(text: impl Into<String>) -> Self {
        Self { kind: Kind::Input, text: text.into(), may_pass: true }
    }

    /// Returns the problem that a service does not answer as it should, and will not by itself.
    pub fn service(text: impl Into<String>) -> Self {
        Self { kind: Kind::Service, text: text.into(), may_pass: false }
    }

    /// Returns the problem that a service is down.
    pub fn down(text: impl Into<String>) -> Self {
        Self { kind: Kind::Service, text: text.into(), may_pass: true }
    }

    /// Writes it to the standard error, as the problem of `gnomon COMMAND`.
    pub fn tell(&self, command: &str) {
        // Whether anybody takes it does not matter: the exit code says it too.
        let _ = writeln!(std::io::stderr(), "gnomon {command}: {self}");
    }

    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        self.kind as u8
    }
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
