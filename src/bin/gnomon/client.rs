//! An HTTP client: one GET at a time, bounded in time and size. Redirects are not followed, because what asks for figures should not be sent
//! to a login page.

mod tls;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::problem::Problem;

/// The longest time from a request to the end of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer in bytes: statistics of a thousand gates in text have less.
const LARGEST: usize = 64 << 20;

/// What is sent with every request.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A file with a bearer token, which is read each time, because it may be renewed.
    pub token_file: Option<PathBuf>,
    /// A file with the certificates (PEM) of the authorities to trust instead of those of the machine.
    pub ca_file: Option<PathBuf>,
}

/// An HTTP client.
#[derive(Debug)]
pub struct Client {
    client: Box<legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    access: Access,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its media type, as it is written.
    pub content_type: String,
    /// Where it redirects to.
    pub location: String,
    /// When it was made, as it is written.
    pub date: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Client {
    /// Returns a client that reaches `server`. The files of `access` must be readable.
    pub fn new(access: Access, server: &Uri) -> Result<Self, Problem> {
        let is_https = server.scheme_str() == Some("https");
        if access.ca_file.is_some() && !is_https {
            return Err(Problem::usage(format!("--ca-file is for https, but the URL is {server}")));
        }
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls::configuration(access.ca_file.as_deref(), is_https)?);
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        let client = Self { client: Box::new(client), access };
        client.token()?;
        Ok(client)
    }

    /// Returns the whole answer to a GET of `url`, whatever its status.
    pub async fn get(&self, url: &Uri) -> Result<Answer, Problem> {
        let mut request = Request::get(url).header(USER_AGENT, concat!("gnomon/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.access.headers {
            request = request.header(name, value);
        }
        // It was readable before: it may be about to be renewed.
        if let Some(token) = self.token().map_err(|problem| Problem::down(problem.text))? {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Empty::new()).map_err(|error| Problem::usage(format!("{}: {error}", place(url))))?;
        match tokio::time::timeout(TIMEOUT, self.answer(request)).await {
            Ok(answer) => answer.map_err(|error| failed(url, &*error)),
            Err(_) => Err(Problem::down(format!("{}: no answer within {} s", place(url), TIMEOUT.as_secs()))),
        }
    }

    async fn answer(&self, request: Request<Empty<Bytes>>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default();
        let (content_type, location, date) = (text(CONTENT_TYPE), text(LOCATION), text(DATE));
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes().to_vec();
        Ok(Answer { status: head.status, content_type, location, date, body })
    }

    /// Returns the value of `authorization`, if there is a file with a token.
    fn token(&self) -> Result<Option<HeaderValue>, Problem> {
        let Some(file) = &self.access.token_file else { return Ok(None) };
        let problem = |why: &str| Problem::input(format!("--bearer-token-file {}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| problem(&error.to_string()))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(problem(if token.is_empty() { "the file is empty" } else { "this is no token: it must be one word of ASCII" }));
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| problem(&error.to_string()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Returns the server and path of a URL, without its query.
pub fn place(url: &Uri) -> String {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}{}", url.scheme_str().unwrap_or_default(), url.path())
}

/// Returns the problem that a request failed, with all causes in words.
fn failed(url: &Uri, error: &(dyn Error + Send + Sync + 'static)) -> Problem {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |error: &&(dyn Error + 'static)| (*error).source());
    if causes().any(|cause| cause.is::<LengthLimitError>()) {
        return Problem::service(format!("{}: the answer has more than {} MiB", place(url), LARGEST >> 20));
    }
    let words: Vec<String> = causes().map(ToString::to_string).collect();
    // Each cause may repeat the next one.
    let told: Vec<&str> = words
        .iter()
        .enumerate()
        .filter(|(at, word)| words.get(at.saturating_add(1)) != Some(*word))
        .map(|(_, word)| word.as_str())
        .collect();
    let text = format!("{}: can't be reached: {}", place(url), told.join(": "));
    match causes().find_map(tls::hint) {
        Some(hint) => Problem::service(format!("{text} ({hint})")),
        None => Problem::down(text),
    }
}
