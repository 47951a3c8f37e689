//! stub
use crate::capture::{Body, Ledger};
use crate::compare::Unread;
#[derive(Debug)]
pub struct Joiner;
impl Joiner {
    pub fn new(_: &Ledger, _: usize) -> Self {
        Self
    }
    pub fn push(&mut self, _: &[u8]) -> Result<(), Unread> {
        Ok(())
    }
    pub fn finish(self) -> Result<Body, Unread> {
        Err(Unread::Malformed("stub"))
    }
}
