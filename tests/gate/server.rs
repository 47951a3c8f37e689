//! A small HTTP server that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).unwrap_or_default().1;
        let mut bytes = value.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            let hex = |digit: Option<u8>| char::from(digit.unwrap()).to_digit(16).unwrap() as u8;
            decoded.push(if byte == b'%' { hex(bytes.next()) * 16 + hex(bytes.next()) } else { byte });
        }
        String::from_utf8(decoded).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Status, further header lines, body.
    With(u16, String, String),
    /// Nothing, for a long time.
    Hang,
    /// The connection ends.
    Close,
    /// Half of what was announced.
    Half(String),
}

impl Reply {
    pub fn json(body: impl Into<String>) -> Self {
        Self::With(200, "content-type: application/json\r\n".into(), body.into())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self::With(status, "content-type: text/plain\r\n".into(), body.into())
    }
}

/// A server; it lives as long as the test.
pub struct Server {
    pub url: String,
    /// All requests so far.
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that answers by `script`.
    pub fn new(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::wrapped(script, |stream| Some(Box::new(stream)), "http")
    }

    /// A server whose connections are wrapped, as in TLS.
    pub fn wrapped(
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Both>> + Send + Sync + 'static,
        scheme: &str,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, wrap, seen) = (Arc::new(script), Arc::new(wrap), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, wrap, seen) = (Arc::clone(&script), Arc::clone(&wrap), Arc::clone(&seen));
                thread::spawn(move || wrap(stream).map(|stream| serve(stream, &*script, &seen)));
            }
        });
        Self { url, requests }
    }
}

/// What is read and written.
pub trait Both: Read + Write + Send {}

impl<T: Read + Write + Send> Both for T {}

fn serve(stream: Box<dyn Both>, script: &dyn Fn(&Request) -> Reply, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        seen.lock().unwrap().push(request.clone());
        let (text, stays) = match script(&request) {
            Reply::Hang => {
                thread::sleep(Duration::from_secs(60));
                return;
            }
            Reply::Close => return,
            Reply::With(status, headers, body) => {
                (format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()), true)
            }
            Reply::Half(body) => (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len() * 2), false),
        };
        if reader.get_mut().write_all(text.as_bytes()).and_then(|()| reader.get_mut().flush()).is_err() || !stays {
            return;
        }
    }
}

fn read(reader: &mut BufReader<Box<dyn Both>>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let is_there = reader.read_line(&mut line).is_ok_and(|length| length > 0);
        is_there.then(|| line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_owned(), value.to_owned()));
    }
    Some(Request { target, headers })
}
