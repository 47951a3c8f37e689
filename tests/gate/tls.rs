//! TLS: whom the command trusts.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::prometheus::World;
use crate::run::{Run, file, gate};
use crate::server::{Both, Reply, Server};

/// An authority of this name.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A Prometheus behind TLS, with a certificate for `name`.
fn server(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let wrap = move |stream: TcpStream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        Some(Box::new(StreamOwned::new(connection, stream)) as Box<dyn Both>)
    };
    let world = World::good();
    Server::wrapped(move |request| world.answer(request), wrap, "https")
}

fn ask(url: &str, ca_file: Option<&str>) -> Run {
    let more: Vec<&str> = ca_file.into_iter().flat_map(|file| ["--ca-file", file]).collect();
    gate(&[&["--experiment", "fraud-a", "--prometheus", url][..], &more].concat())
}

#[test]
fn authorities_are_trusted_by_file() {
    let (mine, other) = (authority("mine"), authority("other"));
    let [mine_file, other_file] = [("mine", &mine), ("other", &other)].map(|(name, authority)| file("tls", name, &authority.pem()));
    let (mine_file, other_file) = (mine_file.to_str(), other_file.to_str());
    let good = server(&mine, "localhost");
    ask(&good.url, mine_file).assert(0, &["by the recording rules at https://localhost"]);
    let unknown = "give the authority that signed its certificate by --ca-file";
    ask(&good.url, other_file).assert(69, &["can't be reached", unknown]);
    ask(&good.url, None).assert(69, &[unknown]);
    let for_another = server(&mine, "prometheus.example.com");
    ask(&for_another.url, mine_file).assert(69, &["the certificate is for another name: use that in the URL"]);
    let plain = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n").unwrap();
        None
    };
    let plain = Server::wrapped(|_| Reply::Close, plain, "https");
    ask(&plain.url, mine_file).assert(69, &["this port does not speak TLS: is it http?"]);
    let wrong = file("tls", "wrong", "no certificate");
    ask(&good.url, wrong.to_str()).assert(66, &["there is no certificate in this file"]);
    ask(&good.url, Some("no-such-file")).assert(66, &["--ca-file no-such-file: No such file"]);
}
