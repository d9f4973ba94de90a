//! Whom to trust, and what a server presented when it is not trusted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::Instant;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::evidence::Evidence;
use crate::host::{FileRead, Pod, ReadError};

#[derive(Debug, Clone, Default)]
pub struct PresentedCertificate {
    pub(crate) subject: Option<String>,
    pub(crate) issuer: Option<String>,
}

impl PresentedCertificate {
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence::new()
            .text_if("certificate_subject", self.subject.as_deref())
            .text_if("certificate_issuer", self.issuer.as_deref())
    }
}

/// Where Linux distributions keep their CA certificates; the first that exists is read.
/// Source: Go's `crypto/x509`, `root_linux.go`.
pub const SYSTEM_ROOTS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The most bytes of a file of certificates that are read.
const MAX_FILE_BYTES: usize = 4 << 20;

/// The certificates to trust, and where they came from.
#[derive(Debug, Clone)]
pub(crate) struct TrustRoots {
    roots: Arc<RootCertStore>,
    /// The file, with the variable that names it, if one does.
    pub(crate) source: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustFault {
    /// The file that a variable names cannot be used.
    Bundle { variable: &'static str, path: String, fault: String },
    /// No file of CA certificates was found.
    NoRoots { tried: Vec<String> },
}

impl TrustRoots {
    /// No certificate is needed where no TLS is spoken.
    pub(crate) fn empty() -> Self {
        Self { roots: Arc::new(RootCertStore::empty()), source: "nothing".to_owned() }
    }

    /// The certificates that `AWS_CA_BUNDLE` or `SSL_CERT_FILE` names, else the system's: those of the
    /// process that is looked through, and ours only if it has none, or if other files are named than
    /// those of [`SYSTEM_ROOTS`].
    ///
    /// # Errors
    /// If the named file cannot be used, or the system has none.
    pub(crate) async fn load(
        pod: &Pod,
        system_roots: &[PathBuf],
        until: Instant,
    ) -> Result<Self, TrustFault> {
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            if let Some(path) = pod.raw_variable(variable).filter(|path| !path.is_empty()) {
                let path = Path::new(path);
                let shown = path.to_string_lossy().into_owned();
                let read = pod.read(path, MAX_FILE_BYTES, until).await;
                let roots =
                    read.map_err(|error| error.to_string()).and_then(|file| all_certificates(&file.bytes));
                return match roots {
                    Ok(roots) => {
                        Ok(Self { roots: Arc::new(roots), source: format!("{shown} (from {variable})") })
                    }
                    Err(fault) => Err(TrustFault::Bundle { variable, path: shown, fault }),
                };
            }
        }
        let are_usual = system_roots.iter().eq(SYSTEM_ROOTS.map(Path::new).iter());
        if pod.target().is_some() && are_usual {
            for path in system_roots {
                if let Some(found) = Self::from_system_file(path, pod.read(path, MAX_FILE_BYTES, until).await)
                {
                    return Ok(found);
                }
            }
        }
        for path in system_roots {
            if let Some(found) = Self::from_system_file(path, pod.read_own(path, MAX_FILE_BYTES, until).await)
            {
                let whose = if pod.target().is_some() { " (of this container)" } else { "" };
                return Ok(Self { source: format!("{}{whose}", found.source), ..found });
            }
        }
        Err(TrustFault::NoRoots {
            tried: system_roots.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        })
    }

    /// Those of a file of the system's, if there are any.
    fn from_system_file(path: &Path, read: Result<FileRead, ReadError>) -> Option<Self> {
        let roots = usable_certificates(&read.ok()?.bytes)?;
        Some(Self { roots: Arc::new(roots), source: path.to_string_lossy().into_owned() })
    }

    /// The certificates of one file, as the cluster hands them out.
    ///
    /// # Errors
    /// What is wrong with the file, in words that follow its name.
    pub(crate) async fn from_file(pod: &Pod, path: &Path, until: Instant) -> Result<Self, String> {
        let file = pod.read(path, MAX_FILE_BYTES, until).await.map_err(|error| error.to_string())?;
        let roots = usable_certificates(&file.bytes).ok_or("it holds no certificate in PEM form")?;
        Ok(Self { roots: Arc::new(roots), source: path.to_string_lossy().into_owned() })
    }

    /// The settings of a client that trusts these certificates, and the memory of what the server
    /// presented.
    ///
    /// # Errors
    /// The TLS library's words, which only a fault in it can cause.
    pub(crate) fn client_config(&self, pod: &Pod) -> Result<(ClientConfig, CertificateRecorder), String> {
        let provider = Arc::new(ring::default_provider());
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(&provider))
                .build()
                .map_err(|error| error.to_string())?;
        let witness = CertificateRecorder::default();
        let verifier = RecordingVerifier { inner, recorder: witness.clone() };
        let clock = Arc::new(pod.clone());
        let mut config = ClientConfig::builder_with_details(provider, clock)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok((config, witness))
    }
}

/// The certificates of a file that a machine wrote, without those that cannot be used; `None` if none
/// can.
fn usable_certificates(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
    (!roots.is_empty()).then_some(roots)
}

/// The certificates of a file that a person named: each has to be usable.
fn all_certificates(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (place, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let certificate =
            certificate.map_err(|_| format!("its part {} is not well-formed PEM", place + 1))?;
        roots.add(certificate).map_err(|_| format!("its certificate {} is not well-formed", place + 1))?;
    }
    if roots.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(roots) }
}

/// TLS judges certificates by the pod's clock.
impl TimeProvider for Pod {
    fn current_time(&self) -> Option<UnixTime> {
        self.now().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

/// Remembers the certificate that a server presented.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertificateRecorder(Arc<Mutex<Option<CertificateDer<'static>>>>);

impl CertificateRecorder {
    /// Who the certificate is for and who signed it, as far as it can be read.
    pub(crate) fn presented(&self) -> PresentedCertificate {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let certificate = seen.as_ref().and_then(|der| Certificate::from_der(der).ok());
        certificate.map_or_else(PresentedCertificate::default, |certificate| {
            let certificate = certificate.tbs_certificate();
            let name = |text: String| (!text.is_empty()).then_some(text);
            PresentedCertificate {
                subject: name(certificate.subject().to_string()),
                issuer: name(certificate.issuer().to_string()),
            }
        })
    }
}

/// The usual verifier; it only remembers what it was shown.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    recorder: CertificateRecorder,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.recorder.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(end_entity.clone().into_owned());
        drop(seen);
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::all_certificates;

    #[test]
    fn a_named_bundle_has_to_be_whole() {
        let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n";
        for (pem, fault) in [
            ("", "it holds no certificate in PEM form"),
            ("hello", "it holds no certificate in PEM form"),
            (garbage, "its certificate 1 is not well-formed"),
            (cut, "its part 1 is not well-formed PEM"),
        ] {
            assert_eq!(all_certificates(pem.as_bytes()).map(|_| ()), Err(fault.to_owned()));
        }
    }
}
