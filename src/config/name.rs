//! Names that an operator gives.

use std::rc::Rc;

/// A validated name (`[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?`): it becomes a label value.
pub type Name = Rc<str>;
