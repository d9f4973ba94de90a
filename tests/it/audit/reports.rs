//! Public reports of people whose pods did not get their role, as the trust policies and tokens of `tests/recorded/reports`:
//! what is said of each, and what its first step is.

use std::path::Path;
use std::process::Command;

use crate::repository;
use serde_json::Value;
use testbed::scenario::Scenario;
use testbed::world::World;

/// The report of an offline audit of a policy for a token.
fn audit(report: &str, policy: &str, claims: &str) -> Value {
    audit_with(report, policy, claims, "provider.json")
}

/// The same with this OIDC provider, if there is such a file.
fn audit_with(report: &str, policy: &str, claims: &str, provider: &str) -> Value {
    let folder = repository::path("tests/recorded/reports").join(report);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let claims: Value = serde_json::from_str(&read(claims)).unwrap();
    let provider = Some(folder.join(provider)).filter(|provider| provider.exists());
    let claim = |name: &str| {
        let value = &claims[name];
        value.get(0).unwrap_or(value).as_str().unwrap().to_owned()
    };
    let output = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--output", "json", "--termination-log", "/dev/null", "--trust-policy"])
        .arg(folder.join(policy))
        .args(["--issuer", &claim("iss"), "--subject", &claim("sub"), "--audience", &claim("aud")])
        .args(["--role-arn", read("role-arn.txt").trim()])
        .args(provider.iter().flat_map(|provider| [Path::new("--oidc-provider"), provider]))
        .env_clear()
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn steps(report: &Value) -> String {
    let steps = report["diagnosis"]["remedy"].as_array().unwrap();
    steps.iter().map(|step| step.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The policy in the command that writes it.
fn corrected(report: &Value) -> Option<Value> {
    let steps = steps(report);
    let (_, rest) = steps.split_once("printf '%s\\n' '")?;
    serde_json::from_str(rest.split_once("' > trust-policy.json")?.0).ok()
}

#[test]
fn each_report_has_its_name() {
    const CLAIMS: &str = "claims.json";
    for (report, policy, claims, name) in [
        ("tf-two-providers-one-statement", "trust.json", CLAIMS, Some("TrustIssuerMismatch")),
        ("tf-two-providers-one-statement", "trust-fixed.json", CLAIMS, None),
        ("tf-two-providers-one-statement", "trust-fixed.json", "claims-other-cluster.json", None),
        ("iss-is-no-condition-key", "trust-forallvalues.json", CLAIMS, None),
        ("iss-is-no-condition-key", "trust-stringequals.json", CLAIMS, Some("TrustConditionUnmet")),
        ("iss-is-no-condition-key", "iss-IfExists.json", CLAIMS, None),
        ("iss-is-no-condition-key", "iss-never-equal.json", CLAIMS, Some("TrustConditionUnmet")),
        ("emr-on-eks-china-partition", "trust-before.json", CLAIMS, Some("TrustPartitionMismatch")),
        ("emr-on-eks-china-partition", "trust-after.json", CLAIMS, None),
        ("emr-on-eks-china-partition", "trust-after.json", "claims-executor.json", None),
        (
            "emr-on-eks-china-partition",
            "trust-after.json",
            "claims-other-role.json",
            Some("TrustSubjectMismatch"),
        ),
        ("crossplane-doc-provider-of-cluster-account", "trust.json", CLAIMS, Some("TrustAccountMismatch")),
        ("session-name-variable-for-sub", "trust.json", CLAIMS, Some("TrustSubjectMismatch")),
        ("source-vpc-condition", "trust.json", CLAIMS, Some("TrustUndecidable")),
        ("source-vpc-condition", "audience-and-SourceVpce.json", CLAIMS, Some("TrustAudienceMismatch")),
        ("source-vpc-condition", "subject-and-SourceIp.json", CLAIMS, Some("TrustSubjectMismatch")),
        ("source-vpc-condition", "subject-and-SourceVpc.json", CLAIMS, Some("TrustSubjectMismatch")),
        ("source-vpc-condition", "subject-and-PrincipalOrgID.json", CLAIMS, Some("TrustSubjectMismatch")),
        ("kyverno-swaps-two-roles", "trust.json", CLAIMS, Some("TrustSubjectMismatch")),
    ] {
        let found = audit(report, policy, claims);
        assert_eq!(found["diagnosis"]["name"].as_str(), name, "{report} {policy} {claims}");
    }
}

/// What the correction of one policy lets in: each of these tokens passes an audit of the corrected policy.
#[test]
fn correction_keeps_the_family_working() {
    for (report, policy, members) in [
        (
            "tf-two-providers-one-statement",
            "trust.json",
            &["claims.json", "claims-cart.json", "claims-other-cluster.json"][..],
        ),
        ("emr-on-eks-china-partition", "trust-before.json", &["claims.json", "claims-executor.json"]),
        ("crossplane-doc-provider-of-cluster-account", "trust.json", &["claims.json", "claims-next.json"]),
    ] {
        let fixed = corrected(&audit(report, policy, "claims.json")).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), fixed.to_string()).unwrap();
        for member in members {
            let found = audit(report, file.path().to_str().unwrap(), member);
            assert_eq!(found["outcome"], "pass", "{report} {member}: {found:#}");
        }
    }
}

#[test]
fn guard_stays_beside_what_is_corrected() {
    for (policy, operator, key) in [
        ("audience-and-SourceVpce.json", "StringEquals", "aws:SourceVpce"),
        ("subject-and-SourceIp.json", "IpAddress", "aws:SourceIp"),
        ("subject-and-SourceVpc.json", "StringEquals", "aws:SourceVpc"),
    ] {
        let found = audit("source-vpc-condition", policy, "claims.json");
        let fixed = corrected(&found).unwrap();
        let statements = fixed["Statement"].as_array().unwrap();
        assert!(
            statements.iter().all(|statement| !statement["Condition"][operator][key].is_null()),
            "{fixed:#}"
        );
        assert!(
            steps(&found).contains(&format!("The call must also meet {operator} on {key}")),
            "{}",
            steps(&found)
        );
    }
    let unmet = audit("source-vpc-condition", "subject-and-PrincipalOrgID.json", "claims.json");
    assert_eq!(corrected(&unmet), None);
    assert!(steps(&unmet).contains("There is no corrected policy to paste: "), "{}", steps(&unmet));
}

/// A provider for an issuer that STS cannot reach helps nobody, and would trust other clusters of that name.
#[test]
fn no_provider_is_made_for_a_private_issuer() {
    let folder = "vcluster-token-of-inner-cluster";
    let inner = audit(folder, "trust.json", "claims.json");
    assert_eq!(inner["diagnosis"]["name"], "OidcProviderMissing");
    assert!(!steps(&inner).contains("create-open-id-connect-provider"), "{}", steps(&inner));
    let first = inner["diagnosis"]["remedy"][0].as_str().unwrap();
    assert!(first.contains("private name") && first.contains("virtual cluster"), "{first}");
    assert_eq!(audit(folder, "trust.json", "claims-of-the-pods-own-token.json")["outcome"], "pass");
}

/// An audience of another kind than AWS's is meant: the provider lacks it, and the token is right.
#[test]
fn audience_of_its_own_is_added_to_the_provider() {
    const REPORT: &str = "openshift-audience-client-id";
    for provider in ["provider.json", "provider-fixed.json", "provider-both.json"] {
        let found = audit_with(REPORT, "trust.json", "claims.json", provider);
        if provider != "provider.json" {
            assert_eq!(found["outcome"], "pass", "{provider}: {found:#}");
            continue;
        }
        assert_eq!(found["diagnosis"]["name"], "OidcProviderAudienceMissing");
        let first = found["diagnosis"]["remedy"][0].as_str().unwrap();
        assert!(first.contains("--client-id openshift") && !first.contains("sts.amazonaws.com"), "{first}");
    }
}

/// Step 1 does not give one application the rights of another.
#[test]
fn swapped_role_is_blamed_before_the_policy() {
    for (report, policy, claims) in [
        ("kyverno-swaps-two-roles", "trust.json", "claims.json"),
        ("emr-on-eks-china-partition", "trust-after.json", "claims-other-role.json"),
    ] {
        let found = audit(report, policy, claims);
        let first = found["diagnosis"]["remedy"][0].as_str().unwrap();
        assert!(
            first.contains("is meant to have another role") && !first.contains("update-assume-role-policy"),
            "{first}"
        );
    }
}

/// STS of a region that the role's account has not enabled says that there is no provider.
#[tokio::test]
async fn region_that_is_off_is_suspected_before_the_provider() {
    let toml = "[provider]\npresent = false\n[sts]\nendpoint = \"none\"\nhost = \"sts.ap-southeast-5.amazonaws.com\"\n[proxy]\n\
                [env]\nAWS_REGION = \"ap-southeast-5\"\n";
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let program = Path::new(env!("CARGO_BIN_EXE_irsa-probe"));
    let finished = world.run(program, &["--output", "json", "--wait", "0s"]).await.unwrap();
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(report["diagnosis"]["name"], "OidcProviderMissing", "{report:#}");
    let first = report["diagnosis"]["remedy"][0].as_str().unwrap();
    assert!(
        first.contains("region ap-southeast-5 enabled") && first.contains("set AWS_REGION=eu-west-1"),
        "{first}"
    );
}
