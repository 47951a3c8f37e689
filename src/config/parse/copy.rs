//! `request`: how a copy differs from its request, in its path, host, headers and body.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::header;
use super::value::{Problems, Value};
use crate::config::CopyRequest;
use crate::config::raw::Node;

/// `request` of a shadow.
pub(super) fn request(value: &Value<'_>, problems: &mut Problems) -> Option<CopyRequest> {
    let object = value.object(&["path", "authority", "model", "body", "headers", "keep_credentials"], problems)?;
    let path = object.maybe("path", problems, rewrite);
    let authority = object.maybe("authority", problems, authority);
    let model = object.maybe("model", problems, |value, problems| value.line(problems).map(str::to_owned));
    let renames = object.get("model").is_some();
    let body = object.or("body", CopyRequest::default(), problems, |value, problems| body(value, renames, problems));
    let headers = object.or("headers", CopyRequest::default(), problems, headers);
    let keep_credentials = object.or("keep_credentials", false, problems, Value::boolean);
    let CopyRequest { body_set, body_remove, .. } = body?;
    Some(CopyRequest {
        path: path?,
        authority: authority?,
        model: model?,
        body_set,
        body_remove,
        keep_credentials: keep_credentials?,
        ..headers?
    })
}

fn rewrite(value: &Value<'_>, problems: &mut Problems) -> Option<(String, String)> {
    let object = value.object(&["prefix", "with"], problems)?;
    let prefix = object.required("prefix", problems, path);
    let with = object.required("with", problems, path);
    Some((prefix?, with?))
}

/// Reads the beginning of a path, without query.
fn path(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.line(problems)?;
    if !text.starts_with('/') || text.contains([' ', '?', '#']) {
        return value.refuse("give the beginning of a path: /, then no space, ? or #", problems);
    }
    Some(text.to_owned())
}

fn authority(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.line(problems)?;
    if text.contains([' ', '/', '?', '#', '@']) {
        return value.refuse("give a host, with a port if need be", problems);
    }
    Some(text.to_owned())
}

/// Reads `request.body`. `renames` says whether `request.model` is given too.
fn body(value: &Value<'_>, renames: bool, problems: &mut Problems) -> Option<CopyRequest> {
    let object = value.object(&["set", "remove"], problems)?;
    let set = object.or("set", Vec::new(), problems, |value, problems| members(value, renames, problems));
    let written = object.get("set");
    let remove = object.or("remove", Vec::new(), problems, |value, problems| {
        value.list(problems, |item, problems| {
            let name = item.text(problems)?;
            if name.is_empty() {
                item.refuse(NO_NAME, problems)
            } else if written.as_ref().and_then(|set| set.child(name)).is_some() {
                item.refuse("this member is set, too: setting it is enough", problems)
            } else {
                Some(name.to_owned())
            }
        })
    });
    Some(CopyRequest { body_set: set?, body_remove: remove?, ..CopyRequest::default() })
}

const NO_NAME: &str = "give the name of a top-level member";

/// Reads the members that are set, each with its value as JSON text.
fn members(value: &Value<'_>, renames: bool, problems: &mut Problems) -> Option<Vec<(String, String)>> {
    let strange = |name: &str| match name {
        "" => Some(NO_NAME.to_owned()),
        "model" if renames => Some("request.model sets it already: keep one of the two".to_owned()),
        _ => None,
    };
    let object = value.members(&strange, problems)?;
    let mut members = Vec::new();
    for (name, node) in object.pairs {
        let json = object.member(name, node).read(problems, |value, problems| match value.node.to_json() {
            Ok(json) => Some(json),
            Err(why) => value.refuse(format!("this can't be set as it is written: {why}"), problems),
        });
        members.extend(json.map(|json| (name.clone(), json)));
    }
    (members.len() == object.pairs.len()).then_some(members)
}

/// Reads `request.headers`.
fn headers(value: &Value<'_>, problems: &mut Problems) -> Option<CopyRequest> {
    let object = value.object(&["set", "from_env", "remove"], problems)?;
    let mut spellings = BTreeMap::new();
    let set = object.or("set", Vec::new(), problems, |value, problems| fields(value, &mut spellings, header::value, problems));
    let from_env = object
        .or("from_env", Vec::new(), problems, |value, problems| fields(value, &mut spellings, header::environment_variable, problems));
    let remove = object.or("remove", Vec::new(), problems, |value, problems| value.list(problems, header::removed));
    Some(CopyRequest { set: set?, from_env: from_env?, remove: remove?, ..CopyRequest::default() })
}

/// Reads headers that are set, each with the value that `read` returns. `spellings` has the headers read so far, each with the path of its
/// object and its spelling there.
fn fields<'a>(
    value: &Value<'a>,
    spellings: &mut BTreeMap<Rc<str>, (String, &'a str)>,
    read: fn(&Value<'_>, &mut Problems) -> Option<String>,
    problems: &mut Problems,
) -> Option<Vec<(Rc<str>, String)>> {
    let object = value.members(&|_| None, problems)?;
    let mut fields = Vec::new();
    for (key, node) in object.pairs {
        let name_node = Node::Text(key.clone());
        let place = object.member(key, &name_node);
        let name = header::set(&place, problems);
        let earlier = name.as_ref().and_then(|name| spellings.insert(Rc::clone(name), (value.path.clone(), key)));
        // Two equal keys in one object have been reported already.
        if earlier.is_some_and(|(path, spelling)| path != value.path || spelling != key) {
            place.refuse::<()>("this header is there twice, in other letters or under set and from_env: keep one", problems);
        }
        fields.extend(name.zip(object.member(key, node).read(problems, read)));
    }
    (fields.len() == object.pairs.len()).then_some(fields)
}
