//! What a walk comes to next.

use crate::compare::judge::rules::Effect;

/// What a container under way comes to next.
#[derive(Debug)]
pub enum NextChild {
    /// Something to skip, or the budget was not enough: ask again while there is budget.
    Busy,
    /// Two values to be compared.
    Pair {
        /// Node of the primary's value.
        primary: u32,
        /// Node of the shadow's value.
        shadow: u32,
        /// What the plan says of them.
        effect: Effect,
    },
    /// A value of the primary that has no partner.
    Missing(u32),
    /// A value of the shadow that has no partner.
    Extra(u32),
    /// No more children.
    End,
}
