//! What a path asks for, as model servers name their endpoints.

use super::MODEL_INFER;

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// KServe V1 and TensorFlow Serving: `…/v1/models/{model}[/versions/{version}|/labels/{label}]:predict`.
    Predict,
    /// Open Inference Protocol: `…/v2/models/{model}[/versions/{version}]/infer`.
    Infer,
    /// Open Inference Protocol over gRPC: `/inference.GRPCInferenceService/ModelInfer`.
    ModelInfer,
    /// OpenAI: `…/chat/completions`, and `completions` or `embeddings` behind a version, behind `openai` or behind the name of a deployment;
    /// but nothing below `…/v2/models/`, which is the Open Inference Protocol's.
    OpenAi,
    /// Anything else.
    Other,
}

impl Endpoint {
    /// What `path` (without its query) asks for. Gateways put things before it. Empty segments do not count, and a model's name may have
    /// several.
    pub fn of(path: &[u8]) -> Self {
        if path == MODEL_INFER {
            return Endpoint::ModelInfer;
        }
        let mut segments = path.rsplit(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
        let last = segments.next().unwrap_or_default();
        let verb = [&b":predict"[..], b"%3Apredict", b"%3apredict"].into_iter().find(|verb| last.ends_with(verb));
        let has = |found, endpoint| if found { endpoint } else { Endpoint::Other };
        match (last, verb) {
            (_, Some(verb)) => has(last != verb && is_below_models(segments, b"v1"), Endpoint::Predict),
            (b"infer", _) => has(segments.next().is_some() && is_below_models(segments, b"v2"), Endpoint::Infer),
            (b"completions" | b"embeddings", _) if is_below_models(segments.clone(), b"v2") => Endpoint::Other,
            (b"completions", _) => has(segments.clone().next() == Some(b"chat") || is_openai_base(segments), Endpoint::OpenAi),
            (b"embeddings", _) => has(is_openai_base(segments), Endpoint::OpenAi),
            _ => Endpoint::Other,
        }
    }
}

/// Whether `{version}/models` stands somewhere in `segments`, the last first.
fn is_below_models<'a>(mut segments: impl Iterator<Item = &'a [u8]>, version: &[u8]) -> bool {
    let mut behind: &[u8] = b"";
    segments.any(|segment| core::mem::replace(&mut behind, segment) == b"models" && segment == version)
}

/// Whether OpenAI's endpoints stand behind `segments`, the last first: a version (`v1`, `v1beta`), `openai`, or `deployments/{name}` as in
/// Azure.
fn is_openai_base<'a>(mut segments: impl Iterator<Item = &'a [u8]>) -> bool {
    segments.next().is_some_and(|last| is_version(last) || last == b"openai") || segments.next() == Some(b"deployments")
}

/// Whether a segment is a version: `v1`, `v1.1`, `v1beta`, `v1beta2`.
fn is_version(segment: &[u8]) -> bool {
    let number = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let Some(version) = segment.strip_prefix(b"v").filter(|version| version.first().is_some_and(u8::is_ascii_digit)) else { return false };
    let (digits, stage) =
        version.split_at_checked(version.iter().take_while(|byte| !byte.is_ascii_alphabetic()).count()).unwrap_or_default();
    let of_stage = stage.strip_prefix(b"alpha").or(stage.strip_prefix(b"beta")).unwrap_or(stage);
    number(digits) && number(of_stage)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_path_tells_the_endpoint() {
        for (path, want) in [
            ("/v1/models/iris:predict", Endpoint::Predict),
            ("/serving/v1/models/iris:predict", Endpoint::Predict),
            ("//v1//models/iris:predict/", Endpoint::Predict),
            ("/v1/models/iris%3Apredict", Endpoint::Predict),
            ("/v1/models/iris%3apredict", Endpoint::Predict),
            ("/v1/models/iris/versions/2:predict", Endpoint::Predict),
            ("/v1/models/iris/labels/stable:predict", Endpoint::Predict),
            ("/v1/models/acme/iris:predict", Endpoint::Predict),
            ("/v1/models/models:predict", Endpoint::Predict),
            ("/v1/models/:predict", Endpoint::Other),
            ("/v1/models/a/:predict", Endpoint::Other),
            ("/v1/models:predict", Endpoint::Other),
            ("/v1/models/iris:explain", Endpoint::Other),
            ("/v2/models/iris:predict", Endpoint::Other),
            ("/v1/iris:predict", Endpoint::Other),
            ("/v1/acme/models/iris:predict", Endpoint::Other),
            ("/models/v1/iris:predict", Endpoint::Other),
            ("/v2/models/iris/infer", Endpoint::Infer),
            ("/v2/models/iris/infer/", Endpoint::Infer),
            ("/v2//models/iris//infer", Endpoint::Infer),
            ("/v2/models/iris/versions/3/infer", Endpoint::Infer),
            ("/a/b/v2/models/iris/versions/3/infer", Endpoint::Infer),
            ("/a/b/v2/models/iris/infer", Endpoint::Infer),
            ("/v2/models/acme/iris/infer", Endpoint::Infer),
            ("/v2/models/acme/iris/versions/3/infer", Endpoint::Infer),
            ("/v2/models/v2/models/infer", Endpoint::Infer),
            ("/v1/models/iris/versions/3/infer", Endpoint::Other),
            ("/v2/models//infer", Endpoint::Other),
            ("/v2/models/infer", Endpoint::Other),
            ("/v2/models/iris/ready", Endpoint::Other),
            ("/v2/repository/index", Endpoint::Other),
            ("/infer", Endpoint::Other),
            ("/inference.GRPCInferenceService/ModelInfer", Endpoint::ModelInfer),
            ("/inference.GRPCInferenceService/ModelReady", Endpoint::Other),
            ("/v1/chat/completions", Endpoint::OpenAi),
            ("/v1/chat/completions/", Endpoint::OpenAi),
            ("/v1/models/llama/v1/chat/completions", Endpoint::OpenAi),
            ("/models/llama/v1/chat/completions", Endpoint::OpenAi),
            ("/v2/models/v1/chat/completions", Endpoint::Other),
            ("/a/v2/models/llama/v1/completions", Endpoint::Other),
            ("/v2/models-x/v1/completions", Endpoint::OpenAi),
            ("//v1//chat//completions", Endpoint::OpenAi),
            ("/v3/chat/completions", Endpoint::OpenAi),
            ("/chat/completions", Endpoint::OpenAi),
            ("/openai/deployments/gpt-small/chat/completions", Endpoint::OpenAi),
            ("/openai/deployments/gpt-small/completions", Endpoint::OpenAi),
            ("/openai/deployments/embed/embeddings", Endpoint::OpenAi),
            ("/v1beta/openai/chat/completions", Endpoint::OpenAi),
            ("/v1beta/openai/embeddings", Endpoint::OpenAi),
            ("/v3/embeddings", Endpoint::OpenAi),
            ("/openai/v1/completions", Endpoint::OpenAi),
            ("/v1/embeddings", Endpoint::OpenAi),
            ("/v1/models", Endpoint::Other),
            ("/v1/models/embeddings", Endpoint::Other),
            ("/api/embeddings", Endpoint::Other),
            ("/completions", Endpoint::Other),
            ("/video/embeddings", Endpoint::Other),
            ("/models/v2-large/embeddings", Endpoint::Other),
            ("/serve/v3small/completions", Endpoint::Other),
            ("/tasks/v1x/completions", Endpoint::Other),
            ("/v/completions", Endpoint::Other),
            ("/v1.1/completions", Endpoint::OpenAi),
            ("/v1alpha/completions", Endpoint::OpenAi),
            ("/v1beta2/embeddings", Endpoint::OpenAi),
            ("/v1/chat/completions/chatcmpl-1/messages", Endpoint::Other),
            ("/", Endpoint::Other),
            ("", Endpoint::Other),
        ] {
            assert_eq!(Endpoint::of(path.as_bytes()), want, "{path}");
        }
    }
}
