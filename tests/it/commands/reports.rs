//! Pods of public reports, as the probe sees them from inside: what is said of each, and what its first step is.

use serde_json::Value;

use crate::program::{json, report, run};
use crate::repository;

async fn check(toml: &str) -> Value {
    report(&run(toml, &["--output", "json", "--wait", "0s"]).await)
}

fn step(report: &Value, at: usize) -> &str {
    report["diagnosis"]["remedy"][at].as_str().unwrap()
}

/// The node of a virtual kubelet did not fill the volume. Variables and pod are right.
#[tokio::test]
async fn token_folder_that_is_empty_blames_the_node() {
    for (kind, name, owner, says) in [
        ("missing", "TokenFileMissing", "node", "exists and is empty"),
        ("dangling", "TokenFileMissing", "node", "mounted and was not filled"),
        ("missing-dir", "TokenFileMissing", "workload", "is not mounted there"),
    ] {
        let found = check(&format!("[file]\nkind = \"{kind}\"\n")).await;
        let diagnosis = &found["diagnosis"];
        assert_eq!((&diagnosis["name"], &diagnosis["owner"]), (&name.into(), &owner.into()), "{found:#}");
        assert!(diagnosis["cause"].as_str().unwrap().contains(says), "{found:#}");
        let removes_variables = diagnosis["remedy"].to_string().contains("Remove AWS_ROLE_ARN");
        assert_eq!(removes_variables, owner == "workload", "{found:#}");
        assert_eq!(step(&found, 0).starts_with("Check what the node"), owner == "node", "{found:#}");
    }
}

/// STS decides whether it accepts an algorithm that IAM documents. If it does not, the algorithm is the suspect.
#[tokio::test]
async fn algorithm_of_a_refused_token_is_named() {
    const REFUSED: &str = "[[sts.assume]]\nerror = { status = 400, code = \"InvalidIdentityToken\", message = \"The ID \
         Token provided is not a valid JWT. (You may see this error if you sent an Access Token)\" }\n";
    let of = async |algorithm: &str, answer: &str| {
        check(&format!("[token]\nheader = {{ alg = \"{algorithm}\" }}\n{answer}")).await
    };
    for (algorithm, name, step_begins) in [
        ("ES256", "TokenNotAJwt", "Find what replaced the token that the API server projects"),
        ("RS256", "TokenNotAJwt", "Check what issues the token"),
        ("EdDSA", "TokenAlgorithmUnsupported", "Find what replaced the token that the API server projects"),
    ] {
        let found = of(algorithm, REFUSED).await;
        let diagnosis = &found["diagnosis"];
        assert_eq!((&diagnosis["name"], &diagnosis["owner"]), (&name.into(), &"cluster".into()), "{found:#}");
        assert!(diagnosis["cause"].as_str().unwrap().contains(algorithm), "{found:#}");
        assert_eq!(diagnosis["evidence"]["algorithm"], algorithm);
        let token =
            found["checks"].as_array().unwrap().iter().find(|check| check["name"] == "token").unwrap();
        assert_eq!(token["outcome"] == "pass", name == "TokenNotAJwt", "STS is asked: {token:#}");
        assert!(step(&found, 0).starts_with(step_begins), "{found:#}");
    }
    const OWN_ISSUER: &str =
        "claims = { iss = \"https://example-oidc.s3.eu-west-1.amazonaws.com/mycluster\" }\n";
    for algorithm in ["ES256", "EdDSA"] {
        let found = of(algorithm, &format!("{OWN_ISSUER}{REFUSED}")).await;
        assert!(step(&found, 0).starts_with("Set an RSA key to sign service account tokens"), "{found:#}");
        assert!(step(&found, 1).starts_with("Publish the public key"), "{found:#}");
        assert!(step(&found, 2).starts_with("Then delete the pod"), "{found:#}");
    }
}

/// A variable that is meant for one service sends the call to STS there, with the token.
#[tokio::test]
async fn variable_that_sends_the_call_to_another_service_is_named() {
    const ANSWER: &str = "[[sts.assume]]\nfault = \"html\"\n";
    let named = |host: &str, variable: &str| {
        format!(
            "[sts]\nendpoint = \"none\"\nhost = \"{host}\"\n[proxy]\n[env]\n{variable} = \"https://{host}\"\n{ANSWER}"
        )
    };
    for (host, variable, step_says) in [
        ("api.ec2.us-east-1.aws", "AWS_ENDPOINT_URL", "set AWS_ENDPOINT_URL_EC2, which only the clients"),
        (
            "secretsmanager.eu-west-1.amazonaws.com",
            "AWS_ENDPOINT_URL",
            "set AWS_ENDPOINT_URL_SECRETS_MANAGER",
        ),
        ("s3.eu-west-1.amazonaws.com", "AWS_ENDPOINT_URL_STS", "or let it name an STS endpoint"),
        ("aws.example.com", "AWS_ENDPOINT_URL", "or let it name an STS endpoint"),
    ] {
        let found = check(&named(host, variable)).await;
        let diagnosis = &found["diagnosis"];
        assert_eq!(
            (&diagnosis["name"], &diagnosis["owner"]),
            (&"NotStsReply".into(), &"workload".into()),
            "{found:#}"
        );
        let cause = diagnosis["cause"].as_str().unwrap();
        assert!(cause.contains(&format!("{variable} is https://{host}")), "{cause}");
        assert!(step(&found, 0).starts_with(&format!("Remove {variable} where it is set")), "{found:#}");
        assert!(step(&found, 0).contains(step_says), "{found:#}");
        assert_eq!(found["exit_code"], 13);
    }
    let found = check(&format!(
        "[sts]\nendpoint = \"none\"\nhost = \"sts.eu-west-1.amazonaws.com\"\n[proxy]\n{ANSWER}"
    ))
    .await;
    assert_eq!(found["diagnosis"]["owner"], "network", "{found:#}");
    assert!(!found["diagnosis"].to_string().contains("AWS_ENDPOINT_URL"), "{found:#}");
}

/// The file and the line that set an endpoint are named.
#[tokio::test]
async fn line_that_sets_an_endpoint_is_named() {
    let config = "[default]\nregion = eu-west-1\nendpoint_url = https://sts.example.invalid\n";
    let found = check(&format!("[sts]\nendpoint = \"none\"\nhost = \"sts.example.invalid\"\n[files]\n\"home/.aws/config\" = {config:?}\n")).await;
    assert!(step(&found, 0).contains("endpoint_url in line 3 of "), "{found:#}");
}

/// AWS runs the issuer of EKS. Of another one, the documents and the ids of the keys are the suspects.
#[tokio::test]
async fn missing_verification_key_is_looked_for_where_the_issuer_is() {
    const REFUSED: &str = "[[sts.assume]]\nerror = { status = 400, code = \"InvalidIdentityToken\", message = \"Couldn't \
         retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity \
         documentation for requirements\" }\n";
    let own = "[token]\nheader = { kid = \"\" }\n\
               claims = { iss = \"https://example-oidc.s3.eu-west-1.amazonaws.com/mycluster\" }\n";
    for (token, is_eks) in [(own, false), ("", true)] {
        let found = check(&format!("{token}{REFUSED}")).await;
        let diagnosis = &found["diagnosis"];
        assert_eq!(diagnosis["name"], "VerificationKeyUnavailable", "{found:#}");
        let text = diagnosis.to_string();
        assert_eq!(text.contains("Wait, and run the check again"), is_eks, "{text}");
        assert_eq!(text.contains("A key without an id"), !is_eks, "{text}");
        assert_eq!(step(&found, 0).contains("The set must hold a key with the id \"\""), !is_eks, "{text}");
    }
}

/// A profile that chains from the pod's role, selected beside the injected variables: the SDKs differ.
#[tokio::test]
async fn profile_that_chains_from_the_role_is_named_with_its_role() {
    let config = repository::read("tests/recorded/reports/atlantis-profile-against-injected-role/aws-config")
        .replace("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "${token_file}")
        .replace("role/atlantis", "role/payments-checkout");
    let toml = format!("[env]\nAWS_PROFILE = \"dev\"\n[files]\n\"home/.aws/config\" = {config:?}\n");
    let found = check(&toml).await;
    assert_eq!(found["outcome"], "warn", "{found:#}");
    let warning = &found["warnings"][0];
    assert_eq!(warning["name"], "ShadowedByProfile");
    let cause = warning["cause"].as_str().unwrap();
    assert!(
        cause.contains(
            "which assumes the role arn:aws:iam::444455556666:role/dev-atlantis (role_arn in line 7"
        ),
        "{cause}"
    );
    assert!(cause.contains("take its credentials") && !cause.contains("every SDK"), "{cause}");
    let steps = warning["remedy"].as_array().unwrap();
    assert!(
        steps[0].as_str().unwrap().starts_with("If the pod's own role is meant, remove AWS_PROFILE"),
        "{steps:#?}"
    );
    assert!(
        steps[1].as_str().unwrap().starts_with("If arn:aws:iam::444455556666:role/dev-atlantis is meant"),
        "{steps:#?}"
    );

    let chain = json(&run(&format!("command = \"chain\"\n{toml}"), &["--output", "json"]).await.stdout);
    let sdks = chain["sdks"].as_array().unwrap();
    let of = |name: &str| sdks.iter().find(|sdk| sdk["sdk"] == name).unwrap();
    for (sdk, picks) in
        [("boto", "assume-role"), ("cliv2", "assume-role"), ("gov2", "web-id"), ("jv2", "web-id")]
    {
        assert_eq!(of(sdk)["picks"], picks, "{chain:#}");
    }
    let reason = of("boto")["because"].as_str().unwrap();
    assert!(
        reason.contains(
            "The role arn:aws:iam::444455556666:role/dev-atlantis is in the profile \"dev\", and it assumes that with the \
             web identity of the profile \"default\", the role arn:aws:iam::111122223333:role/payments-checkout."
        ),
        "{reason}"
    );
}
