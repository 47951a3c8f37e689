//! Joins an answer that comes as a stream of deltas, while it comes, into the answer that it would have been without streaming.
//!
//! Deltas are kept as they are spelled in JSON: strings that are put one after the other, escapes and all, mean what their contents mean
//! one after the other, even where a surrogate pair was torn apart. Of the rest only an answer's facts are kept. Whether the joined
//! answer makes sense is for its reader to say.

mod call;
mod choice;
mod grow;
mod joint;
mod parts;
mod said;
mod write;

use xxhash_rust::xxh64::xxh64;

use crate::capture::{Body, Capture, Ledger, Overflow};
use crate::compare::answer::{IMPOSSIBLE, Unread};
use crate::compare::part::leftover::is_filled;
use crate::compare::read::openai::chunk::Chunk;
use crate::compare::read::openai::events::{Event, Events};
use crate::compare::read::openai::members::{MAX_CHOICES, elements, may_be_error, member, whole};
use crate::compare::read::openai::stream::choice::JoinedChoice;
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::write::{comma, put};
use crate::fault::Fault;
use crate::json::reader::TapeReader;
use crate::json::tape::Document;

/// What is said of a stream that tells of an error.
const ERROR: Unread = Unread::Malformed("the stream ends in an error");

/// How much longer than all text an event may be: names, ids, probabilities of alternatives.
const AROUND: usize = 64 << 10;

/// Longer data of an event are read ahead, but never the last [`LONGEST_TOKEN`] bytes: a token that is read at once may be so long
/// (`-Infinity`).
const LONG: usize = 16 << 10;
const LONGEST_TOKEN: usize = 16;

/// Longest value that is kept of what stands around the text, such as the model's name.
const MAX_AROUND: usize = 4096;

/// Joins a stream of server-sent events into the answer that it would have been without streaming.
#[derive(Debug)]
pub struct Joiner {
    ledger: Ledger,
    state: Result<State, Unread>,
}

#[derive(Debug)]
struct State {
    events: Events,
    /// Of the event under way, which is read ahead if it is long.
    reader: TapeReader,
    joined: Joined,
}

/// What has been joined.
#[derive(Debug)]
struct Joined {
    /// The last value of each of [`AROUND_TEXT`] that says anything.
    around: [Vec<u8>; 4],
    /// In the order of their index.
    choices: Vec<JoinedChoice>,
    grow: Grow,
    /// Whether the stream said that it is over.
    done: bool,
    /// Of the data of all events.
    hash: u64,
}

/// Members of an answer that are kept beside its choices.
const AROUND_TEXT: [&str; 4] = ["id", "created", "model", "usage"];

impl Joiner {
    /// Of a stream with at most `limit` bytes of text. All that is kept is on `ledger`.
    pub fn new(ledger: &Ledger, limit: usize) -> Self {
        let joined = Joined { around: Default::default(), choices: Vec::new(), grow: Grow::new(ledger, limit), done: false, hash: 0 };
        let events = Events::new(ledger, limit.saturating_add(AROUND));
        Self { ledger: ledger.clone(), state: Ok(State { events, reader: TapeReader::default(), joined }) }
    }

    /// Takes the next piece of the stream, cut anywhere. The work grows with the piece and with the text of the events that end in it.
    ///
    /// # Errors
    /// If the stream is, or was already, given up: too long, no room for it, or not what the protocol says.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Unread> {
        let state = self.state.as_mut().map_err(|unread| *unread)?;
        state.push(chunk).inspect_err(|unread| self.state = Err(*unread))
    }

    /// The answer that the stream was, as JSON.
    ///
    /// # Errors
    /// If it was given up, or it ends before the answer does.
    pub fn finish(self) -> Result<Body, Unread> {
        let mut state = self.state?;
        if let (false, Some(event)) = (state.joined.done, state.events.end()) {
            state.last_event(event)?;
        }
        let joined = state.joined;
        if !joined.done && (joined.choices.is_empty() || !joined.choices.iter().all(JoinedChoice::is_finished)) {
            return Err(Unread::Malformed("the stream ends early"));
        }
        let text = joined.write().map_err(Unread::Overflow)?;
        Capture::whole(text, usize::MAX, &self.ledger).map_err(Unread::Overflow)
    }
}

impl State {
    fn push(&mut self, mut chunk: &[u8]) -> Result<(), Unread> {
        while !self.joined.done
            && let Some(event) = self.events.next(&mut chunk).map_err(Unread::Overflow)?
        {
            self.event(event)?;
        }
        self.read_ahead()?;
        Ok(())
    }

    /// Reads what is there of a long event, so that not all of it is left to the piece in which it ends.
    fn read_ahead(&mut self) -> Result<(), Fault> {
        let data = self.events.under_way();
        let mut safe = data.len().saturating_sub(self.reader.at()).saturating_sub(LONGEST_TOKEN);
        if data.len() > LONG && safe > 0 {
            let _ = self.reader.step(data, &mut safe)?;
        }
        Ok(())
    }

    /// Takes in an event without a blank line behind it. (The standard says that it never was. The servers that write none mean it.)
    fn last_event(&mut self, Event { data, is_error }: Event) -> Result<(), Unread> {
        if is_error {
            return Err(ERROR);
        }
        let hash = self.joined.hash_with(&data);
        match Chunk::read(data, TapeReader::default()) {
            Ok(chunk) => self.joined.take(chunk, hash),
            // Half an event is none.
            Err(_) => Ok(()),
        }
    }

    fn event(&mut self, Event { data, is_error }: Event) -> Result<(), Unread> {
        if is_error {
            return Err(ERROR);
        }
        let hash = self.joined.hash_with(&data);
        let chunk = Chunk::read(data, core::mem::take(&mut self.reader))?;
        self.joined.take(chunk, hash)
    }
}

impl Joined {
    /// The hash of the events until now and of one with this data.
    fn hash_with(&self, data: &Body) -> u64 {
        xxh64(data.bytes(), self.hash)
    }

    /// Takes in what an event says, with the hash of all events until then.
    fn take(&mut self, chunk: Chunk, hash: u64) -> Result<(), Unread> {
        self.hash = hash;
        match chunk {
            Chunk::Heartbeat => Ok(()),
            Chunk::Done => {
                self.done = true;
                Ok(())
            }
            Chunk::Piece(document) => self.chunk(&document),
        }
    }

    fn chunk(&mut self, document: &Document) -> Result<(), Unread> {
        if may_be_error(document, 0)? {
            return Err(ERROR);
        }
        for (name, value) in AROUND_TEXT.into_iter().zip(&mut self.around) {
            let filled = member(document, 0, name)?.filter(|&node| is_filled(document, node));
            let source = filled.map(|node| document.source(node));
            if let Some(source) = source.filter(|source| source.len() <= MAX_AROUND) {
                *value = source.to_vec();
            }
        }
        for (place, choice) in (0..).zip(elements(document, 0, "choices")?) {
            let index = whole(document, choice, "index")?.unwrap_or(place);
            let at = match self.choices.binary_search_by_key(&index, |choice| choice.index) {
                Ok(at) => at,
                Err(_) if self.choices.len() >= MAX_CHOICES => return Err(Unread::Malformed("too many choices")),
                Err(at) => {
                    self.choices.insert(at, JoinedChoice::new(index, &self.grow));
                    at
                }
            };
            self.choices.get_mut(at).ok_or(IMPOSSIBLE)?.chunk(document, choice, &mut self.grow)?;
        }
        Ok(())
    }

    /// The answer as JSON. What has been written is given back at once, so that the text is never on the ledger twice.
    fn write(self) -> Result<Vec<u8>, Overflow> {
        let around: usize = self.around.iter().map(Vec::len).sum();
        let length = self.grow.written(self.choices.len(), FRAME).saturating_add(around);
        let mut out = Vec::new();
        out.try_reserve_exact(length).map_err(|_| Overflow::Memory)?;
        put(&mut out, "{");
        if self.grow.has_values() {
            // Streams that differ in what is left unread may join to the same: then only the same bytes are.
            put(&mut out, &format!("\"stream\":{},", self.hash));
        }
        if self.grow.is_over() {
            ["\"object\":\"", JOINED_PARTLY, "\","].into_iter().for_each(|text| put(&mut out, text));
        }
        for (name, value) in AROUND_TEXT.iter().zip(&self.around).filter(|(_, value)| !value.is_empty()) {
            out.extend([b"\"", name.as_bytes(), b"\":", value, b","].into_iter().flatten());
        }
        put(&mut out, "\"choices\":[");
        for choice in self.choices {
            comma(&mut out);
            choice.write(&mut out)?;
        }
        put(&mut out, "]}");
        Ok(out)
    }
}

/// Bytes that are written around the text of a choice, a tool call or a member, at most.
const FRAME: usize = 256;

/// The `object` of an answer that was joined from a stream with more members left unread than are kept.
pub const JOINED_PARTLY: &str = "joined partly";
