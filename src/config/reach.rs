//! What the answers of a route may be, as far as its protocol and the conditions on its paths tell.

use super::{Match, Protocol, Route, Text};
use crate::http::endpoint::Endpoint;

impl Route {
    /// Whether answers may be generated text, which has tokens and an end, and may be streamed.
    pub fn may_generate(&self) -> bool {
        may_generate(self.protocol, &self.matches)
    }

    /// Whether answers may tell the version of their model.
    pub fn may_tell_version(&self) -> bool {
        may_tell_version(self.protocol, &self.matches)
    }
}

/// As [`Route::may_generate`], of a route that is being read.
pub(super) fn may_generate(protocol: Protocol, matches: &[Match]) -> bool {
    protocol == Protocol::OpenAi || protocol == Protocol::Auto && any_path(matches, may_be_openai)
}

/// As [`Route::may_tell_version`], of a route that is being read.
pub(super) fn may_tell_version(protocol: Protocol, matches: &[Match]) -> bool {
    match protocol {
        Protocol::Json | Protocol::Opaque => false,
        Protocol::Auto => any_path(matches, may_be_known),
        Protocol::KserveV1 | Protocol::OpenInference | Protocol::OpenAi => true,
    }
}

fn any_path(matches: &[Match], may_be: impl Fn(&Text) -> bool) -> bool {
    matches.iter().any(|set| set.path.as_ref().is_none_or(&may_be))
}

/// Whether a path for which `condition` holds may be an endpoint of OpenAI's.
fn may_be_openai(condition: &Text) -> bool {
    match condition {
        Text::Exact(path) => Endpoint::of(path.as_bytes()) == Endpoint::OpenAi,
        // Only what is below `…/v2/models/` is none, whatever follows. (The `x` ends a segment that may be cut.)
        Text::Prefix(beginning) => Endpoint::of(format!("{beginning}x/chat/completions").as_bytes()) == Endpoint::OpenAi,
        Text::Suffix(end) => {
            let end = end.trim_end_matches('/');
            ["completions", "embeddings"].into_iter().any(|name| match end.rsplit_once('/') {
                Some((_, last)) => last == name,
                None => name.ends_with(end),
            })
        }
    }
}

/// Whether a path for which `condition` holds may be an endpoint of a protocol that `auto` knows by the path.
fn may_be_known(condition: &Text) -> bool {
    match condition {
        Text::Exact(path) => Endpoint::of(path.as_bytes()) != Endpoint::Other,
        Text::Prefix(_) | Text::Suffix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn exact(text: &str) -> Text {
        Text::Exact(text.to_owned())
    }

    fn prefix(text: &str) -> Text {
        Text::Prefix(text.to_owned())
    }

    fn suffix(text: &str) -> Text {
        Text::Suffix(text.to_owned())
    }

    #[test]
    fn a_condition_tells_whether_a_chat_may_come() {
        for (condition, openai, known) in [
            (exact("/v1/chat/completions"), true, true),
            (exact("/v1/models/fraud:predict"), false, true),
            (exact("/v2/models/fraud/infer"), false, true),
            (exact("/inference.GRPCInferenceService/ModelInfer"), false, true),
            (exact("/score"), false, false),
            (prefix("/"), true, true),
            (prefix(""), true, true),
            (prefix("/v1/"), true, true),
            (prefix("/v1/models/fraud"), true, true),
            (prefix("/v2/model"), true, true),
            (prefix("/v2/models"), true, true),
            (prefix("/v2/models/"), false, true),
            (prefix("/v2/models/fraud"), false, true),
            (prefix("/tenant/v2/models/fraud/"), false, true),
            (prefix("/score"), true, true),
            (suffix("/infer"), false, true),
            (suffix(":predict"), false, true),
            (suffix("/"), true, true),
            (suffix(""), true, true),
            (suffix("ions"), true, true),
            (suffix("completions/"), true, true),
            (suffix("/chat/completions"), true, true),
            (suffix("/embeddings"), true, true),
            (suffix("/my-embeddings"), false, true),
            (suffix("score"), false, true),
        ] {
            assert_eq!((may_be_openai(&condition), may_be_known(&condition)), (openai, known), "{condition:?}");
        }
    }

    #[test]
    fn one_set_of_conditions_that_may_reach_a_chat_is_enough() {
        let set = |path| Match { methods: vec!["POST".to_owned()], path, authority: None, headers: Vec::new() };
        let (chat, tensors) = (set(Some(exact("/v1/completions"))), set(Some(prefix("/v2/models/"))));
        for (protocol, sets, generates, versions) in [
            (Protocol::Auto, vec![tensors.clone()], false, true),
            (Protocol::Auto, vec![tensors.clone(), chat.clone()], true, true),
            (Protocol::Auto, vec![set(None)], true, true),
            (Protocol::Auto, vec![set(Some(exact("/score")))], false, false),
            (Protocol::OpenAi, vec![tensors.clone()], true, true),
            (Protocol::OpenInference, vec![chat.clone()], false, true),
            (Protocol::KserveV1, vec![chat.clone()], false, true),
            (Protocol::Json, vec![chat.clone()], false, false),
            (Protocol::Opaque, vec![chat], false, false),
        ] {
            assert_eq!((may_generate(protocol, &sets), may_tell_version(protocol, &sets)), (generates, versions), "{protocol:?} {sets:?}");
        }
    }

    proptest! {
        #[test]
        fn no_condition_on_a_path_of_an_endpoint_says_that_there_is_none(
            segments in prop::collection::vec(prop::sample::select(vec![
                "", "v1", "v2", "models", "m", "chat", "completions", "embeddings", "openai", "deployments", "infer", "m:predict",
            ]), 1..6),
            at in any::<prop::sample::Index>(),
        ) {
            let path = format!("/{}", segments.join("/"));
            let (beginning, end) = path.split_at(at.index(path.len() + 1));
            let endpoint = Endpoint::of(path.as_bytes());
            for condition in [exact(&path), prefix(beginning), suffix(end)] {
                prop_assert!(endpoint != Endpoint::OpenAi || may_be_openai(&condition), "{condition:?} {path}");
                prop_assert!(endpoint == Endpoint::Other || may_be_known(&condition), "{condition:?} {path}");
            }
        }
    }
}
