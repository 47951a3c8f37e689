//! The two sides of a pair.

/// Which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the client got.
    Primary,
    /// What the shadow answered.
    Shadow,
}

impl Side {
    /// For evidence.
    pub fn label(self) -> &'static str {
        match self {
            Side::Primary => "primary",
            Side::Shadow => "shadow",
        }
    }
}

/// Something of both answers, side by side.
#[derive(Debug)]
pub struct Sides<'a, T> {
    /// That of the answer that the client got.
    pub primary: &'a T,
    /// That of the shadow's answer.
    pub shadow: &'a T,
}

impl<'a, T> Sides<'a, T> {
    /// That of one side.
    pub fn of(self, side: Side) -> &'a T {
        match side {
            Side::Primary => self.primary,
            Side::Shadow => self.shadow,
        }
    }
}

// Not derived: a derived `Clone` would ask for `T: Clone`.
impl<T> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sides<'_, T> {}
