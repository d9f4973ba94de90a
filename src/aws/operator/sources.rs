//! One function a source of credentials.

use std::error::Error;
use std::path::Path;

use aws_config::Region;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use sdk_chain::walk::{ECS_ADDRESS, is_node_local};
use serde::Deserialize;
use tokio::time::timeout_at;

use super::{CredentialSources, NoCredentials};
use crate::aws::keys::{KEY_VARIABLES, KeyFault, faulty_variables};
use crate::net::endpoint::Endpoint;
use crate::net::http;
use crate::text::{Secret, redact_secret};
use crate::token::MAX_TOKEN_FILE_BYTES;

/// The most bytes of what a program prints or a container's endpoint answers. Credentials have two thousand.
const MAX_PRINTED_BYTES: usize = 64 << 10;

/// The name of a session that neither a variable nor the profile names.
const SESSION_NAME: &str = "irsa-probe-audit";

/// The addresses of the machine's metadata service. Source: the EC2 user guide.
const IMDS: (&str, &str) = ("http://169.254.169.254", "http://[fd00:ec2::254]");

/// A role that a profile names.
pub(super) struct Role<'a> {
    pub(super) arn: &'a str,
    pub(super) external_id: Option<&'a str>,
    pub(super) session_name: Option<&'a str>,
}

/// Credentials as programs print them and containers' endpoints answer them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PrintedCredentials {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
}

/// The credentials, if a request can carry them.
pub(super) fn sendable(found: Credentials, place: &'static str) -> Result<Credentials, NoCredentials> {
    let keys = [Some(found.access_key_id()), Some(found.secret_access_key()), found.session_token()];
    let fault = keys.into_iter().flatten().find_map(KeyFault::of);
    fault.map_or(Ok(found), |fault| Err(NoCredentials::Key { place, fault }))
}

fn parse_printed(bytes: &[u8], place: &'static str) -> Result<Credentials, NoCredentials> {
    let printed: PrintedCredentials = serde_json::from_slice(bytes)
        .map_err(|_| NoCredentials::failed(&format!("what comes from {place} is not credentials")))?;
    let PrintedCredentials { access_key_id, secret_access_key, token } = printed;
    sendable(Credentials::new(access_key_id, secret_access_key, token, None, "printed"), place)
}

impl CredentialSources<'_> {
    pub(super) fn of_variables(&self) -> Result<Option<Credentials>, NoCredentials> {
        let [id, secret, token] = KEY_VARIABLES.map(|name| self.pod.nonempty_variable(name));
        let (Some(id), Some(secret)) = (id, secret) else { return Ok(None) };
        match faulty_variables(self.pod, KEY_VARIABLES) {
            faults if faults.is_empty() => Ok(Some(Credentials::new(id, secret, token, None, "variables"))),
            faults => Err(NoCredentials::Variables(faults)),
        }
    }

    pub(super) async fn of_process(&self, command: &str) -> Result<Credentials, NoCredentials> {
        let printed = self.pod.run_command(command, MAX_PRINTED_BYTES, self.until).await;
        parse_printed(&printed.map_err(NoCredentials::Process)?, "the credential_process")
    }

    pub(super) async fn of_web_identity_variables(&self) -> Result<Option<Credentials>, NoCredentials> {
        let [role, file, session] = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"]
            .map(|name| self.pod.nonempty_variable(name));
        let (Some(role), Some(file)) = (role, file) else { return Ok(None) };
        self.of_web_identity(&role, &file, session.as_deref()).await.map(Some)
    }

    pub(super) async fn of_web_identity(
        &self,
        role: &str,
        file: &str,
        session_name: Option<&str>,
    ) -> Result<Credentials, NoCredentials> {
        let token = self.token_in(Path::new(file)).await?;
        let call = self
            .sts(None)
            .assume_role_with_web_identity()
            .role_arn(role)
            .role_session_name(session_name.unwrap_or(SESSION_NAME))
            .web_identity_token(token.expose())
            .send();
        let answer = Box::pin(call).await.map_err(|error| refused(&error, token.expose().split('.')))?;
        of_answer(answer.credentials)
    }

    pub(super) async fn assume_role(
        &self,
        role: &Role<'_>,
        source: Credentials,
    ) -> Result<Credentials, NoCredentials> {
        let sent = source.session_token().map(str::to_owned);
        let call = self
            .sts(Some(source))
            .assume_role()
            .role_arn(role.arn)
            .role_session_name(role.session_name.unwrap_or(SESSION_NAME))
            .set_external_id(role.external_id.map(str::to_owned))
            .send();
        let answer = Box::pin(call).await.map_err(|error| refused(&error, sent.as_deref()))?;
        of_answer(answer.credentials)
    }

    fn sts(&self, credentials: Option<Credentials>) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.endpoints.sts_config(self.pod, self.dialer, credentials))
    }

    /// The credentials of the endpoint that the variables name. Without TLS it has to be on this machine, by its
    /// address: no name is looked up for it.
    pub(super) async fn of_container(&self) -> Result<Option<Credentials>, NoCredentials> {
        let [path, url] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
            .map(|name| self.pod.nonempty_variable(name));
        let Some(url) = path.map(|path| format!("http://{ECS_ADDRESS}{path}")).or(url) else {
            return Ok(None);
        };
        let unusable = |words: &str| NoCredentials::failed(&format!("the container's endpoint: {words}"));
        let endpoint = Endpoint::parse(&url).map_err(unusable)?;
        if !endpoint.tls && !is_node_local(&url) {
            return Err(unusable("it is not on this machine, and has no TLS"));
        }
        let mut request = Request::get(endpoint.uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, endpoint.uri.authority().map_or("", |authority| authority.as_str()))
            .header(ACCEPT, "application/json");
        if let Some(token) = self.container_token().await? {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(Bytes::new())).map_err(|error| unusable(&error.to_string()))?;
        let opened = self.dialer.connect(&endpoint, self.until).await;
        let stream = opened.map_err(|error| unusable(&error.to_string()))?.stream;
        let answer = timeout_at(self.until, http::send_once(stream, request, MAX_PRINTED_BYTES)).await;
        match answer.map_err(|_| NoCredentials::TimedOut)? {
            Ok((StatusCode::OK, Ok(body))) => parse_printed(&body, "the container's endpoint").map(Some),
            Ok((StatusCode::OK, Err(error))) => Err(unusable(&error.to_string())),
            Ok((status, _)) => Err(unusable(&format!("it answers {}", status.as_u16()))),
            Err(words) => Err(unusable(&words)),
        }
    }

    async fn container_token(&self) -> Result<Option<HeaderValue>, NoCredentials> {
        let token = match self.pod.nonempty_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => self.token_in(Path::new(&file)).await?,
            None => match self.pod.nonempty_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
                Some(token) => Secret::new(token),
                None => return Ok(None),
            },
        };
        let mut token = HeaderValue::from_str(token.expose().trim())
            .map_err(|_| NoCredentials::failed("no header can carry the container's token"))?;
        token.set_sensitive(true);
        Ok(Some(token))
    }

    async fn token_in(&self, file: &Path) -> Result<Secret, NoCredentials> {
        let read = self.pod.read(file, MAX_TOKEN_FILE_BYTES, self.until).await;
        let bytes = read.map_err(|error| NoCredentials::of_file(file, &error))?.bytes;
        let text = String::from_utf8(bytes).map_err(|_| NoCredentials::failed("the token is not text"))?;
        Ok(Secret::new(text))
    }

    /// The credentials of the machine's role, if it has one.
    pub(super) async fn of_machine(&self) -> Result<Option<Credentials>, NoCredentials> {
        let config = ProviderConfig::without_region()
            .with_region(Some(Region::new(self.endpoints.sts_region.clone())))
            .with_http_client(self.dialer.http_client())
            .with_time_source(self.pod.clone());
        let is_v6 =
            self.pod.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode == "IPv6");
        let usual = if is_v6 { IMDS.1 } else { IMDS.0 };
        let endpoint = self.pod.nonempty_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        // An endpoint that is given keeps the library from looking for one in the shared files.
        let client = imds::Client::builder()
            .configure(&config)
            .endpoint(endpoint.as_deref().unwrap_or(usual))
            .map_err(|error| NoCredentials::failed(&error.to_string()))?;
        let provider =
            ImdsCredentialsProvider::builder().configure(&config).imds_client(client.build()).build();
        match Box::pin(provider.provide_credentials()).await {
            Ok(found) => sendable(found, "the machine's metadata").map(Some),
            Err(CredentialsError::CredentialsNotLoaded(_)) => Ok(None),
            Err(error) => Err(NoCredentials::failed(&error_with_sources(&error))),
        }
    }
}

fn of_answer(given: Option<aws_sdk_sts::types::Credentials>) -> Result<Credentials, NoCredentials> {
    let given = given.ok_or_else(|| NoCredentials::failed("STS gives none"))?;
    let aws_sdk_sts::types::Credentials { access_key_id, secret_access_key, session_token, .. } = given;
    sendable(
        Credentials::new(access_key_id, secret_access_key, Some(session_token), None, "sts"),
        "STS's answer",
    )
}

/// STS's own words, without what was sent in secret, or else what kept it from answering.
fn refused<'a, E: ProvideErrorMetadata + Error + 'static>(
    error: &SdkError<E, HttpResponse>,
    sent: impl IntoIterator<Item = &'a str>,
) -> NoCredentials {
    let words = match (error.code(), error.message()) {
        (Some(code), message) => format!("STS answered {code}: {}", message.unwrap_or_default()),
        (None, _) => error_with_sources(error),
    };
    let clean = |words: String, sent: &str| redact_secret(&words, &Secret::new(sent.to_owned()));
    NoCredentials::failed(&sent.into_iter().fold(words, clean))
}

fn error_with_sources(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if words.last().is_none_or(|last| !last.contains(&said)) {
            words.push(said);
        }
        next = error.source();
    }
    words.join(": ")
}
