//! Finds the known key that a misspelt key was probably meant to be.

/// Returns the first of `keys` with the least distance from `key`, and that distance; `None` if more than one letter in three is wrong.
pub(super) fn nearest<'k>(key: &str, keys: &[&'k str]) -> Option<(usize, &'k str)> {
    let (distance, near) = keys.iter().map(|known| (distance(key, known), *known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= near.len().div_ceil(3)).then_some((distance, near))
}

/// Returns Levenshtein's distance, the least number of letters to insert, remove or replace, without regard to case, `_` and `-`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut left = i.saturating_add(1);
        let mut next = vec![left];
        for (y, window) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = window else { continue };
            left = diagonal.saturating_add(usize::from(x != y)).min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Returns the letters that count: the first 32, since known keys are shorter.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| *c != '_' && *c != '-').map(|c| c.to_ascii_lowercase()).take(32).collect()
}
