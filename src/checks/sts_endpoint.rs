//! An STS endpoint is known: from the region, or from what variables and profiles set.

use crate::aws::endpoint;
use crate::aws::profile::Profiles;
use crate::aws::setting::SettingSource;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::endpoint::{
    EndpointInsecure, EndpointMalformed, EndpointOptionsConflict, PartitionMismatch, RegionMalformed,
    RegionMissing, RegionsDisagree, StsServer,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::net::endpoint::Endpoint;
use crate::run::Verdict;
use crate::run::probe::Probe;
use crate::token::Claims;
use iam_trust::arn::RoleArn;
use iam_trust::partition::{Partition, region_of_host, region_of_issuer};

/// What decides which STS is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EndpointSettings {
    pub(crate) region: Option<(String, SettingSource)>,
    /// `AWS_REGION` and `AWS_DEFAULT_REGION`, if both are set and differ.
    pub(crate) disagreement: Option<(String, String)>,
    /// An endpoint instead of the region's own, and where it was set.
    pub(crate) url: Option<(String, SettingSource)>,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    /// `AWS_STS_REGIONAL_ENDPOINTS`: `legacy` makes older SDKs call the global endpoint.
    pub(crate) regional_endpoints: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndpointOptions {
    /// One that conforms to FIPS 140.
    pub(crate) fips: bool,
    /// One with IPv4 and IPv6 addresses.
    pub(crate) dual_stack: bool,
}

impl EndpointOptions {
    pub(crate) fn variables(self) -> Vec<&'static str> {
        let requested =
            [(self.fips, "AWS_USE_FIPS_ENDPOINT"), (self.dual_stack, "AWS_USE_DUALSTACK_ENDPOINT")];
        requested.into_iter().filter(|(requested, _)| *requested).map(|(_, variable)| variable).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StsEndpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) region: String,
    pub(crate) region_source: SettingSource,
    /// The region of the called host, for the signature.
    pub(crate) signing_region: String,
    pub(crate) options: EndpointOptions,
    /// The endpoint that was set and where, if the region does not decide.
    pub(crate) url: Option<(String, SettingSource)>,
    /// `AWS_STS_REGIONAL_ENDPOINTS`.
    pub(crate) regional_endpoints: Option<String>,
}

impl StsEndpoint {
    /// The server, with what decides on it.
    pub(crate) fn server(&self) -> StsServer {
        StsServer {
            host: self.endpoint.host.clone(),
            url: self.url.clone(),
            region: (self.region.clone(), self.region_source.clone()),
        }
    }
}

impl HasEvidence for StsEndpoint {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("endpoint", &self.endpoint.origin())
            .value(
                "endpoint_source",
                self.url.as_ref().map_or("the region".to_owned(), |(_, at)| at.to_string()),
            )
            .text("region", &self.region)
            .value("region_source", self.region_source.to_string())
            .text_if("aws_sts_regional_endpoints", self.regional_endpoints.as_deref())
            .texts_if_any("endpoint_options", &self.options.variables())
    }
}

/// Reads the settings. The metadata service of the node is never asked.
pub(crate) fn observe(probe: &Probe<'_>, profiles: Option<&Profiles>) -> EndpointSettings {
    let Probe { pod, options, .. } = *probe;
    let of_profile = |key: &str| profiles.and_then(|profiles| profiles.get(key)).map(str::to_owned);
    let is_true = |variable: &str, key: &str| {
        pod.nonempty_variable(variable)
            .or_else(|| of_profile(key))
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let (first, second) = (pod.nonempty_variable("AWS_REGION"), pod.nonempty_variable("AWS_DEFAULT_REGION"));
    let disagreement = match (&options.region, &first, &second) {
        (None, Some(first), Some(second)) if first != second => Some((first.clone(), second.clone())),
        _ => None,
    };
    let from = |value: Option<String>, source| Some((value?, source));
    let of_variable = |name| from(pod.nonempty_variable(name), SettingSource::Variable(name));
    let region = from(options.region.clone(), SettingSource::Flag("--region"))
        .or_else(|| of_variable("AWS_REGION"))
        .or_else(|| of_variable("AWS_DEFAULT_REGION"))
        .or_else(|| profiles?.setting("region"));
    let ignored = is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
    let url = of_variable("AWS_ENDPOINT_URL_STS")
        .or_else(|| of_variable("AWS_ENDPOINT_URL"))
        .or_else(|| profiles?.endpoint("sts"))
        .filter(|_| !ignored);
    EndpointSettings {
        region,
        disagreement,
        url,
        fips: is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
        regional_endpoints: pod.nonempty_variable("AWS_STS_REGIONAL_ENDPOINTS"),
    }
}

/// Judges the settings, and whether they fit the role and the token as far as these are known.
pub(crate) async fn judge(
    settings: EndpointSettings,
    role: Option<&RoleArn>,
    claims: Option<&Claims>,
) -> Verdict<StsEndpoint> {
    let mut warnings: Vec<Diagnosis> = Vec::new();
    let of_issuer = claims.and_then(|claims| region_of_issuer(&claims.issuer));
    let (region, region_source) = match (settings.region, of_issuer) {
        (Some((region, source)), _) => (region, source),
        (None, Some(region)) => {
            warnings.push(RegionMissing { of_issuer: Some(region.to_owned()) }.into());
            (region.to_owned(), SettingSource::Fallback("the token's issuer"))
        }
        (None, None) => return Verdict::fail(RegionMissing { of_issuer: None }),
    };
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.len() > 63 || !region.chars().all(legal) || region.starts_with('-') || region.ends_with('-') {
        let of_issuer = of_issuer.map(str::to_owned);
        return Verdict::fail(RegionMalformed { region, of_issuer, source: region_source });
    }
    if let Some((region, default_region)) = settings.disagreement {
        warnings
            .push(RegionsDisagree { region, default_region, of_issuer: of_issuer.map(str::to_owned) }.into());
    }
    if let Some((url, source)) = &settings.url
        && let Err(fault) = Endpoint::parse_setting(url)
    {
        return Verdict::fail(EndpointMalformed { url: url.clone(), source: source.clone(), fault });
    }
    let url = settings.url.as_ref().map(|(url, _)| url.as_str());
    let url = match endpoint::sts_url(&region, settings.fips, settings.dual_stack, url).await {
        Ok(url) => url,
        Err(message) => return Verdict::fail(EndpointOptionsConflict { message }),
    };
    let endpoint = match Endpoint::parse(&url) {
        Ok(endpoint) => endpoint,
        Err(_) => {
            let of_issuer = of_issuer.map(str::to_owned);
            return Verdict::fail(RegionMalformed { region, of_issuer, source: region_source });
        }
    };
    if let Some((_, source)) = settings.url.as_ref().filter(|_| !endpoint.tls && !endpoint.is_loopback()) {
        warnings.push(EndpointInsecure { url: endpoint.origin(), source: source.clone() }.into());
    }
    // A host of AWS belongs to one partition. An emulator can serve any.
    let served = region_of_host(&endpoint.host).map(str::to_owned);
    let decides = match &served {
        Some(served) => {
            (served.clone(), settings.url.as_ref().map_or(&region_source, |(_, source)| source).clone())
        }
        None => (region.clone(), region_source.clone()),
    };
    match partition_mismatch(decides, role, of_issuer) {
        Some(mismatch) if mismatch.role != mismatch.region.1 && served.is_some() => {
            return Verdict::fail(mismatch);
        }
        Some(mismatch) => warnings.push(mismatch.into()),
        None => {}
    }
    let signing_region = served.unwrap_or_else(|| region.clone());
    let options = EndpointOptions { fips: settings.fips, dual_stack: settings.dual_stack };
    let regional_endpoints = settings.regional_endpoints;
    let found = StsEndpoint {
        endpoint,
        region,
        region_source,
        signing_region,
        url: settings.url,
        options,
        regional_endpoints,
    };
    Verdict::holds(found, warnings)
}

/// The partitions of the role, the region and the issuer, if they differ.
fn partition_mismatch(
    (region, source): (String, SettingSource),
    role: Option<&RoleArn>,
    of_issuer: Option<&str>,
) -> Option<PartitionMismatch> {
    let role = role?.partition.id;
    let of_region = Partition::of_region(&region)?.id;
    let issuer = of_issuer.and_then(|region| Some((region.to_owned(), Partition::of_region(region)?.id)));
    let differs = role != of_region || issuer.as_ref().is_some_and(|(_, partition)| *partition != role);
    differs.then_some(PartitionMismatch { role, region: (region, of_region), source, issuer })
}

#[cfg(test)]
mod tests {
    use super::{EndpointSettings, SettingSource, judge};
    use crate::run::Verdict;
    use crate::token::{Claims, decode};
    use iam_trust::arn;

    const PROJECTED: &str = include_str!("../../tests/recorded/projected-token.jwt");

    fn names<T>(verdict: Verdict<T>) -> Vec<&'static str> {
        match verdict {
            Verdict::Pass(_) => vec![],
            Verdict::Warn(_, warnings) => warnings.iter().map(|warning| warning.name().as_str()).collect(),
            Verdict::Fail(diagnosis) => vec!["fails", diagnosis.name().as_str()],
        }
    }

    fn region(region: &str) -> EndpointSettings {
        EndpointSettings {
            region: Some((region.to_owned(), SettingSource::Variable("AWS_REGION"))),
            ..EndpointSettings::default()
        }
    }

    fn url(url: &str) -> EndpointSettings {
        EndpointSettings {
            url: Some((url.to_owned(), SettingSource::Variable("AWS_ENDPOINT_URL_STS"))),
            ..region("eu-west-1")
        }
    }

    #[tokio::test]
    async fn settings_beside_the_role_and_the_token() {
        let claims = decode(PROJECTED).unwrap();
        let elsewhere = Claims { issuer: "https://issuer.example".to_owned(), ..claims.clone() };
        let commercial = "arn:aws:iam::111122223333:role/a";
        let china = "arn:aws-cn:iam::111122223333:role/a";
        let fips = EndpointSettings { fips: true, ..url("https://sts.example") };
        let disagreement = Some(("eu-west-1".to_owned(), "us-east-1".to_owned()));
        for (settings, role, claims, expected) in [
            (region("eu-west-1"), commercial, Some(&claims), vec![]),
            (EndpointSettings::default(), commercial, Some(&claims), vec!["RegionMissing"]),
            (EndpointSettings::default(), commercial, Some(&elsewhere), vec!["fails", "RegionMissing"]),
            (EndpointSettings::default(), commercial, None, vec!["fails", "RegionMissing"]),
            (region("EU West"), commercial, None, vec!["fails", "RegionMalformed"]),
            (region("eu-west-1."), commercial, None, vec!["fails", "RegionMalformed"]),
            (region("eu-west-1"), china, None, vec!["fails", "PartitionMismatch"]),
            (region("cn-north-1"), china, Some(&claims), vec!["PartitionMismatch"]),
            (url("http://127.0.0.1:5000"), china, None, vec!["PartitionMismatch"]),
            (
                url("https://sts.cn-north-1.amazonaws.com.cn"),
                commercial,
                None,
                vec!["fails", "PartitionMismatch"],
            ),
            (url("https://sts.cn-north-1.amazonaws.com.cn"), china, None, vec![]),
            (url("http://127.0.0.1:5000"), commercial, None, vec![]),
            (url("http://sts.example"), commercial, None, vec!["EndpointInsecure"]),
            (url("sts.example"), commercial, None, vec!["fails", "EndpointMalformed"]),
            (fips, commercial, None, vec!["fails", "EndpointOptionsConflict"]),
            (
                EndpointSettings { disagreement, ..region("eu-west-1") },
                commercial,
                None,
                vec!["RegionsDisagree"],
            ),
        ] {
            let role = arn::parse(role).unwrap();
            assert_eq!(names(judge(settings.clone(), Some(&role), claims).await), expected, "{settings:?}");
        }
    }
}
