//! Protobuf messages and Kubernetes resources, written as JSON or YAML.

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

/// Returns the text at `key`.
pub fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    field(node, key).and_then(Node::as_text)
}

/// Returns the elements at `key`; none if there is no list.
pub fn list<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    items(field(node, key))
}

/// Returns the elements of a list; none if there is no list.
pub fn items(node: Option<&Node>) -> &[Node] {
    match node {
        Some(Node::Array(items)) => items,
        _ => &[],
    }
}

/// Returns a part of the metadata of a Kubernetes resource.
pub fn part<'a>(resource: &'a Node, key: &str) -> Option<&'a str> {
    field(resource, "metadata").and_then(|metadata| text(metadata, key))
}

/// Whether the keys of an object, whatever their case and their underscores, are all among these.
pub fn has_only(node: &Node, keys: &[&str]) -> bool {
    let plain = |key: &str| key.replace('_', "").to_ascii_lowercase();
    matches!(node, Node::Object(pairs) if pairs.iter().all(|(key, _)| keys.contains(&&*plain(key))))
}

/// Whether `node` says by `@type` that it is a message of this type, given by its full name.
pub fn is_type(node: &Node, name: &str) -> bool {
    text(node, "@type").is_some_and(|kind| kind.rsplit('/').next() == Some(name))
}

/// Adds every value in `node`, itself included, that `is_it` picks to `found`.
pub fn pick<'a>(node: &'a Node, is_it: &dyn Fn(&Node) -> bool, found: &mut Vec<&'a Node>) {
    if is_it(node) {
        found.push(node);
    }
    match node {
        Node::Array(items) => items.iter().for_each(|item| pick(item, is_it, found)),
        Node::Object(pairs) => pairs.iter().for_each(|(_, value)| pick(value, is_it, found)),
        _ => {}
    }
}
