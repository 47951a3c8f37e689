//! The clients' side: performs the steps of exchanges and keeps what each side of the proxy saw.

use proxy_wasm::types::Action;

use crate::abi::guest;
use crate::agenda::Event;
use crate::contexts::{Context, Phase, Stream};
use crate::network::{Cluster, Fields, Reply, field};
use crate::traffic::{Exchange, Request, Step};
use crate::world::{Place, World};

impl World {
    /// Begins an exchange without doing any of it; see [`World::step`] and [`World::play`].
    pub fn open(&mut self, place: Place, request: Request) -> usize {
        self.exchanges.push(Exchange::new(place.vm, place.root, request, self.pace));
        self.exchanges.len() - 1
    }

    /// Lets the rest of an exchange happen in its time.
    pub fn play(&mut self, exchange: usize) {
        if let Some((after, _)) = self.exchanges[exchange].steps.front() {
            let after = *after;
            self.proxy().schedule(after, Event::Step { exchange });
        }
    }

    /// A whole exchange, and everything that follows from it. Gives its number.
    pub fn exchange(&mut self, place: Place, request: Request) -> usize {
        let exchange = self.open(place, request);
        self.play(exchange);
        self.settle();
        exchange
    }

    /// A whole exchange, but nothing of what may follow it; takes the time that it takes. Gives its number.
    pub fn exchange_without_rest(&mut self, place: Place, request: Request) -> usize {
        let exchange = self.open(place, request);
        self.play(exchange);
        while !self.exchanges[exchange].ended && self.next(u64::MAX).is_some() {}
        exchange
    }

    /// Performs the next step of an exchange now.
    pub fn step(&mut self, exchange: usize) {
        let Some((_, step)) = self.exchanges[exchange].steps.pop_front() else { return };
        if !self.exchanges[exchange].ended {
            self.perform(exchange, step);
        }
    }

    /// Performs steps until the request has been sent.
    pub fn send_request(&mut self, exchange: usize) {
        while !self.exchanges[exchange].upstream.complete {
            self.step(exchange);
        }
    }

    /// The client goes away, wherever its exchange stands.
    pub fn client_leaves(&mut self, exchange: usize) {
        let it = &mut self.exchanges[exchange];
        if it.ended || it.client.complete {
            return;
        }
        it.client_leaves();
        if it.context == 0 {
            it.ended = true;
        } else {
            self.step(exchange);
        }
    }

    /// The upstream answers before it has the whole request, which Envoy then does not wait for.
    pub fn answer_early(&mut self, exchange: usize, reply: Reply) {
        self.exchanges[exchange].steps.clear();
        self.exchanges[exchange].reply(reply);
    }

    /// Envoy ends a stream before the filter's turn (a bad request, say): only the access log's callbacks come.
    pub fn reject_before_the_filter(&mut self, place: Place, request: Request) {
        let exchange = self.open(place, request);
        self.create_stream(exchange);
        self.exchanges[exchange].client_leaves();
        self.step(exchange);
    }

    fn perform(&mut self, exchange: usize, step: Step) {
        match step {
            Step::RequestHeaders { end } => self.request_headers(exchange, end),
            Step::RequestPiece { piece, end } => {
                let size = piece.len();
                let context = self.prepare(exchange, Phase::RequestBody, |stream| stream.chunk = piece.clone());
                self.deliver(exchange, "on_request_body", move || guest::proxy_on_request_body(context, size, end));
                self.exchanges[exchange].upstream.body.extend(piece);
                self.request_ends(exchange, end);
            }
            Step::RequestTrailers => {
                let fields = self.exchanges[exchange].sent.trailers.clone();
                let count = fields.len();
                let context = self.prepare(exchange, Phase::RequestTrailers, |stream| stream.request_trailers = fields.clone());
                self.deliver(exchange, "on_request_trailers", move || guest::proxy_on_request_trailers(context, count));
                self.exchanges[exchange].upstream.trailers = fields;
                self.request_ends(exchange, true);
            }
            Step::ResponseHeaders { fields, end } => self.response_headers(exchange, fields, end),
            Step::ResponsePiece { piece, end } => {
                let size = piece.len();
                let context = self.prepare(exchange, Phase::ResponseBody, |stream| stream.chunk = piece.clone());
                self.deliver(exchange, "on_response_body", move || guest::proxy_on_response_body(context, size, end));
                self.exchanges[exchange].client.body.extend(piece);
                self.exchanges[exchange].client.complete = end;
            }
            Step::ResponseTrailers { fields } => {
                let count = fields.len();
                let context = self.prepare(exchange, Phase::ResponseTrailers, |stream| stream.response_trailers = fields.clone());
                self.deliver(exchange, "on_response_trailers", move || guest::proxy_on_response_trailers(context, count));
                self.exchanges[exchange].client.trailers = fields;
                self.exchanges[exchange].client.complete = true;
            }
            Step::UpstreamBreaksOff => {
                self.exchanges[exchange].upstream_broke_off();
                self.step(exchange);
            }
            Step::End => self.end(exchange),
        }
    }

    /// Makes the stream context of an exchange.
    fn create_stream(&mut self, exchange: usize) -> u32 {
        let (vm, root, request) = {
            let it = &self.exchanges[exchange];
            (it.vm, it.root, it.sent.fields.clone())
        };
        let stream = Stream {
            root,
            phase: Phase::Idle,
            request,
            request_trailers: Fields::new(),
            response: Fields::new(),
            response_trailers: Fields::new(),
            chunk: Vec::new(),
            properties: Default::default(),
            answering: false,
        };
        let context = self.new_context(vm, Context::Stream(Box::new(stream)));
        self.exchanges[exchange].context = context;
        self.enter(vm, context, "on_context_create", move || guest::proxy_on_context_create(context, root));
        context
    }

    fn request_headers(&mut self, exchange: usize, end: bool) {
        let (vm, count) = (self.exchanges[exchange].vm, self.exchanges[exchange].sent.fields.len());
        let context = self.create_stream(exchange);
        // Envoy has chosen a route before its filters run, and chooses anew once one of them has changed a header.
        let chosen = self.route(exchange, &self.exchanges[exchange].sent.fields.clone());
        self.prepare(exchange, Phase::RequestHeaders, |stream| {
            stream.properties.insert("xds.cluster_name".to_owned(), chosen.into_bytes());
        });
        self.deliver(exchange, "on_request_headers", move || guest::proxy_on_request_headers(context, count, end));
        let seen = self.proxy().stream(vm, context).expect("the stream is open").request.clone();
        let cluster = self.route(exchange, &seen);
        if let Some(stream) = self.proxy().stream(vm, context) {
            stream.properties.insert("xds.cluster_name".to_owned(), cluster.clone().into_bytes());
        }
        let it = &mut self.exchanges[exchange];
        (it.upstream.fields, it.cluster) = (seen, cluster);
        self.request_ends(exchange, end);
    }

    /// The router: the cluster that a split header names, else one of those with weights, else `primary`.
    fn route(&self, exchange: usize, fields: &Fields) -> String {
        let named = self.split_headers.iter().find_map(|header| field(fields, header));
        let named = named.map(|value| String::from_utf8_lossy(value).into_owned());
        let by_turns = self.weighted.get(exchange.checked_rem(self.weighted.len()).unwrap_or(0)).unwrap_or(&"primary");
        named.filter(|cluster| self.proxy().network.get(cluster).is_some()).unwrap_or_else(|| (*by_turns).to_owned())
    }

    fn request_ends(&mut self, exchange: usize, end: bool) {
        if !end {
            return;
        }
        let it = &mut self.exchanges[exchange];
        it.upstream.complete = true;
        let (cluster, request) = (it.cluster.clone(), it.upstream.clone());
        let reply = match self.proxy().network.get(&cluster) {
            Some(Cluster::Serves(server)) => server(&request),
            _ => Reply::Refused,
        };
        self.exchanges[exchange].reply(reply);
    }

    fn response_headers(&mut self, exchange: usize, fields: Fields, end: bool) {
        let (count, vm) = (fields.len(), self.exchanges[exchange].vm);
        let (details, flags) = (self.exchanges[exchange].details, self.exchanges[exchange].flags);
        let code = field(&fields, ":status").and_then(|code| std::str::from_utf8(code).ok()?.parse::<i64>().ok()).unwrap_or(0);
        let context = self.prepare(exchange, Phase::ResponseHeaders, |stream| {
            stream.response = fields;
            stream.answering = true;
            stream.properties.insert("response.code".to_owned(), code.to_le_bytes().to_vec());
            stream.properties.insert("response.code_details".to_owned(), details.into());
            stream.properties.insert("response.flags".to_owned(), flags.to_le_bytes().to_vec());
        });
        self.deliver(exchange, "on_response_headers", move || guest::proxy_on_response_headers(context, count, end));
        let seen = self.proxy().stream(vm, context).expect("the stream is open").response.clone();
        self.exchanges[exchange].client.fields = seen;
        self.exchanges[exchange].client.complete = end;
    }

    /// Makes ready what the next callback may see, and gives the stream's id.
    fn prepare(&mut self, exchange: usize, phase: Phase, change: impl FnOnce(&mut Stream)) -> u32 {
        let it = &self.exchanges[exchange];
        let mut proxy = self.proxy();
        let stream = proxy.stream(it.vm, it.context).expect("the stream is open");
        stream.phase = phase;
        change(stream);
        it.context
    }

    /// Calls the guest for a stream, which must let it go on.
    fn deliver(&mut self, exchange: usize, callback: &'static str, call: impl FnOnce() -> Action + Send + 'static) {
        let (vm, context) = (self.exchanges[exchange].vm, self.exchanges[exchange].context);
        let action = self.enter(vm, context, callback, call);
        assert_eq!(action, Action::Continue, "seed {}: {callback} paused the client's request", self.seed);
        if let Some(stream) = self.proxy().stream(vm, context) {
            stream.phase = Phase::Idle;
            stream.chunk.clear();
        }
    }

    /// The stream ends: access log, `on_done`, `on_delete`, whatever `on_done` says.
    fn end(&mut self, exchange: usize) {
        let (vm, context) = self.prepare_log(exchange);
        self.enter(vm, context, "on_log", move || guest::proxy_on_log(context));
        self.end_after_log(exchange);
    }

    /// Makes ready what the access log may see, and gives the VM and the stream's id.
    pub(crate) fn prepare_log(&mut self, exchange: usize) -> (usize, u32) {
        let (vm, details, flags) = (self.exchanges[exchange].vm, self.exchanges[exchange].details, self.exchanges[exchange].flags);
        let context = self.prepare(exchange, Phase::Log, |stream| {
            stream.answering = true;
            stream.properties.insert("response.code_details".to_owned(), details.into());
            stream.properties.insert("response.flags".to_owned(), flags.to_le_bytes().to_vec());
        });
        self.exchanges[exchange].ended = true;
        (vm, context)
    }

    pub(crate) fn end_after_log(&mut self, exchange: usize) {
        let vm = self.exchanges[exchange].vm;
        let context = self.prepare(exchange, Phase::Idle, |_| {});
        self.enter(vm, context, "on_done", move || guest::proxy_on_done(context));
        self.enter(vm, context, "on_delete", move || guest::proxy_on_delete(context));
        self.proxy().vms[vm].contexts.remove(&context);
        let difference = self.exchanges[exchange].difference(&self.split_headers);
        assert_eq!(difference, None, "seed {}: exchange {exchange} was not left alone", self.seed);
        self.end_what_can_end();
    }
}
