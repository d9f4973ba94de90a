//! Situations in which real SDKs were run, with the source that each of them picked, and situations of the
//! same form that tests describe.

use std::collections::BTreeMap;
use std::fmt::Write;

use sdk_chain::situation::{ChainInput, ContainerEndpoint, EndpointReply, TokenExchange};
use sdk_chain::{SdkId, resolve};
use serde_json::Value;

/// 34 situations, each with several conditions, in which 13 SDKs were run.
const MATRIX: &str = include_str!("../recorded/sdk-matrix.json");
/// More of them, each with one condition, in a pod with a web identity and in one without.
const SINGLES: &str = include_str!("../recorded/sdk-singles.json");
/// Situations that were written by hand: half of something, and spellings that parsers differ about.
const WRITTEN: &str = include_str!("../recorded/sdk-written.json");

/// How many situations there are, and how many SDKs were run in each.
pub(crate) const RECORDED: usize = (34 + 144 + 276) * 13;

const REGION: &str = "eu-west-1";
const STS: &str = "http://127.0.0.1:18999/sts";
const REFUSED: &str = "connection refused";

/// The paths that stand for `@TOKEN`, `@TOKENNL` and `@EMPTY`.
pub(crate) struct TokenFiles {
    pub(crate) token: String,
    pub(crate) with_line_break: String,
    pub(crate) empty: String,
}

impl TokenFiles {
    fn fill(&self, text: &str) -> String {
        // Longest first: one is the beginning of another.
        text.replace("@TOKENNL", &self.with_line_break)
            .replace("@TOKEN", &self.token)
            .replace("@EMPTY", &self.empty)
            .replace("@PROCESS", "/bin/true")
    }
}

/// What an SDK finds in a situation.
pub(crate) struct Situation {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) config: Option<String>,
    pub(crate) credentials: Option<String>,
    sts: String,
}

impl Situation {
    pub(crate) fn of(described: &Value, files: &TokenFiles) -> Self {
        let filled = |value: &Value| value.as_str().map(|text| files.fill(text));
        let mut variables = BTreeMap::from([
            ("AWS_REGION".to_owned(), Some(REGION.to_owned())),
            ("AWS_DEFAULT_REGION".to_owned(), Some(REGION.to_owned())),
            ("STS".to_owned(), Some(STS.to_owned())),
        ]);
        for (name, value) in described["env"].as_object().unwrap() {
            variables.insert(name.clone(), filled(value));
        }
        let sts = variables.remove("STS").flatten().unwrap();
        variables.insert("AWS_ENDPOINT_URL_STS".to_owned(), Some(sts.clone()));
        Self {
            variables: variables.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            config: filled(&described["config_file"]),
            credentials: filled(&described["credentials_file"]),
            sts,
        }
    }

    /// Adds what the servers of the situation answer, STS to these roles with these token files.
    pub(crate) fn add_answers(&self, pairs: Vec<(String, String)>, input: &mut ChainInput) {
        let exchange = match self.sts.as_str() {
            sts if sts.ends_with("deny") => TokenExchange::Refused("AccessDenied".to_owned()),
            sts if sts.ends_with(":1") => TokenExchange::Unreachable(REFUSED.to_owned()),
            _ => TokenExchange::Given,
        };
        input.exchanges.extend(pairs.into_iter().map(|pair| (pair, exchange.clone())));
        // As it is found out where there is only a role to assume.
        input.sts_unreachable = self.sts.ends_with(":1").then(|| REFUSED.to_owned());
        let reply = match input.filled("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(uri) if uri.ends_with("403") => EndpointReply::Status(403),
            Some(uri) if uri.contains(":1/") || uri.ends_with(":1") => {
                EndpointReply::Unreachable(REFUSED.to_owned())
            }
            _ => EndpointReply::Given,
        };
        input.full = ContainerEndpoint { with_token: reply.clone(), without_token: reply };
        input.relative =
            ContainerEndpoint { with_token: EndpointReply::Given, without_token: EndpointReply::Given };
    }
}

/// Every recorded situation, as it is described.
pub(crate) fn recorded() -> Vec<(String, Value)> {
    [MATRIX, SINGLES, WRITTEN].into_iter().flat_map(described).collect()
}

/// The situations of a file in the form of the recorded ones.
pub(crate) fn described(text: &str) -> Vec<(String, Value)> {
    let content: Value = serde_json::from_str(text).unwrap();
    content["situations"].as_object().unwrap().clone().into_iter().collect()
}

/// Compares what the SDKs pick by our rules with what they really picked; says how many were compared.
pub(crate) fn compare(situations: impl IntoIterator<Item = ((String, Value), ChainInput)>) -> usize {
    let (mut compared, mut differences) = (0, String::new());
    for ((id, described), input) in situations {
        for (sdk, picked) in described["winner"].as_object().unwrap() {
            let answer = resolve(SdkId::parse(sdk).unwrap(), &input);
            compared += 1;
            if answer.source.as_str() != picked {
                let (ours, why) = (answer.source.as_str(), answer.reason);
                let about = &described["desc"];
                writeln!(differences, "{id} {sdk}: the SDK {picked}, we {ours} [{about}]\n    {why}")
                    .unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "of {compared}, these differ:\n{differences}");
    compared
}
