//! Certificates made at run time: one that a client should trust, and each way in which one is wrong.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// By the trusted CA, for the right name, in its time.
    #[default]
    Valid,
    /// By a CA that nobody was told to trust, as an intercepting proxy does.
    OtherCa,
    /// For another name.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// A good one, by a server that breaks the handshake off with an alert: it speaks only a
    /// protocol that no client offers.
    Alert,
}

/// A certificate authority with its key.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// The CA that the clients of a world trust.
    #[must_use]
    pub fn testbed() -> Self {
        Self::new("irsa-probe testbed CA", None)
    }

    /// The CA of a company that looks into TLS.
    #[must_use]
    pub fn corporate() -> Self {
        Self::new("Corp Interception CA", Some("Corp"))
    }

    /// The CA of a Kubernetes cluster.
    #[must_use]
    pub fn kubernetes() -> Self {
        Self::new("kubernetes", None)
    }

    fn new(common_name: &str, organization: Option<&str>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(common_name, organization);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now - Duration::days(3650), now + Duration::days(3650));
        let key = KeyPair::generate().expect("ring makes keys");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are sound"))
    }

    /// The CA's certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a TLS server with such a certificate needs. `OtherCa` is taken from [`Self::corporate`].
    /// A name may also be an IP address.
    ///
    /// # Panics
    /// If a name is neither.
    #[must_use]
    pub fn server_config(&self, names: &[String], certificate: Certificate) -> Arc<ServerConfig> {
        let now = OffsetDateTime::now_utc();
        let days = |from: i64, to: i64| (now + Duration::days(from), now + Duration::days(to));
        let (from, to) = match certificate {
            Certificate::Expired => days(-90, -1),
            Certificate::NotYetValid => days(1, 90),
            _ => days(-1, 90),
        };
        match certificate {
            Certificate::OtherCa => Self::corporate().leaf(names, from, to),
            Certificate::WrongName => self.leaf(&["wrong.name.example".to_owned()], from, to),
            Certificate::Alert => {
                let mut config = ServerConfig::clone(&self.leaf(names, from, to));
                config.alpn_protocols = vec![b"none-such".to_vec()];
                Arc::new(config)
            }
            _ => self.leaf(names, from, to),
        }
    }

    fn leaf(&self, names: &[String], from: OffsetDateTime, to: OffsetDateTime) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(names).expect("the names are DNS names or addresses");
        params.distinguished_name = distinguished_name(&names[0], None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (from, to);
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params.signed_by(&key, &self.0).expect("the parameters are sound");
        let private_key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key)
            .expect("the key belongs to the certificate");
        Arc::new(config)
    }
}

fn distinguished_name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}
