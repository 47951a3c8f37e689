//! The full names of series, and values of labels.
//!
//! A full name is the name, then `label=.=value;.;` for each label. Envoy's tag extraction turns it into `name{label="value"}`.

use crate::limits::MAX_LABEL;

/// All labels. `stats_tags` (Envoy) and `extraStatTags` (Istio) must list them.
pub const TAGS: [&str; 26] = [
    "experiment",
    "route",
    "variant",
    "shadow",
    "reason",
    "class",
    "outcome",
    "slice",
    "verdict",
    "kind",
    "path",
    "gate",
    "subject",
    "what",
    "plugin",
    "token",
    "model_version",
    "primary_answer",
    "shadow_answer",
    "feature",
    "output",
    "bin",
    "feedback",
    "truth",
    "config",
    "owner",
];

/// Returns the full name of a series.
pub fn series(name: &str, labels: &[(&str, &str)]) -> String {
    let mut text = String::from(name);
    for (label, value) in labels {
        text.push_str(label);
        text.push_str("=.=");
        text.push_str(value);
        text.push_str(";.;");
    }
    text
}

/// Texts that Istio's own tag rules cut out of the name of any series, together with the text up to the next dot.
const TAKEN: [&str; 4] = ["cache.", "component.", "tag.", "wasm_filter."];

/// Returns a label value for `text` that somebody else chose.
///
/// The text is cut at [`MAX_LABEL`] characters. `_` replaces every character that could break the name of a series or Prometheus' text
/// format, and every dot that would trigger Istio's own tag rules. An empty text becomes `_`, because a label needs a value.
pub fn value(text: &str) -> String {
    let text = if text.is_empty() { "_" } else { text };
    let clean = |c| if matches!(c, ' '..='~') && !matches!(c, ';' | '=' | '\\') { c } else { '_' };
    let value: String = text.chars().take(MAX_LABEL).map(clean).collect();
    TAKEN.iter().fold(value, |value, taken| if value.contains(taken) { value.replace(taken, &taken.replace('.', "_")) } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_name_comes_first() {
        assert_eq!(series("gnomon_captured_bytes", &[]), "gnomon_captured_bytes");
        assert_eq!(series("gnomon_x_total", &[("route", "r"), ("variant", "v1")]), "gnomon_x_totalroute=.=r;.;variant=.=v1;.;");
    }

    #[test]
    fn values_have_safe_characters_and_a_bounded_length() {
        for (text, want) in [
            ("a.b[*].c", "a.b[*].c"),
            ("a;b=c\\d", "a_b_c_d"),
            ("naïve\n", "na_ve_"),
            ("cache.hit", "cache_hit"),
            ("a.tag.x.cache.y", "a.tag_x.cache_y"),
            ("[\"two words\"]", "[\"two words\"]"),
            ("", "_"),
        ] {
            assert_eq!(value(text), want);
        }
        assert_eq!(value(&"ä".repeat(200)), "_".repeat(MAX_LABEL));
    }

    #[test]
    fn no_tag_is_a_suffix_of_another() {
        for tag in TAGS {
            assert!(TAGS.iter().all(|other| *other == tag || !other.ends_with(tag)), "the regex of {tag} would match inside another's");
        }
    }

    proptest! {
        #[test]
        fn a_value_never_breaks_the_name_of_a_series(text in ".*") {
            let value = value(&text);
            prop_assert!((1..=MAX_LABEL).contains(&value.chars().count()));
            prop_assert!(!value.contains(";.;") && !value.contains("=.=") && value.is_ascii());
        }
    }
}
