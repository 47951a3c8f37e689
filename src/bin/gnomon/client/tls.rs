//! TLS: whom to trust, and what to do when it fails.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::problem::Problem;

/// Returns a configuration that trusts the authorities in `ca_file`, or else those that the machine trusts. These are read only if `is_used`.
pub fn configuration(ca_file: Option<&Path>, is_used: bool) -> Result<ClientConfig, Problem> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let problem = |why: String| Problem::input(format!("--ca-file {}: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| problem(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| problem(format!("no PEM text: {error}")))?;
            roots.add(certificate).map_err(|error| problem(format!("no certificate of an authority: {error}")))?;
        }
        if roots.is_empty() {
            return Err(problem("there is no certificate in this file (-----BEGIN CERTIFICATE-----)".into()));
        }
    } else if is_used {
        // Those that can't be read are not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Problem::input(format!("TLS: {error}")))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// Returns what to do about a failure of TLS; `None`: `error` is none.
pub fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    // (The source of an I/O error that wraps another error is not that one, but the source of that.)
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return hint(inner);
    }
    Some(match error.downcast_ref()? {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => "give the authority that signed its certificate by --ca-file",
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "the certificate is for another name: use that in the URL"
        }
        rustls::Error::InvalidCertificate(_) => "its certificate is not good",
        rustls::Error::InvalidMessage(_) => "this port does not speak TLS: is it http?",
        _ => "TLS failed",
    })
}
