//! Which fields a copy has.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::tests::shadow;
use super::*;
use crate::capture::{Body, Held};
use crate::config::CopyRequest;
use crate::http::{Fields, fields};

const POST: [(&str, &str); 3] = [(":method", "POST"), (":authority", "fraud.local"), (":path", "/v2/models/fraud/infer?a=1")];
/// The fields that the filter sets on every copy.
const ADDED: [(&str, &str); 2] = [("accept-encoding", "identity"), ("x-gnomon-shadow", "v2-copy")];

fn copy(changes: CopyRequest, request: &Fields, body_len: usize) -> Result<Vec<(String, String)>, Refused> {
    let shaped = Shaped { body: body(body_len), ..Shaped::default() };
    copy_headers(&shadow(1, None, changes), &["x-gnomon-variant".into(), "x-pick".into()], &[], &Request::new(request), &shaped)
}

fn body(length: usize) -> Body {
    Rc::new(Held::from(vec![0; length]))
}

fn post(more: &[(&str, &str)]) -> Fields {
    fields(&[&POST, more].concat())
}

fn text(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Checks the fields of the copy of a POST without a body, leaving out the request's pseudo-headers and [`ADDED`].
fn check(changes: CopyRequest, more: &[(&str, &str)], expected: &[(&str, &str)]) {
    let copy = copy(changes, &post(more), 0).unwrap();
    let rest: Vec<_> = copy.into_iter().filter(|field| !text(&[&POST[..], &ADDED].concat()).contains(field)).collect();
    assert_eq!(rest, text(expected), "{more:?}");
}

#[test]
fn a_plain_request_is_copied_in_order_with_pseudo_headers_first() {
    let request =
        fields(&[("b", "1"), (":path", "/"), ("a", "2"), (":method", "POST"), ("b", "3"), (":authority", "x"), (":scheme", "http")]);
    let expected = [
        (":path", "/"),
        (":method", "POST"),
        (":authority", "x"),
        (":scheme", "http"),
        ("b", "1"),
        ("a", "2"),
        ("b", "3"),
        ("accept-encoding", "identity"),
        ("content-length", "7"),
        ("x-gnomon-shadow", "v2-copy"),
    ];
    assert_eq!(copy(CopyRequest::default(), &request, 7), Ok(text(&expected)));
}

#[test]
fn fields_of_the_connection_and_of_envoy_are_left_out() {
    let gone = [
        ("connection", "keep-alive, X-Hop ,x-hop2"),
        ("connection", ":path"),
        ("x-hop", "1"),
        ("x-hop2", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("te", "gzip"),
        ("trailer", "x"),
        ("trailers", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("accept-encoding", "gzip, br"),
        ("content-length", "5"),
        ("x-envoy-upstream-rq-timeout-ms", "50"),
        ("x-envoy-", ""),
        ("x-gnomon-shadow", "forged"),
        ("x-pick", "v2"),
    ];
    check(CopyRequest::default(), &gone, &[]);
    let stay = [
        ("x-request-id", "r"),
        ("traceparent", "00-1"),
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("te2", "x"),
        ("x-gnomon-other", "1"),
    ];
    check(CopyRequest::default(), &stay, &stay);
}

#[test]
fn credentials_are_left_out_unless_kept() {
    let credentials = [
        ("authorization", "Bearer x"),
        ("cookie", "a=1"),
        ("proxy-authorization", "y"),
        ("x-forwarded-client-cert", "Hash=z"),
        ("x-forwarded-access-token", "t"),
        ("x-auth-token", "t"),
        ("x-api-key", "k"),
        ("api-key", "k"),
        ("x-goog-api-key", "k"),
        ("x-goog-iap-jwt-assertion", "j"),
        ("x-amz-security-token", "t"),
        ("ocp-apim-subscription-key", "k"),
    ];
    check(CopyRequest::default(), &credentials, &[]);
    check(CopyRequest { keep_credentials: true, ..CopyRequest::default() }, &credentials, &credentials);
}

#[test]
fn what_is_for_the_live_answer_or_the_primary_s_pod_is_never_copied() {
    let fields = [
        ("grpc-timeout", "1S"),
        ("connect-timeout-ms", "1000"),
        ("x-gateway-destination-endpoint", "10.0.0.1:8000"),
        ("x-ai-eg-model", "v1"),
        ("x-ai-eg-", ""),
    ];
    for keep_credentials in [false, true] {
        check(CopyRequest { keep_credentials, ..CopyRequest::default() }, &fields, &[]);
    }
    let near = [("grpc-timeouts", "1S"), ("x-gateway-destination", "a"), ("x-ai-egress", "b"), ("x-api-keys", "c")];
    check(CopyRequest::default(), &near, &near);
}

#[test]
fn grpc_gets_te_trailers() {
    for kind in ["application/grpc", "application/grpc+proto", "Application/gRPC-web"] {
        check(CopyRequest::default(), &[("te", "x"), ("content-type", kind)], &[("content-type", kind), ("te", "trailers")]);
    }
    check(CopyRequest::default(), &[("te", "trailers"), ("content-type", "application/gr")], &[("content-type", "application/gr")]);
}

#[test]
fn only_a_body_has_a_length() {
    let length = |body_len| {
        let copy = copy(CopyRequest::default(), &post(&[("content-length", "99")]), body_len).unwrap();
        copy.into_iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(length(0), Vec::<String>::new());
    assert_eq!(length(1_048_576), ["1048576"]);
}

#[test]
fn removes_then_rewrites_then_sets() {
    let changes = CopyRequest {
        path: Some(("/v2/models/fraud/".to_owned(), "/v2/models/fraud-v2/".to_owned())),
        authority: Some("fraud-v2.local".to_owned()),
        model: None,
        set: vec![
            ("x-env".into(), "shadow".to_owned()),
            ("authorization".into(), "Bearer own".to_owned()),
            ("x-gone".into(), "back".to_owned()),
        ],
        remove: vec!["x-billing-id".into(), "x-gone".into()],
        keep_credentials: false,
        ..CopyRequest::default()
    };
    let request = post(&[
        ("x-billing-id", "1"),
        ("x-env", "live"),
        ("x-env", "live2"),
        ("authorization", "Bearer client"),
        ("x-gone", "1"),
        ("x-billing-id", "2"),
    ]);
    let expected = [
        (":method", "POST"),
        (":authority", "fraud-v2.local"),
        (":path", "/v2/models/fraud-v2/infer?a=1"),
        ("accept-encoding", "identity"),
        ("x-env", "shadow"),
        ("authorization", "Bearer own"),
        ("x-gone", "back"),
        ("x-gnomon-shadow", "v2-copy"),
    ];
    assert_eq!(copy(changes, &request, 0), Ok(text(&expected)));
}

#[test]
fn a_path_without_the_prefix_stays() {
    for (prefix, path, expected) in [("/b", "/a?/b", "/a?/b"), ("/a/", "/a", "/a"), ("/a", "/a", "/z"), ("/a", "/a?/a", "/z?/a")] {
        let changes = CopyRequest { path: Some((prefix.to_owned(), "/z".to_owned())), ..CopyRequest::default() };
        let copy = copy(changes, &fields(&[(":path", path), (":method", "POST"), (":authority", "x")]), 0).unwrap();
        assert_eq!(copy[0].1, expected, "{prefix} {path}");
    }
}

#[test]
fn fields_that_the_host_would_refuse_are_refused() {
    for missing in [":method", ":path", ":authority"] {
        let mut request = post(&[]);
        request.retain(|(name, _)| name != missing);
        assert_eq!(copy(CopyRequest::default(), &request, 0).unwrap_err().0, format!("no {missing}"));
    }
    let mut request = post(&[]);
    request[2].1.push(0xff);
    assert_eq!(copy(CopyRequest::default(), &request, 0), Err(Refused("a pseudo-header is not UTF-8")));
}

#[test]
fn the_bounds_on_fields_and_bytes_are_exact() {
    let fields_left = MAX_CALL_HEADERS - POST.len() - ADDED.len();
    let mut request = post(&vec![("a", ""); fields_left]);
    assert_eq!(copy(CopyRequest::default(), &request, 0).map(|copy| copy.len()), Ok(MAX_CALL_HEADERS));
    request.push(("a".to_owned(), Vec::new()));
    assert_eq!(copy(CopyRequest::default(), &request, 0), Err(Refused("too many header fields")));

    // The host's encoding, written out: a count of 4 bytes, then per field two lengths of 4 bytes, then name NUL value NUL.
    let used: usize = 4 + POST.iter().chain(&ADDED).map(|(name, value)| 4 + 4 + name.len() + 1 + value.len() + 1).sum::<usize>();
    let mut request = post(&[]);
    request.push(("a".to_owned(), vec![b'x'; MAX_CALL_HEADER_BYTES - used - 11]));
    assert!(copy(CopyRequest::default(), &request, 0).is_ok());
    request[3].1.push(b'x');
    assert_eq!(copy(CopyRequest::default(), &request, 0), Err(Refused("too many bytes of header fields")));
}

#[test]
fn a_value_that_is_not_utf_8_is_left_out() {
    let mut request = post(&[("a", "1")]);
    request.push(("b".to_owned(), b"\xff".to_vec()));
    let copy = copy(CopyRequest::default(), &request, 0).unwrap();
    assert!(copy.iter().any(|(name, _)| name == "a") && !copy.iter().any(|(name, _)| name == "b"));
}

fn any_name() -> impl Strategy<Value = String> {
    let forbidden = HOP_BY_HOP.iter().chain(&OWN).chain(&CREDENTIALS).map(|&name| name.to_owned()).collect::<Vec<_>>();
    prop_oneof![
        prop::sample::select(forbidden),
        "x-(envoy|gnomon)-[a-z]{0,3}",
        prop::sample::select(vec!["x-pick".to_owned(), "content-type".to_owned()]),
        "[a-c]",
        "[ -~]{1,8}".prop_filter("the request has its own pseudo-headers", |name| !name.starts_with(':')),
    ]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        "[a-c]{1,2}(, ?[A-C])*".prop_map(String::into_bytes),
        Just(b"application/grpc".to_vec()),
    ]
}

#[test]
fn headers_from_the_environment_are_set_last() {
    let environment = [("authorization".into(), Secret::from("Bearer shadow".to_owned())), ("x-a".into(), Secret::from("1".to_owned()))];
    let changes = CopyRequest { remove: vec!["x-a".into()], ..CopyRequest::default() };
    let request = post(&[("authorization", "Bearer live"), ("x-a", "0"), ("x-a", "2")]);
    let copy = copy_headers(&shadow(1, None, changes), &[], &environment, &Request::new(&request), &Shaped::default()).unwrap();
    let values = |name: &str| copy.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!([values("authorization"), values("x-a")], [["Bearer shadow"], ["1"]]);
}

#[test]
fn the_header_with_the_length_of_json_follows_a_change() {
    let request = post(&[("inference-header-content-length", "15"), ("content-length", "99")]);
    for (json, expected) in [(None, "15"), (Some(20), "20")] {
        let shaped = Shaped { body: body(100), json_length: json, ..Shaped::default() };
        let copy = copy_headers(&shadow(1, None, CopyRequest::default()), &[], &[], &Request::new(&request), &shaped).unwrap();
        let values = |name: &str| copy.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
        assert_eq!([values("inference-header-content-length"), values("content-length")], [[expected], ["100"]]);
    }
}

#[test]
fn codings_that_the_copy_does_not_have_are_not_named() {
    let request = post(&[("content-encoding", "gzip"), ("content-encoding", "br"), ("grpc-encoding", "gzip"), ("te", "x")]);
    let set = CopyRequest { set: vec![("content-encoding".into(), "x".to_owned())], ..CopyRequest::default() };
    for (undone, changes, expected) in [
        (&[][..], CopyRequest::default(), vec!["gzip", "br", "gzip"]),
        (&["content-encoding"], CopyRequest::default(), vec!["gzip"]),
        (&["content-encoding", "grpc-encoding"], CopyRequest::default(), vec![]),
        (&["content-encoding", "grpc-encoding"], set, vec!["x"]),
    ] {
        let shaped = Shaped { undone, ..Shaped::default() };
        let copy = copy_headers(&shadow(1, None, changes), &[], &[], &Request::new(&request), &shaped).unwrap();
        let codings = copy.iter().filter(|(name, _)| name.ends_with("-encoding") && name != "accept-encoding");
        assert_eq!(codings.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), expected, "{undone:?}");
    }
}

#[test]
fn digests_of_another_body_are_left_out() {
    let fields = ["content-digest", "content-md5", "digest", "repr-digest", "want-digest"];
    let request = post(&fields.map(|name| (name, "x")));
    for (is_changed, left) in [(false, &fields[..]), (true, &["want-digest"])] {
        let shaped = Shaped { is_changed, ..Shaped::default() };
        let copy = copy_headers(&shadow(1, None, CopyRequest::default()), &[], &[], &Request::new(&request), &shaped).unwrap();
        let names: Vec<_> = copy.iter().map(|(name, _)| name.as_str()).filter(|name| fields.contains(name)).collect();
        assert_eq!(names, left);
    }
}

proptest! {
    #[test]
    fn a_copy_never_has_what_it_must_not_and_has_all_the_rest(
        more in prop::collection::vec((any_name(), any_value()), 0..50),
        body_len in 0_usize..3,
    ) {
        let request = [post(&[]), more.clone()].concat();
        let named: Vec<String> = more
            .iter()
            .filter(|(name, _)| name == "connection")
            .flat_map(|(_, value)| String::from_utf8_lossy(value).split(',').map(|token| token.trim().to_ascii_lowercase()).collect::<Vec<_>>())
            .collect();
        let stays = |name: &str| {
            !HOP_BY_HOP.contains(&name) && !OWN.contains(&name)
                && !CREDENTIALS.contains(&name)
                && !OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                && name != "x-pick"
                && !named.iter().any(|token| token == name)
        };
        let expected: Vec<_> = more
            .iter()
            .filter(|(name, _)| stays(name))
            .filter_map(|(name, value)| Some((name.clone(), String::from_utf8(value.clone()).ok()?)))
            .collect();
        let copy = copy(CopyRequest::default(), &request, body_len).unwrap();
        prop_assert_eq!(&copy[..3], text(&POST));
        let (kept, added) = copy[3..].split_at(expected.len());
        prop_assert_eq!(kept, expected);
        let grpc = Request::new(&request).header("content-type") == Some(b"application/grpc");
        let mut wanted = text(&ADDED[..1]);
        if grpc {
            wanted.extend(text(&[("te", "trailers")]));
        }
        if body_len > 0 {
            wanted.extend(text(&[("content-length", &body_len.to_string())]));
        }
        wanted.extend(text(&ADDED[1..]));
        prop_assert_eq!(added, wanted);
    }
}
