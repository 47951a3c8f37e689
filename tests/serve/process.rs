//! The process, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running server; it ends with the test.
pub struct Process {
    pub child: Child,
    pub address: String,
    /// The lines that it has printed.
    pub log: Arc<Mutex<Vec<String>>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Process {
    /// A server that asks the Prometheus at `url`.
    pub fn new(url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gnomon"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--prometheus", url]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        let address = first.rsplit_once(' ').unwrap().1.to_owned();
        let log = Arc::new(Mutex::new(vec![first]));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| seen.lock().unwrap().push(line)));
        Self { child, address, log }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let text = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).unwrap();
        read(stream)
    }

    /// What a webhook about the experiment `fraud-a` is answered, with more metadata.
    pub fn hook(&self, path: &str, more: &str) -> Answer {
        let metadata = format!(r#"{{"experiment": "fraud-a"{more}}}"#);
        self.request("POST", path, &format!(r#"{{"name": "fraud", "namespace": "ml", "phase": "Progressing", "metadata": {metadata}}}"#))
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

/// Reads an answer to the end of its connection.
pub fn read(mut stream: impl Read) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

impl Answer {
    #[track_caller]
    pub fn assert(&self, status: u16, words: &str) {
        assert!(self.status == status && self.body.contains(words), "{self:#?} instead of {status} {words}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
