//! The status that the container credentials endpoint returns. The credentials in its reply are not read.

use std::path::Path;
use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::time::Instant;

use crate::host::Pod;
use crate::net::endpoint::Endpoint;
use crate::net::http_call::HttpCall;
use crate::net::tls::TrustRoots;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;
use crate::token::MAX_TOKEN_FILE_BYTES;
use sdk_chain::situation::{ChainInput, ContainerEndpoint, EndpointReply, TokenFile};
use sdk_chain::walk::{ECS_ADDRESS, is_node_local};

/// How long one reply can take. Botocore waits for two seconds, JavaScript for one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls the endpoints that the variables name, with the token that they name and without it. SDKs call other hosts
/// than those of the node only over TLS, and so does this.
pub(crate) async fn ask_endpoints(probe: &Probe<'_>, situation: &mut ChainInput) {
    let Probe { pod, options, .. } = *probe;
    let token = read_token(pod, situation).await;
    let relative = pod.nonempty_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    if let Some(path) = relative.filter(|path| path.starts_with('/')) {
        situation.relative =
            ask_endpoint(pod, options, &format!("http://{ECS_ADDRESS}{path}"), token.as_ref()).await;
    }
    if let Some(url) = pod.nonempty_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        && (is_node_local(&url) || Endpoint::parse(&url).is_ok_and(|endpoint| endpoint.tls))
    {
        situation.full = ask_endpoint(pod, options, &url, token.as_ref()).await;
    }
}

async fn ask_endpoint(
    pod: &Pod,
    options: &CheckOptions,
    url: &str,
    token: Option<&HeaderValue>,
) -> ContainerEndpoint {
    let without_token = reply(pod, options, url, None).await;
    let with_token = match token {
        Some(token) => reply(pod, options, url, Some(token.clone())).await,
        None => without_token.clone(),
    };
    ContainerEndpoint { with_token, without_token }
}

async fn reply(pod: &Pod, options: &CheckOptions, url: &str, token: Option<HeaderValue>) -> EndpointReply {
    let endpoint = match Endpoint::parse(url) {
        Ok(endpoint) => endpoint,
        Err(fault) => return EndpointReply::Unreachable(fault.to_owned()),
    };
    let path = endpoint.uri.path_and_query().map_or("/", |path| path.as_str());
    let accept = (ACCEPT, HeaderValue::from_static("application/json"));
    let headers = std::iter::once(accept).chain(token.map(|token| (AUTHORIZATION, token))).collect();
    let until = Instant::now() + ANSWER_TIMEOUT;
    let trust = if endpoint.tls {
        match TrustRoots::load(pod, &options.network.system_roots, until).await {
            Ok(trust) => trust,
            Err(_) => return EndpointReply::Unreachable("nobody is trusted for TLS".to_owned()),
        }
    } else {
        TrustRoots::empty()
    };
    let dns_server = options.network.dns_server;
    let call = HttpCall {
        endpoint: &endpoint,
        dns_server,
        trust: &trust,
        method: Method::GET,
        path,
        headers,
        max_body_bytes: 0,
    };
    match call.send(pod, until).await {
        Ok((StatusCode::OK, _)) => EndpointReply::Given,
        Ok((status, _)) => EndpointReply::Status(status.as_u16()),
        Err(why) => EndpointReply::Unreachable(why),
    }
}

/// The token that the variables name, without a line break at its end, if it can be sent.
async fn read_token(pod: &Pod, situation: &ChainInput) -> Option<HeaderValue> {
    let file = situation.filled("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let text = match file.map(|file| (file, situation.token(file))) {
        Some((file, TokenFile::Readable { .. })) => {
            let read = pod
                .read(Path::new(file), MAX_TOKEN_FILE_BYTES, Instant::now() + ANSWER_TIMEOUT)
                .await
                .ok()?;
            String::from_utf8(read.bytes).ok()?
        }
        _ => pod.nonempty_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")?,
    };
    let mut token = HeaderValue::from_str(text.trim()).ok()?;
    token.set_sensitive(true);
    Some(token)
}
