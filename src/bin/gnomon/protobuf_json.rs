//! Protobuf messages written as JSON or YAML.

use gnomon::config::raw::Node;

/// Returns the value of `key`, which is given as `root_id` and may be written `root_id` or `rootId`.
pub fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).or_else(|| {
        let mut words = key.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        let camel = words.fold(first, |name, word| {
            let mut letters = word.chars();
            let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
            name + &initial.into_iter().chain(letters).collect::<String>()
        });
        node.get(&camel)
    })
}
