//! Runs of the command.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::prometheus::World;
use crate::server::Server;

/// A run of `gnomon gate`.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl Run {
    /// Asserts how it exited, the word, and what all that it printed contains.
    #[track_caller]
    pub fn assert(&self, code: i32, words: &[&str]) {
        let word = match code {
            0 => "pass",
            1 => "fail",
            75 => "undecided",
            _ => "unknown",
        };
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.out.starts_with(word), "{self:#?}");
        for words in words {
            assert!(format!("{}{}", self.out, self.errors).contains(words), "no {words:?} in {self:#?}");
        }
    }
}

/// Runs the command with these arguments.
pub fn gate(arguments: &[&str]) -> Run {
    gate_with(arguments, "")
}

/// Runs the command with a standard input.
pub fn gate_with(arguments: &[&str], input: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gnomon"));
    command.arg("gate").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It need not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Run { code: status.code(), out: String::from_utf8(stdout).unwrap(), errors: String::from_utf8(stderr).unwrap() }
}

/// Asks a server about the experiment of [`World::new`].
pub fn ask(server: &Server, more: &[&str]) -> Run {
    gate(&[&["--experiment", "fraud-a", "--prometheus", &server.url], more].concat())
}

/// Asks a Prometheus that holds this.
pub fn ask_world(world: World, more: &[&str]) -> Run {
    ask(&Server::new(move |request| world.answer(request)), more)
}

/// A file with `text`, in a folder of the test named `test`.
pub fn file(test: &str, name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gate").join(test);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}
