//! What lies behind the proxy: clusters whose servers answer by a script, for the client's requests and for the filter's calls alike.

use std::collections::BTreeMap;
use std::time::Duration;

/// Header fields in order, names in lower case.
pub type Fields = Vec<(String, Vec<u8>)>;

/// The first value of a field.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
}

/// A request or an answer, whole or as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// Whether its end was seen.
    pub complete: bool,
}

impl Message {
    /// The first value of a header as text.
    pub fn header(&self, name: &str) -> Option<String> {
        field(&self.fields, name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// `:status`, or 0.
    pub fn status(&self) -> u16 {
        self.header(":status").and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// What a server says.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// From the end of the request to the end of the answer.
    pub after: Duration,
    /// The size of the pieces in which a client's answer arrives.
    pub piece: usize,
    /// Whether `x-envoy-upstream-service-time` is added, as Envoy's router does.
    pub service_time: bool,
}

impl Answer {
    /// A 200 with a JSON body after 2 ms.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let fields = vec![("content-type".to_owned(), b"application/json".to_vec())];
        Self {
            status: 200,
            fields,
            body: body.into(),
            trailers: Vec::new(),
            after: Duration::from_millis(2),
            piece: 1 << 16,
            service_time: true,
        }
    }

    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    pub fn piece(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// The answer as Envoy hands it on.
    pub fn message(&self) -> Message {
        let mut fields = vec![(":status".to_owned(), self.status.to_string().into_bytes())];
        fields.extend(self.fields.iter().cloned());
        if self.service_time {
            fields.push(("x-envoy-upstream-service-time".to_owned(), self.after.as_millis().to_string().into_bytes()));
        }
        Message { fields, body: self.body.clone(), trailers: self.trailers.clone(), complete: true }
    }
}

/// What becomes of a request at a server.
#[derive(Clone, Debug)]
pub enum Reply {
    Whole(Answer),
    /// The headers and half of the body, then the connection breaks.
    Half(Answer),
    /// The headers, then nothing more.
    Stalls(Answer),
    /// Nobody listens.
    Refused,
    /// Accepts and never answers.
    Silent,
}

/// Decides the reply to a request.
pub type Server = Box<dyn FnMut(&Message) -> Reply + Send>;

/// A cluster of the proxy.
pub enum Cluster {
    Serves(Server),
    /// No host, or a circuit breaker that is open.
    NoHosts,
}

/// A request of the filter that arrived at a cluster.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub cluster: String,
    pub request: Message,
    pub timeout: Option<Duration>,
}

/// All clusters and what they got.
#[derive(Default)]
pub struct Network {
    clusters: BTreeMap<String, Cluster>,
    /// The filter's calls in the order of dispatch; the client's requests are kept with their streams.
    pub calls: Vec<Arrival>,
}

impl Network {
    pub fn set(&mut self, name: &str, cluster: Cluster) {
        self.clusters.insert(name.to_owned(), cluster);
    }

    pub fn remove(&mut self, name: &str) {
        self.clusters.remove(name);
    }

    pub fn get(&mut self, name: &str) -> Option<&mut Cluster> {
        self.clusters.get_mut(name)
    }
}

/// Envoy's own answer for a server that gave none.
pub fn local_reply(status: u16, text: &str) -> Message {
    let fields = vec![
        (":status".to_owned(), status.to_string().into_bytes()),
        ("content-length".to_owned(), text.len().to_string().into_bytes()),
        ("content-type".to_owned(), b"text/plain".to_vec()),
    ];
    Message { fields, body: text.as_bytes().to_vec(), trailers: Vec::new(), complete: true }
}
