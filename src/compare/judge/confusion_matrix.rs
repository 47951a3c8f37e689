//! The confusion matrix of a pair: how many rows were one thing in the primary's answer and another in the shadow's.

use crate::compare::judgement::Decided;
use crate::limits::MAX_LABEL;

/// Distinct cells of one pair. Rows of further cells are counted together, as [`OTHER`] on both sides.
const MAX_CELLS: usize = 256;

/// What a row is called that has no cell of its own.
const OTHER: &str = "other";

/// The cells, each with its count.
#[derive(Debug, Default)]
pub struct ConfusionMatrix {
    cells: Vec<Decided>,
    /// Rows that have no cell of their own.
    other: u32,
}

impl ConfusionMatrix {
    /// What counting a row costs, in bytes touched.
    pub const COST: usize = 64;

    /// Counts a row. Names are cut at [`MAX_LABEL`] characters.
    pub fn count(&mut self, primary: &str, shadow: &str) {
        let (primary, shadow) = (cut(primary), cut(shadow));
        let has_room = self.cells.len() < MAX_CELLS;
        match self.cells.iter_mut().find(|cell| cell.primary == primary && cell.shadow == shadow) {
            Some(cell) => cell.rows = cell.rows.saturating_add(1),
            None if has_room => {
                self.cells.push(Decided { primary: primary.to_owned(), shadow: shadow.to_owned(), rows: 1 });
            }
            None => self.other = self.other.saturating_add(1),
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the cells, in the order in which they came; the other rows come last.
    pub fn take(&mut self) -> Vec<Decided> {
        let mut cells = core::mem::take(&mut self.cells);
        if self.other > 0 {
            cells.push(Decided { primary: OTHER.to_owned(), shadow: OTHER.to_owned(), rows: self.other });
        }
        self.clear();
        cells
    }
}

fn cut(name: &str) -> &str {
    name.char_indices().nth(MAX_LABEL).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn cells_are_few_and_names_short() {
        let mut matrix = ConfusionMatrix::default();
        for row in 0..300 {
            matrix.count(&format!("p{row}"), "s");
            matrix.count(&format!("p{row}"), "s");
        }
        let cells = matrix.take();
        assert_eq!((cells.len(), cells[0].rows), (257, 2));
        assert_eq!(cells[256], Decided { primary: "other".to_owned(), shadow: "other".to_owned(), rows: 88 });
        assert_eq!(matrix.take(), []);
        matrix.count(&"é".repeat(200), "é");
        matrix.count(&"é".repeat(300), "é");
        assert_eq!(matrix.take(), [Decided { primary: "é".repeat(128), shadow: "é".to_owned(), rows: 2 }]);
    }
}
