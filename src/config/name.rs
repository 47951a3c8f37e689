//! Names in a configuration.

use std::rc::Rc;

/// A validated name (`[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?`), which may become a label value.
pub type Name = Rc<str>;
