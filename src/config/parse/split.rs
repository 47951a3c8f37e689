//! `split`: variants, key, pins.

use super::units;
use super::value::{Object, Problems, Value};
use super::{condition, header, variants, warmup};
use crate::config::{Pin, Split, Variant};
use crate::limits::BUCKETS;

/// The default of `header`.
const HEADER: &str = "x-gnomon-variant";

const KEYS: [&str; 8] = ["baseline", "canaries", "key", "salt", "pins", "header", "expose", "same_cluster"];

/// Reads `split`. The default of its `salt` is this one, the route's name.
pub(super) fn split(value: &Value<'_>, salt: Option<&str>, problems: &mut Problems) -> Option<Split> {
    let object = value.object(&KEYS, problems)?;
    let variants = all(&object, problems);
    let has_canaries = variants::names(value).len() > 1;
    let key = object.maybe("key", problems, condition::key);
    if has_canaries && object.get("key").is_none() {
        object.missing::<()>("key", "canaries need a key: {header: …}, {cookie: …}, {query: …}, or the word request", problems);
    }
    let salt = object.or("salt", salt.unwrap_or_default(), problems, |value, problems| value.text(problems));
    let pins = object.or("pins", Vec::new(), problems, |pins, problems| pins.list(problems, |item, problems| pin(item, value, problems)));
    let header = object.or("header", HEADER.into(), problems, header::split);
    header::report_read(
        header.as_deref(),
        key.as_ref().and_then(Option::as_ref),
        object.get("header").or_else(|| object.get("key")),
        problems,
    );
    let expose = object.or("expose", false, problems, Value::boolean);
    let same_cluster = object.or("same_cluster", false, problems, Value::boolean);
    Some(Split {
        variants: variants?,
        key: key?,
        salt: salt?.to_owned(),
        pins: pins?,
        header: header?,
        expose: expose?,
        same_cluster: same_cluster?,
    })
}

fn all(object: &Object<'_>, problems: &mut Problems) -> Option<Vec<Variant>> {
    let baseline = object.required("baseline", problems, units::name);
    let mut sum: u64 = 0;
    let canaries = object.or("canaries", Vec::new(), problems, |canaries, problems| {
        let read = canaries.list(problems, |item, problems| {
            let object = item.object(&["name", "percent", "warmup"], problems)?;
            let name = object.required("name", problems, units::name);
            let ppm = object.required("percent", problems, units::percent);
            sum = sum.saturating_add(ppm.map_or(0, u64::from));
            let warmup = object.maybe("warmup", problems, warmup::warmup);
            Some(Variant { name: name?, ppm: ppm?, warmup: warmup? })
        });
        if sum > BUCKETS {
            #[expect(clippy::cast_precision_loss, reason = "shown with four decimals")]
            let percent = sum as f64 / 10_000.0;
            return canaries.refuse_as(format!("{percent} percent"), "the canaries have more than 100 percent together", problems);
        }
        read
    });
    let rest = u32::try_from(BUCKETS.saturating_sub(sum)).unwrap_or_default();
    let mut variants = vec![Variant { name: baseline?, ppm: rest, warmup: None }];
    variants.extend(canaries?);
    Some(variants)
}

fn pin(value: &Value<'_>, split: &Value<'_>, problems: &mut Problems) -> Option<Pin> {
    let object = value.object(&["header", "exact", "prefix", "suffix", "variant"], problems)?;
    let header = object.required("header", problems, header::name);
    let text = condition::one_text(value, &object, problems);
    let variant = object.required("variant", problems, |value, problems| variants::variant(value, split, problems));
    Some(Pin { header: header?, value: text?, variant: variant? })
}
