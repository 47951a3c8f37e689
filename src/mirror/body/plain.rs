//! The body of a request without its content codings.

use core::task::{Poll, ready};

use super::obstacle::Obstacle;
use crate::capture::{Body, Bounds};
use crate::encoding::Decoder;
use crate::encoding::decoding::{Decoding, Undecoded};
use crate::http::Request;

/// The state of undoing the content codings of a body.
#[derive(Debug, Default)]
pub enum Plain {
    /// Nobody has asked for the body.
    #[default]
    Untouched,
    /// The body is being decoded.
    Decoding(Decoding),
    /// The body without codings, or why there is none.
    Known(Result<Body, Obstacle>),
}

impl Plain {
    /// Decodes the body of `request`, and returns it. One without codings, or without a byte, is returned as it is. `Pending` means that
    /// `budget` was used up.
    ///
    /// # Errors
    /// If the codings can't be undone, or the decoded body is over `bounds`.
    pub fn step(&mut self, request: &Request, body: &Body, bounds: &Bounds, budget: &mut usize) -> Poll<Result<Body, Obstacle>> {
        if let Plain::Untouched = self {
            *self = Self::begun(request, body, bounds);
        }
        if let Plain::Decoding(decoding) = self {
            *self = Plain::Known(ready!(decoding.step(budget)).map_err(|undecoded| obstacle(undecoded, body)));
        }
        match self {
            Plain::Known(known) => Poll::Ready(known.clone()),
            _ => Poll::Pending,
        }
    }

    fn begun(request: &Request, body: &Body, bounds: &Bounds) -> Self {
        let length = body.bytes().len();
        let codings = request.headers("content-encoding").collect::<Vec<_>>().join(&b',');
        match Decoder::new(&codings) {
            Ok(Some(decoder)) if length > 0 => Plain::Decoding(Decoding::new(decoder, body.clone(), 0..length, bounds)),
            Err(fault) if length > 0 => Plain::Known(Err(obstacle(Undecoded::Malformed(fault), body))),
            _ => Plain::Known(Ok(body.clone())),
        }
    }

    /// Returns the body as far as that was asked for: decoded, or as it came.
    pub fn or<'a>(&'a self, body: &'a Body) -> &'a Body {
        match self {
            Plain::Known(Ok(plain)) => plain,
            _ => body,
        }
    }
}

/// Why `body` is not decoded.
fn obstacle(undecoded: Undecoded, body: &Body) -> Obstacle {
    let plain = if matches!(body.bytes(), [b'{' | b'[', ..]) { " (it begins like JSON)" } else { "" };
    match undecoded {
        Undecoded::Malformed(fault) => Obstacle::Unfit(format!("not decoded as content-encoding says: {fault}{plain}")),
        overflow => overflow.into(),
    }
}
