//! What clients do: requests, the steps in which an exchange happens, and what each side of the proxy saw of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::network::{Answer, Fields, Message, Reply, local_reply};

/// How long the router waits for an answer, as Envoy by default.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(15);

/// Bits of `response.flags`, from Envoy's `ResponseFlag`.
const UPSTREAM_TIMEOUT: i64 = 1 << 2;
const UPSTREAM_FAILURE: i64 = 1 << 5;
const UPSTREAM_BROKE_OFF: i64 = 1 << 6;
const CLIENT_LEFT: i64 = 1 << 14;

/// A request as the client sends it.
#[derive(Clone, Debug)]
pub struct Request {
    pub fields: Fields,
    pub pieces: Vec<Vec<u8>>,
    pub trailers: Fields,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        let fields = [(":authority", "fraud.example"), (":path", path), (":method", method), (":scheme", "http"), ("user-agent", "test")];
        Self { fields: fields.map(|(name, value)| (name.to_owned(), value.into())).to_vec(), pieces: Vec::new(), trailers: Vec::new() }
    }

    /// A POST of JSON with a request id.
    pub fn post(id: &str, body: &str) -> Self {
        Self::new("POST", "/infer").header("content-type", "application/json").header("x-request-id", id).body(body)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(key, _)| key != name);
        self
    }

    /// A body in one piece.
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        Self { pieces: vec![body.as_ref().to_vec()], ..self }
    }

    pub fn pieces(self, pieces: Vec<Vec<u8>>) -> Self {
        Self { pieces, ..self }
    }

    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.into()));
        self
    }
}

/// One step of an exchange.
#[derive(Clone, Debug)]
pub enum Step {
    RequestHeaders {
        end: bool,
    },
    RequestPiece {
        piece: Vec<u8>,
        end: bool,
    },
    RequestTrailers,
    ResponseHeaders {
        fields: Fields,
        end: bool,
    },
    ResponsePiece {
        piece: Vec<u8>,
        end: bool,
    },
    ResponseTrailers {
        fields: Fields,
    },
    /// The upstream breaks off after its headers.
    UpstreamBreaksOff,
    End,
}

/// One HTTP exchange through the proxy.
#[derive(Debug)]
pub struct Exchange {
    pub vm: usize,
    pub root: u32,
    /// The stream context; 0 before there is one.
    pub context: u32,
    pub sent: Request,
    /// Where the router sent it.
    pub cluster: String,
    /// What the upstream saw of the request.
    pub upstream: Message,
    /// What the upstream, or Envoy in its place, answered.
    pub answer: Message,
    /// What the client saw of it.
    pub client: Message,
    /// Details and flags that Envoy gives the answer.
    pub details: &'static str,
    pub flags: i64,
    pub steps: VecDeque<(Duration, Step)>,
    pub ended: bool,
}

impl Exchange {
    /// An exchange whose steps come `pace` apart.
    pub fn new(vm: usize, root: u32, sent: Request, pace: Duration) -> Self {
        let mut steps =
            VecDeque::from([(Duration::ZERO, Step::RequestHeaders { end: sent.pieces.is_empty() && sent.trailers.is_empty() })]);
        for (n, piece) in sent.pieces.iter().enumerate() {
            let end = n + 1 == sent.pieces.len() && sent.trailers.is_empty();
            steps.push_back((pace, Step::RequestPiece { piece: piece.clone(), end }));
        }
        if !sent.trailers.is_empty() {
            steps.push_back((pace, Step::RequestTrailers));
        }
        Self {
            vm,
            root,
            context: 0,
            sent,
            cluster: String::new(),
            upstream: Message::default(),
            answer: Message::default(),
            client: Message::default(),
            details: "",
            flags: 0,
            steps,
            ended: false,
        }
    }

    /// Plans the steps of the upstream's reply.
    pub fn reply(&mut self, reply: Reply) {
        self.details = "via_upstream";
        match reply {
            Reply::Whole(answer) => self.plan(answer.message(), answer.after, answer.piece, true),
            Reply::Half(answer) => self.break_off(answer, Duration::ZERO, UPSTREAM_BROKE_OFF),
            Reply::Stalls(answer) => self.break_off(answer, ROUTE_TIMEOUT, UPSTREAM_TIMEOUT),
            Reply::Silent => {
                (self.details, self.flags) = ("upstream_response_timeout", UPSTREAM_TIMEOUT);
                self.plan(local_reply(504, "upstream request timeout"), ROUTE_TIMEOUT, usize::MAX, true);
            }
            Reply::Refused => {
                (self.details, self.flags) = ("upstream_reset_before_response_started{remote_connection_failure}", UPSTREAM_FAILURE);
                let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
                self.plan(local_reply(503, text), Duration::from_millis(1), usize::MAX, true);
            }
        }
    }

    fn break_off(&mut self, mut answer: Answer, after: Duration, flags: i64) {
        answer.body.truncate(answer.body.len() / 2);
        answer.trailers.clear();
        self.plan(answer.message(), answer.after, answer.piece, false);
        self.steps.push_back((after, Step::UpstreamBreaksOff));
        self.flags = flags;
    }

    fn plan(&mut self, answer: Message, after: Duration, piece: usize, whole: bool) {
        let pieces: Vec<_> = answer.body.chunks(piece.max(1)).map(<[u8]>::to_vec).collect();
        let bare = pieces.is_empty() && answer.trailers.is_empty();
        self.steps.push_back((after, Step::ResponseHeaders { fields: answer.fields.clone(), end: bare && whole }));
        let last = pieces.len();
        for (n, piece) in pieces.into_iter().enumerate() {
            let end = whole && n + 1 == last && answer.trailers.is_empty();
            self.steps.push_back((Duration::from_micros(100), Step::ResponsePiece { piece, end }));
        }
        if !answer.trailers.is_empty() {
            self.steps.push_back((Duration::ZERO, Step::ResponseTrailers { fields: answer.trailers.clone() }));
        }
        if whole {
            self.steps.push_back((Duration::ZERO, Step::End));
        }
        self.answer = Message { complete: whole, ..answer };
    }

    /// The client goes away: nothing of the plan happens any more.
    pub fn client_leaves(&mut self) {
        (self.details, self.flags) = ("downstream_remote_disconnect", CLIENT_LEFT);
        self.steps = VecDeque::from([(Duration::ZERO, Step::End)]);
    }

    /// The upstream broke off: Envoy resets the client's stream.
    pub fn upstream_broke_off(&mut self) {
        self.details = "upstream_reset_after_response_started{connection_termination}";
        self.steps = VecDeque::from([(Duration::ZERO, Step::End)]);
    }

    /// What differs, apart from `split_headers`, between what one side sent and the other saw; nothing should.
    pub fn difference(&self, split_headers: &[String]) -> Option<String> {
        let kept = |fields: &Fields| -> Fields { fields.iter().filter(|(name, _)| !split_headers.contains(name)).cloned().collect() };
        let (sent, body) = (&self.sent, self.sent.pieces.concat());
        if !self.upstream.fields.is_empty() && kept(&self.upstream.fields) != kept(&sent.fields) {
            return Some(format!("request headers: {:?} became {:?}", sent.fields, self.upstream.fields));
        }
        if !body.starts_with(&self.upstream.body)
            || (self.upstream.complete && (body != self.upstream.body || sent.trailers != self.upstream.trailers))
        {
            return Some("the request's body or trailers changed".to_owned());
        }
        if !self.client.fields.is_empty() && kept(&self.client.fields) != kept(&self.answer.fields) {
            return Some(format!("response headers: {:?} became {:?}", self.answer.fields, self.client.fields));
        }
        let (client, answer) = (&self.client, &self.answer);
        if !answer.body.starts_with(&client.body) || (client.complete && (answer.body != client.body || answer.trailers != client.trailers))
        {
            return Some("the response's body or trailers changed".to_owned());
        }
        None
    }
}
