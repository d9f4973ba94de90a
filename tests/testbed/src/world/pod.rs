//! The pod of a world: its files, its environment, and what of them is secret.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use time::OffsetDateTime;

use super::{API_TOKEN_DIRECTORY, TOKEN_DIRECTORY, World};
use crate::archive;
use crate::iam::Session;
use crate::node;
use crate::scenario::Endpoint;
use crate::secrets::{self, Secret};
use crate::token;
use crate::volume::{Access, TokenVolume};

impl World {
    /// Lays out what is mounted into the pod.
    pub(super) fn write_files(&mut self, api_token: &str, cluster_ca: &str) -> io::Result<()> {
        let content = match &self.scenario.token.content {
            Some(content) => self.expand(content),
            None => self.token.clone(),
        };
        let access = self.scenario.file.mode.map_or_else(Access::pod, |mode| Access::root(mode.0));
        let directory = self.dir().join(TOKEN_DIRECTORY);
        self.volume = self.scenario.file.kind.lay_out(&directory, content.as_bytes(), access)?;
        if self.scenario.api_token.present {
            self.api_volume = Some(self.project_api_token(api_token, cluster_ca)?);
        }
        fs::write(self.dir().join("ca.pem"), self.authority.pem())?;
        self.surroundings.empty_termination_log()?;
        for (path, text) in &self.scenario.files {
            let path = self.dir().join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, self.expand(text))?;
        }
        for (path, files) in &self.scenario.archives {
            let path = self.dir().join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, archive::stored(files)?)?;
        }
        Ok(())
    }

    /// The pod's ordinary API token, and beside it what the kubelet lays there where there is an API.
    fn project_api_token(&self, token: &str, cluster_ca: &str) -> io::Result<TokenVolume> {
        let beside = match &self.scenario.kubernetes {
            Some(_) => vec![("ca.crt", cluster_ca.into()), ("namespace", token::NAMESPACE.into())],
            None => Vec::new(),
        };
        let directory = self.dir().join(API_TOKEN_DIRECTORY);
        let volume = TokenVolume::project_with(&directory, token.as_bytes(), beside, Access::root(0o644))?;
        if let Some(ago) = self.scenario.api_token.mounted_ago {
            volume.mounted_at(OffsetDateTime::now_utc() - ago.0)?;
        }
        Ok(volume)
    }

    /// The environment of a program that reaches DNS, and the API if there is one, at these addresses, and
    /// has the operator's credentials, if there is an operator.
    pub(super) fn environment(
        &self,
        dns: SocketAddr,
        kubernetes: Option<SocketAddr>,
        operator: Option<&Session>,
    ) -> BTreeMap<String, String> {
        let value = |name: &str| self.placeholders[name].clone();
        let path = |name: &str| self.dir().join(name).to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ROLE_ARN", value("role_arn")),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", value("token_file")),
            ("AWS_CA_BUNDLE", value("ca")),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", value("node_url")),
            ("HOME", path("home")),
            ("HOSTNAME", token::POD.to_owned()),
            ("IRSA_PROBE_DNS_SERVER", dns.to_string()),
            ("IRSA_PROBE_API_TOKEN_FILE", value("api_token")),
            ("IRSA_PROBE_TERMINATION_LOG", path("termination-log")),
            ("IRSA_PROBE_WAIT", "7s".to_owned()),
            ("IRSA_PROBE_TIMEOUT", "6s".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.scenario.sts.endpoint == Endpoint::Override {
            env.insert("AWS_ENDPOINT_URL_STS".to_owned(), value("sts_url"));
        }
        if self.scenario.proxy.is_some() {
            env.insert("HTTPS_PROXY".to_owned(), value("proxy_url"));
        }
        if let Some(address) = kubernetes {
            env.insert("KUBERNETES_SERVICE_HOST".to_owned(), address.ip().to_string());
            env.insert("KUBERNETES_SERVICE_PORT".to_owned(), address.port().to_string());
        }
        if self.scenario.command == "audit" {
            // An operator's machine is no pod.
            env.retain(|name, _| !matches!(name.as_str(), "AWS_ROLE_ARN" | "AWS_WEB_IDENTITY_TOKEN_FILE"));
        }
        if let Some(operator) = operator {
            let iam_url = value("sts_url").replacen(&self.scenario.sts.host, "iam.amazonaws.com", 1);
            env.extend(
                [
                    ("AWS_ENDPOINT_URL_IAM", iam_url),
                    ("AWS_ACCESS_KEY_ID", operator.access_key_id.clone()),
                    ("AWS_SECRET_ACCESS_KEY", operator.secret_access_key.clone()),
                    ("AWS_SESSION_TOKEN", operator.session_token.clone()),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        env.retain(|name, _| !self.scenario.unset.contains(name));
        env.extend(self.scenario.env.iter().map(|(name, value)| (name.clone(), self.expand(value))));
        env
    }

    /// The secrets that are there before anything runs.
    pub(super) fn standing_secrets(&self, api_token: &str) -> Vec<Secret> {
        let mut found = secrets::of_token("web identity token", &self.token);
        found.push(Secret::new("secret key of the node's credentials", node::SECRET_KEY));
        found.extend(secrets::of_token("API token", api_token));
        if let Some(content) = &self.scenario.token.content {
            let content = self.expand(content);
            if token::decode(content.trim()).is_some() {
                found.extend(secrets::of_token("content of the token file", content.trim()));
            }
        }
        for (name, value) in &self.env {
            match name.as_str() {
                "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" | "AWS_CONTAINER_AUTHORIZATION_TOKEN" => {
                    found.push(Secret::new(name, value));
                }
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
                    let files = &self.scenario.files;
                    let content = files.iter().find(|(path, _)| self.dir().join(path) == Path::new(value));
                    found.extend(content.map(|(_, text)| Secret::new(name, self.expand(text).trim())));
                }
                _ if name.to_ascii_lowercase().ends_with("_proxy") => {
                    found.extend(secrets::of_url(name, value))
                }
                _ => {}
            }
        }
        for (path, text) in &self.scenario.files {
            found.extend(secrets::of_aws_file(path, &self.expand(text)));
        }
        found
    }
}
