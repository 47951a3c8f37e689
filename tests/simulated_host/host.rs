//! The state of the simulated proxy and what each host function does to it.
//!
//! Everything here is plain data behind one lock; [`crate::abi`] turns the guest's pointers into these calls, [`crate::world`] drives
//! the guest. Semantics are those of proxy-wasm-cpp-host and of Envoy's `Context`: who owns a call, in which callback a header map is
//! there, what a wrong argument is answered with.

use std::collections::BTreeMap;
use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MapType, Status};

use crate::access::Watch;
use crate::agenda::{Agenda, Event};
use crate::contexts::{Call, Context, Phase, Root, RootState, Stream, Vm};
use crate::metrics::Metrics;
use crate::network::{Arrival, Cluster, Fields, Message, Network, Reply, field, local_reply};
use crate::random::SplitMix64;
use crate::shared::{Owner, SharedData, SharedQueues};

/// What Envoy allows a call to carry (`limits.h` of proxy-wasm-cpp-host).
const MAX_CALL_HEADERS: usize = 1024;
const MAX_CALL_HEADER_BYTES: usize = 1 << 20;

/// Envoy's limit for the answer to a call; beyond it the call is reset.
const MAX_CALL_RESPONSE: usize = 32 << 20;

/// A line that the guest logged.
#[derive(Clone, Debug)]
pub struct LogLine {
    pub level: LogLevel,
    pub text: String,
}

/// The whole proxy.
pub struct Proxy {
    /// Virtual time in nanoseconds since 1970.
    pub now: u64,
    pub random: SplitMix64,
    pub agenda: Agenda,
    pub metrics: Metrics,
    pub shared_data: SharedData,
    pub queues: SharedQueues,
    pub network: Network,
    pub vms: Vec<Vm>,
    pub log: Vec<LogLine>,
    /// What must never happen, found while the guest was running.
    pub violations: Vec<String>,
    /// How often the guest called each host function: what it costs.
    pub host_calls: BTreeMap<String, usize>,
    /// Before which host functions the guest is held up, so that another worker can come in between; see [`crate::interleaving`].
    pub hold: Option<Hold>,
    /// Runs in the guest in the middle of its next read of a series, which no host does.
    pub nested: Option<Box<dyn FnOnce() + Send>>,
    /// Sees every access to a series before it happens, and may let other workers have theirs first.
    pub watch: Option<Watch>,
}

/// Says of a host function whether the guest is held up before it.
pub type Hold = Box<dyn FnMut(&str) -> bool + Send>;

impl Proxy {
    pub fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let agenda = Agenda::new(random.draw());
        Self {
            now: 1_795_000_000_000_000_000,
            random,
            agenda,
            metrics: Metrics::default(),
            shared_data: SharedData::default(),
            queues: SharedQueues::default(),
            network: Network::default(),
            vms: Vec::new(),
            log: Vec::new(),
            violations: Vec::new(),
            host_calls: BTreeMap::new(),
            hold: None,
            nested: None,
            watch: None,
        }
    }

    pub fn holds_up(&mut self, function: &str) -> bool {
        self.hold.as_mut().is_some_and(|hold| hold(function))
    }

    pub fn schedule(&mut self, after: Duration, event: Event) {
        self.agenda.add(self.now + after.as_nanos() as u64, event);
    }

    pub fn root(&mut self, vm: usize, id: u32) -> Option<&mut Root> {
        match self.vms[vm].contexts.get_mut(&id) {
            Some(Context::Root(root)) => Some(root),
            _ => None,
        }
    }

    pub fn stream(&mut self, vm: usize, id: u32) -> Option<&mut Stream> {
        match self.vms[vm].contexts.get_mut(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// What the host acts on: the effective context if the guest chose one that exists, else the one that was called.
    fn context_id(&self, vm: usize) -> u32 {
        let Some(frame) = self.vms[vm].frame else { return 0 };
        if self.vms[vm].contexts.contains_key(&frame.effective) { frame.effective } else { frame.current }
    }

    /// The root of the context that the host acts on.
    fn root_id(&self, vm: usize) -> u32 {
        let id = self.context_id(vm);
        match self.vms[vm].contexts.get(&id) {
            Some(Context::Stream(stream)) => stream.root,
            _ => id,
        }
    }

    pub fn log(&mut self, level: LogLevel, text: String) {
        self.log.push(LogLine { level, text });
    }

    pub fn set_effective_context(&mut self, vm: usize, id: u32) -> Result<(), Status> {
        if !self.vms[vm].contexts.contains_key(&id) {
            return Err(Status::BadArgument);
        }
        if let Some(frame) = &mut self.vms[vm].frame {
            frame.effective = id;
        }
        Ok(())
    }

    /// The period belongs to the root, whoever sets it; 0 stops it.
    pub fn set_tick_period(&mut self, vm: usize, period: Duration) {
        let id = self.root_id(vm);
        let Some(root) = self.root(vm, id) else { return };
        root.tick = period;
        root.tick_generation += 1;
        let generation = root.tick_generation;
        if !period.is_zero() {
            self.schedule(period, Event::Tick { vm, root: id, generation });
        }
    }

    /// What a buffer holds now; one that is not there is empty, as in Envoy.
    pub fn buffer(&mut self, vm: usize, buffer: BufferType) -> Result<&[u8], Status> {
        let (id, root_id) = (self.context_id(vm), self.root_id(vm));
        match buffer {
            BufferType::PluginConfiguration => {
                let root = self.root(vm, id).filter(|root| root.configuring).ok_or(Status::NotFound)?;
                Ok(root.configuration.as_bytes())
            }
            BufferType::VmConfiguration => Ok(&[]),
            BufferType::HttpCallResponseBody => {
                self.root(vm, root_id).and_then(|root| root.answer.as_ref()).map(|answer| &*answer.body).ok_or(Status::NotFound)
            }
            BufferType::HttpRequestBody | BufferType::HttpResponseBody => {
                let wanted = if buffer == BufferType::HttpRequestBody { Phase::RequestBody } else { Phase::ResponseBody };
                Ok(self.stream(vm, id).filter(|stream| stream.phase == wanted).map_or(&[], |stream| &stream.chunk))
            }
            _ => Err(Status::NotFound),
        }
    }

    /// A map for reading; `None` outside its phase.
    pub fn map(&mut self, vm: usize, map: MapType) -> Option<&Fields> {
        let (id, root_id) = (self.context_id(vm), self.root_id(vm));
        match map {
            MapType::HttpCallResponseHeaders => self.root(vm, root_id)?.answer.as_ref().map(|answer| &answer.fields),
            MapType::HttpCallResponseTrailers => {
                self.root(vm, root_id)?.answer.as_ref().map(|answer| &answer.trailers).filter(|trailers| !trailers.is_empty())
            }
            _ => {
                let stream = self.stream(vm, id)?;
                match (map, stream.phase) {
                    (MapType::HttpRequestHeaders, Phase::RequestHeaders | Phase::Log) => Some(&stream.request),
                    (MapType::HttpRequestTrailers, Phase::RequestTrailers) => Some(&stream.request_trailers),
                    (MapType::HttpResponseHeaders, Phase::ResponseHeaders) => Some(&stream.response),
                    (MapType::HttpResponseHeaders, Phase::Log) => Some(&stream.response).filter(|fields| !fields.is_empty()),
                    (MapType::HttpResponseTrailers, Phase::ResponseTrailers) => Some(&stream.response_trailers),
                    _ => None,
                }
            }
        }
    }

    /// A map for writing; `BadArgument` outside its phase, and always for what the filter has no business to change.
    pub fn map_mut(&mut self, vm: usize, map: MapType) -> Result<&mut Fields, Status> {
        let id = self.context_id(vm);
        let stream = self.stream(vm, id).ok_or(Status::BadArgument)?;
        match (map, stream.phase) {
            (MapType::HttpRequestHeaders, Phase::RequestHeaders) => Ok(&mut stream.request),
            (MapType::HttpResponseHeaders, Phase::ResponseHeaders) => Ok(&mut stream.response),
            _ => Err(Status::BadArgument),
        }
    }

    /// The value of a property, its path joined with dots.
    pub fn property(&mut self, vm: usize, path: &str) -> Result<Vec<u8>, Status> {
        let (id, root_id) = (self.context_id(vm), self.root_id(vm));
        match path {
            "plugin_name" => return self.root(vm, root_id).map(|root| root.plugin.clone().into_bytes()).ok_or(Status::NotFound),
            "plugin_root_id" | "plugin_vm_id" => return Ok(Vec::new()),
            _ => {}
        }
        let stream = self.stream(vm, id).ok_or(Status::NotFound)?;
        if path.starts_with("response.") && !stream.answering {
            return Err(Status::NotFound);
        }
        stream.properties.get(path).cloned().ok_or(Status::NotFound)
    }

    pub fn register_queue(&mut self, vm: usize, name: &[u8]) -> u32 {
        let root = self.root_id(vm);
        self.queues.register(name, Owner { vm, root })
    }

    /// Envoy posts the owner's callback to its thread: it comes later, 0.2 to 0.75 ms as measured.
    pub fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<(), Status> {
        let owner = self.queues.enqueue(token, item)?;
        let latency = Duration::from_micros(174 + self.random.below(576));
        self.schedule(latency, Event::QueueReady { owner, token });
        Ok(())
    }

    /// Ends the waiting of a root whose `on_done` said false; of any other it is an error.
    pub fn done(&mut self, vm: usize) -> Result<(), Status> {
        let id = self.root_id(vm);
        if self.root(vm, id).is_none_or(|root| root.state != RootState::WaitsForDone) || self.vms[vm].done.contains(&id) {
            return Err(Status::NotFound);
        }
        self.vms[vm].done.push(id);
        Ok(())
    }

    /// Sends a request of the filter; the call belongs to the root of whoever makes it.
    pub fn http_call(&mut self, vm: usize, cluster: &str, mut fields: Fields, body: &[u8], timeout: u32) -> Result<u32, Status> {
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let lacks = |name: &str| field(&fields, name).is_none();
        if fields.len() > MAX_CALL_HEADERS
            || bytes > MAX_CALL_HEADER_BYTES
            || [":method", ":path", ":authority"].iter().any(|name| lacks(name))
        {
            return Err(Status::BadArgument);
        }
        if !body.is_empty() {
            fields.retain(|(name, _)| name != "content-length");
            fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        }
        let request = Message { fields, body: body.to_vec(), trailers: Vec::new(), complete: true };
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout.into()));
        let reply = match self.network.get(cluster) {
            None => return Err(Status::BadArgument),
            Some(Cluster::NoHosts) => return Err(Status::InternalFailure),
            Some(Cluster::Serves(server)) => server(&request),
        };
        self.network.calls.push(Arrival { cluster: cluster.to_owned(), request, timeout });
        let (after, response) = outcome_of_call(reply, timeout);
        let (owner, token) = (self.root_id(vm), self.vms[vm].last_token + 1);
        self.vms[vm].last_token = token;
        self.root(vm, owner).ok_or(Status::BadArgument)?.calls.insert(token, Call { response });
        if let Some(after) = after {
            self.schedule(after, Event::CallDone { owner: Owner { vm, root: owner }, token });
        }
        Ok(token)
    }
}

/// When a call is done and with what; without a timeout a silent server is never done.
fn outcome_of_call(reply: Reply, timeout: Option<Duration>) -> (Option<Duration>, Option<Message>) {
    let late = |after: Duration| timeout.is_some_and(|timeout| after >= timeout);
    match reply {
        Reply::Whole(answer) if late(answer.after) => (timeout, Some(local_reply(504, "upstream request timeout"))),
        Reply::Half(answer) if late(answer.after) => (timeout, None),
        Reply::Whole(answer) if answer.body.len() > MAX_CALL_RESPONSE => (Some(answer.after), None),
        Reply::Whole(answer) => (Some(answer.after), Some(answer.message())),
        Reply::Half(answer) => (Some(answer.after), None),
        Reply::Stalls(_) => (timeout, None),
        Reply::Silent => (timeout, Some(local_reply(504, "upstream request timeout"))),
        Reply::Refused => {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
            (Some(Duration::from_millis(1)), Some(local_reply(503, text)))
        }
    }
}
