//! The key of a request, which is hashed: the value of a header, a cookie or a query parameter, or the request's id.
//!
//! If a name occurs several times, the first value counts. Values are neither decoded nor unquoted, so a bucket can be recomputed from a
//! log line.

use crate::config::Key;
use crate::http::Request;

/// Returns the value of `key`; `None` if it is missing or empty.
pub fn value<'a>(key: &Key, request: &Request<'a>) -> Option<&'a [u8]> {
    match key {
        Key::Header(name) => request.header(name),
        Key::Cookie(name) => request
            .headers("cookie")
            .flat_map(|header| header.split(|&byte| byte == b';'))
            .find_map(|pair| assigned(pair.trim_ascii(), name)),
        Key::Query(name) => request.query()?.split(|&byte| byte == b'&').find_map(|pair| assigned(pair, name)),
        Key::Request => request.header("x-request-id"),
    }
    .filter(|value| !value.is_empty())
}

/// Returns the rest of `pair` after `name=`, if it begins so.
fn assigned<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::http::fields;

    fn check(key: &Key, headers: &[(&str, &str)], expected: Option<&str>) {
        assert_eq!(value(key, &Request::new(&fields(headers))), expected.map(str::as_bytes), "{key:?} {headers:?}");
    }

    #[test]
    fn the_first_header_counts() {
        let key = Key::Header(Rc::from("x-user"));
        check(&key, &[("x-user", "a"), ("x-user", "b")], Some("a"));
        check(&key, &[("x-user", ""), ("x-user", "b")], None);
        check(&key, &[("x-other", "a")], None);
    }

    #[test]
    fn the_first_cookie_over_all_headers_counts() {
        let key = Key::Cookie("id".to_owned());
        check(&key, &[("cookie", "a=1; id=x; id=y")], Some("x"));
        check(&key, &[("cookie", "a=1"), ("cookie", "id=x"), ("cookie", "id=y")], Some("x"));
        check(&key, &[("cookie", "a=1;id=x")], Some("x"));
        check(&key, &[("cookie", "id=\"a=b%20\" ;b=2")], Some("\"a=b%20\""));
        check(&key, &[("cookie", "xid=1; id2=2; ID=3; id")], None);
        check(&key, &[("cookie", "id=; id=y")], None);
        check(&key, &[], None);
    }

    #[test]
    fn the_first_parameter_counts_undecoded() {
        let key = Key::Query("id".to_owned());
        check(&key, &[(":path", "/p?a=1&id=x&id=y")], Some("x"));
        check(&key, &[(":path", "/p?id=%41+b=c")], Some("%41+b=c"));
        check(&key, &[(":path", "/p?xid=1&id2=2&id")], None);
        check(&key, &[(":path", "/p?id=&id=y")], None);
        check(&key, &[(":path", "/id=x")], None);
    }

    #[test]
    fn a_request_is_its_id() {
        check(&Key::Request, &[("x-request-id", "r-1")], Some("r-1"));
        check(&Key::Request, &[("x-request-id", "")], None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_key(bytes in prop::collection::vec(any::<u8>(), 1..64)) {
            let mut fields = vec![("x-user".to_owned(), bytes.clone())];
            prop_assert_eq!(value(&Key::Header(Rc::from("x-user")), &Request::new(&fields)), Some(bytes.as_slice()));
            fields = vec![("cookie".to_owned(), bytes.clone()), (":path".to_owned(), bytes)];
            value(&Key::Cookie(String::new()), &Request::new(&fields));
            value(&Key::Query(String::new()), &Request::new(&fields));
        }
    }
}
