//! What is seen of a split that the mesh makes: the variant by the cluster that answered, and the header by which its routes keep a key at
//! one variant.

use std::rc::Rc;

use super::bucket_of;
use crate::config::{BucketHeader, Observe};
use crate::http::Request;

/// How many buckets have the same value of the header: its last two digits are left out.
const TOGETHER: u32 = 100;

/// Returns the index of the variant that answers from `cluster`, the host's name of it; [`unknown`] if that is none, or no name is known.
pub fn variant(observe: &Observe, cluster: Option<&[u8]>) -> usize {
    let taken = cluster.and_then(|cluster| observe.clusters.iter().find(|(condition, _)| condition.matches(cluster)));
    taken.map_or(unknown(observe), |(_, variant)| *variant)
}

/// Returns the index that stands for no variant, the one after the last.
pub fn unknown(observe: &Observe) -> usize {
    observe.variants.len()
}

/// Returns the value of the bucket header: four digits, `0000` to `9999`, of which a regular expression takes every hundredth part by the
/// first two. `None` if the request has no key. `random`, drawn evenly from all of `u64`, replaces the key if it is the request's id, and
/// the request has none.
pub fn bucket_value(header: &BucketHeader, request: &Request, random: u64) -> Option<Rc<str>> {
    let bucket = bucket_of(&header.key, &header.salt, request, random)?;
    Some(format!("{:04}", bucket / TOGETHER).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Key, ObservedVariant, Text};
    use crate::http::fields;

    fn observe(clusters: Vec<(Text, usize)>) -> Observe {
        let variants = ["stable", "canary", "other"].map(|name| ObservedVariant { name: name.into(), warmup: None });
        Observe { variants: variants.into(), clusters, bucket: None }
    }

    #[test]
    fn the_first_condition_that_holds_decides() {
        let text = str::to_owned;
        let observe = observe(vec![
            (Text::Exact(text("outbound|80||fraud.ml")), 0),
            (Text::Suffix(text("|canary|fraud.ml")), 1),
            (Text::Prefix(text("outbound|80|")), 2),
        ]);
        for (cluster, variant) in [
            ("outbound|80||fraud.ml", 0),
            ("outbound|80|canary|fraud.ml", 1),
            ("outbound|80||fraud.ml.svc", 2),
            ("outbound|8080||fraud.ml", 3),
            ("Outbound|80||fraud.ml", 3),
            ("", 3),
        ] {
            assert_eq!(super::variant(&observe, Some(cluster.as_bytes())), variant, "{cluster}");
        }
        assert_eq!(super::variant(&observe, None), unknown(&observe));
    }

    fn bucket_header(key: Key) -> BucketHeader {
        BucketHeader { key, salt: "fraud".to_owned(), header: "x-gnomon-bucket".into() }
    }

    /// The buckets of alice, carol and user-254 under the salt `fraud` are 416409, 099010 and 001519 (Python's xxhash).
    #[test]
    fn the_header_has_the_first_four_digits_of_six() {
        let by_user = bucket_header(Key::Header("x-user".into()));
        let value = |headers: &[(&str, &str)]| bucket_value(&by_user, &Request::new(&fields(headers)), 1_234_567);
        assert_eq!(value(&[("x-user", "alice")]).as_deref(), Some("4164"));
        assert_eq!(value(&[("x-user", "carol")]).as_deref(), Some("0990"));
        assert_eq!(value(&[("x-user", "user-254")]).as_deref(), Some("0015"));
        assert_eq!([value(&[]), value(&[("x-user", "")]), value(&[("x-gnomon-bucket", "0001")])], [None, None, None]);
        let by_id = bucket_header(Key::Request);
        assert_eq!(bucket_value(&by_id, &Request::new(&fields(&[("x-request-id", "alice")])), 0).as_deref(), Some("4164"));
        assert_eq!(bucket_value(&by_id, &Request::new(&[]), 3_000_099).as_deref(), Some("0000"));
        assert_eq!(bucket_value(&by_id, &Request::new(&[]), 999_999).as_deref(), Some("9999"));
    }

    proptest! {
        #[test]
        fn the_value_has_four_digits(key in prop::collection::vec(any::<u8>(), 1..40)) {
            let fields = [("x-user".to_owned(), key.clone())];
            let value = bucket_value(&bucket_header(Key::Header("x-user".into())), &Request::new(&fields), 0).unwrap();
            let bucket = crate::split::bucket::bucket(&[b"fraud", b"split", &key]);
            prop_assert_eq!(&*value, &format!("{bucket:06}")[..4]);
        }
    }
}
