//! When two numbers are equal.

/// The parts of a [`Tolerance`] that the configuration gives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GivenTolerance {
    /// See [`Tolerance::absolute`].
    pub absolute: Option<f64>,
    /// See [`Tolerance::relative`].
    pub relative: Option<f64>,
}

impl GivenTolerance {
    /// None: numbers are equal only exactly.
    pub const EXACT: Self = Self { absolute: Some(0.0), relative: Some(0.0) };

    /// Returns the tolerance with the missing parts of `default`.
    pub fn or(self, default: Tolerance) -> Tolerance {
        Tolerance { absolute: self.absolute.unwrap_or(default.absolute), relative: self.relative.unwrap_or(default.relative) }
    }
}

/// When two numbers are equal: if `|a-b| <= absolute` or `|a-b| <= relative * max(|a|,|b|)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The largest absolute difference; not negative, finite.
    pub absolute: f64,
    /// The largest relative difference; not negative, finite.
    pub relative: f64,
}

impl Tolerance {
    /// The default for numbers in JSON, unless both are integers.
    pub const JSON: Self = Self { absolute: 1e-6, relative: 1e-3 };

    /// None: numbers are equal only exactly.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };

    /// The wider of both.
    pub fn or_wider(self, other: Self) -> Self {
        Self { absolute: self.absolute.max(other.absolute), relative: self.relative.max(other.relative) }
    }
}
