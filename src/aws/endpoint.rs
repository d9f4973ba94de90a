//! Which STS to call, by AWS's own endpoint rules.

use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

/// The URL that AWS's endpoint rules give, in every partition.
///
/// # Errors
/// The rules' own words, if they give none for this combination.
pub async fn sts_url(
    region: &str,
    fips: bool,
    dual_stack: bool,
    url: Option<&str>,
) -> Result<String, String> {
    let params = Params::builder()
        .region(region)
        .use_fips(fips)
        .use_dual_stack(dual_stack)
        .set_endpoint(url.map(str::to_owned))
        .build()
        .map_err(|error| error.to_string())?;
    match DefaultResolver::new().resolve_endpoint(&params).await {
        Ok(endpoint) => Ok(endpoint.url().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::sts_url;

    #[tokio::test]
    async fn the_rules_of_every_partition() {
        for (region, fips, dual_stack, url) in [
            ("eu-west-1", false, false, "https://sts.eu-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "https://sts.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", true, false, "https://sts.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, false, "https://sts-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", false, true, "https://sts.eu-west-1.api.aws"),
            ("eusc-de-east-1", false, false, "https://sts.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", false, false, "https://sts.us-iso-east-1.c2s.ic.gov"),
        ] {
            assert_eq!(sts_url(region, fips, dual_stack, None).await.as_deref(), Ok(url));
        }
    }

    #[tokio::test]
    async fn options_that_exclude_each_other_are_the_rules_to_refuse() {
        let error = sts_url("eu-west-1", true, false, Some("https://sts.example")).await.unwrap_err();
        assert!(error.contains("FIPS and custom endpoint are not supported"), "{error}");
    }
}
