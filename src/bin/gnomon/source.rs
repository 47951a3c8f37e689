//! Where figures come from: a Prometheus with the recording rules, or texts of proxies.

mod exposition;
mod options;
mod prometheus;
mod proxies;
mod rules;

use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use self::options::url;
pub use self::options::{access, prometheus, prometheus_options};
pub use self::prometheus::Prometheus;
use self::proxies::Proxy;
use crate::client::{Access, Client, place};
use crate::decision::{Decision, Selection};
use crate::problem::Problem;

/// The largest text of a proxy in bytes that is read from a file.
const LARGEST: u64 = 64 << 20;

/// Where figures come from.
#[derive(Debug)]
pub enum Source {
    /// A Prometheus with the recording rules.
    Rules(Prometheus),
    /// Texts of proxies.
    Proxies(Vec<Text>),
}

/// Where the text of one proxy is.
#[derive(Debug)]
pub enum Text {
    /// The standard input.
    Input,
    /// A file.
    File(String),
    /// An address.
    Address(hyper::Uri, Client),
}

impl Text {
    /// Returns the text that an argument names: `-`, a URL, or a file.
    pub fn new(argument: &str, access: &Access) -> Result<Self, Problem> {
        match argument {
            "-" => Ok(Self::Input),
            _ if argument.starts_with("http://") || argument.starts_with("https://") => {
                let url = url("--stats", argument)?;
                let client = Client::new(access.clone(), &url)?;
                Ok(Self::Address(url, client))
            }
            _ => Ok(Self::File(argument.to_owned())),
        }
    }

    /// Reads the text.
    async fn read(&self) -> Result<Proxy, Problem> {
        let (from, bytes) = match self {
            Self::Input => (
                "standard input".to_owned(),
                limited(std::io::stdin().lock()).map_err(|error| Problem::input(format!("standard input: {error}")))?,
            ),
            Self::File(name) => {
                let bytes = std::fs::File::open(name).and_then(limited);
                (name.clone(), bytes.map_err(|error| Problem::input(format!("--stats {name}: {error}")))?)
            }
            Self::Address(url, client) => {
                let answer = client.get(url).await?;
                if !answer.status.is_success() {
                    let text = format!("{}: answers {}, not with the statistics of a proxy", place(url), answer.status.as_u16());
                    return Err(if answer.status.is_server_error() { Problem::down(text) } else { Problem::service(text) });
                }
                (place(url), answer.body)
            }
        };
        let samples = exposition::read(&bytes).map_err(|why| Problem::input(format!("{from}: {why}")))?;
        Ok(Proxy { from, samples })
    }
}

/// Reads all, up to [`LARGEST`].
fn limited(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST).read_to_end(&mut bytes)?;
    let is_whole = (bytes.len() as u64) < LARGEST;
    if is_whole { Ok(bytes) } else { Err(std::io::Error::other(format!("there are more than {} MiB", LARGEST >> 20))) }
}

impl Source {
    /// Decides by the figures of `at`, in seconds since 1970, or of now.
    pub async fn decide(&self, selection: &Selection, at: Option<f64>) -> Result<Decision, Problem> {
        let time = at.unwrap_or_else(now);
        let look = match self {
            Self::Rules(prometheus) => rules::look(prometheus, selection, time).await?,
            Self::Proxies(texts) => {
                let mut proxies = Vec::new();
                for text in texts {
                    proxies.push(text.read().await?);
                }
                proxies::look(proxies, selection, time)?
            }
        };
        Decision::new(selection, look)
    }

    /// Returns, in words, what has been decided of an experiment before; nothing if its id is a new one.
    pub async fn decided(&self, selection: &Selection) -> Result<Vec<String>, Problem> {
        match self {
            Self::Rules(prometheus) => rules::decided(prometheus, selection, now()).await,
            Self::Proxies(_) => Err(Problem::usage("texts of proxies don't tell what was decided before: give --prometheus")),
        }
    }
}

/// Returns the time in seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
