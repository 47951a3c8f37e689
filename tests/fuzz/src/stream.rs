//! Joining the stream of a generated answer.

use gnomon::capture::{Held, Ledger};
use gnomon::compare::Unread;
use gnomon::compare::read::openai::stream::Joiner;

use crate::json::read;
use crate::{open_ledger, split_head};

/// Longest text of an answer.
const LIMIT: usize = 4 << 10;

/// The first two bytes choose where the stream is cut; the rest is the stream.
pub fn check(data: &[u8]) {
    let ([first, second], stream) = split_head(data);
    let ledger = open_ledger();
    let whole = joined(&ledger, [stream]);
    let (begin, rest) = stream.split_at(usize::from(first).min(stream.len()));
    let pieces = std::iter::once(begin).chain(rest.chunks(1 + usize::from(second)));
    assert_eq!(joined(&ledger, pieces), whole, "cut elsewhere, joined to something else");
    assert_eq!(joined(&ledger, stream.chunks(1)), whole, "cut everywhere, joined to something else");
    if let Ok(answer) = whole {
        read(&answer, usize::MAX).expect("what is joined is JSON");
    }
    assert_eq!(ledger.used(), 0, "bytes are left on the ledger");
}

fn joined<'a>(ledger: &Ledger, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Unread> {
    let mut joiner = Joiner::new(ledger, LIMIT);
    for piece in pieces {
        if let Err(unread) = joiner.push(piece) {
            assert_eq!(joiner.push(b"data: {}\n\n"), Err(unread), "given up, and taken up again");
            assert_eq!(joiner.finish(), Err(unread));
            return Err(unread);
        }
    }
    joiner.finish().map(|body| Held::bytes(&body).to_vec())
}
