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

/// The same of both answers.
#[derive(Debug)]
pub struct Sides<'a, T> {
    /// Of what the client got.
    pub primary: &'a T,
    /// Of what the shadow answered.
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

// Not derived: that would ask it of `T`, too.
impl<T> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sides<'_, T> {}
