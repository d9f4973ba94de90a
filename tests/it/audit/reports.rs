//! Public reports of people whose pods did not get their role, as the trust policies and tokens of `tests/recorded/reports`:
//! what is said of each, and what its first step is.

use std::path::Path;
use std::process::Command;

use crate::repository;
use serde_json::{Value, json};
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

/// A region in a variable does not help where a setting of an endpoint goes before it.
#[tokio::test]
async fn setting_of_an_endpoint_is_removed_before_a_region_is_set() {
    for (toml, name, step) in [
        (
            "[role]\narn = \"arn:aws-cn:iam::111122223333:role/payments-checkout\"\n",
            "PartitionMismatch",
            "If the role is right, remove AWS_ENDPOINT_URL_STS, which names an STS of partition aws, and set a region",
        ),
        (
            "[[sts.assume]]\nerror = { status = 403, code = \"RegionDisabledException\", message = \"STS is off.\" }\n",
            "RegionNotActivated",
            "Or set the STS endpoint of another region in AWS_ENDPOINT_URL_STS",
        ),
    ] {
        let world = World::start(&Scenario::parse(toml).unwrap()).await;
        let program = Path::new(env!("CARGO_BIN_EXE_irsa-probe"));
        let finished = world.run(program, &["--output", "json", "--wait", "0s"]).await.unwrap();
        let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
        assert_eq!(report["diagnosis"]["name"], name, "{report:#}");
        assert!(steps(&report).contains(step), "{}", steps(&report));
    }
}

/// IAM has no key for the issuer: the line is taken out, since the Principal says the issuer already.
#[test]
fn condition_on_the_issuer_is_removed() {
    for policy in ["trust-stringequals.json", "iss-never-equal.json"] {
        let found = audit("iss-is-no-condition-key", policy, "claims.json");
        let cause = found["diagnosis"]["cause"].as_str().unwrap();
        assert!(cause.contains("IAM has no key for the issuer"), "{cause}");
        let change = found["diagnosis"]["remedy"][1].as_str().unwrap();
        assert!(
            change.starts_with("Remove StringEquals on oidc.eks.")
                && change.contains(":iss from Statement[0]."),
            "{change}"
        );
    }
}

/// No policy trusts an issuer that clusters of other people have, too.
#[test]
fn no_policy_is_printed_for_a_private_issuer() {
    let found = audit("vcluster-token-of-inner-cluster", "trust.json", "claims.json");
    let printed = found.to_string();
    assert!(
        !printed.contains("update-assume-role-policy") && !printed.contains("create-open-id"),
        "{found:#}"
    );
    assert_eq!(found["audit"]["trust_policy"]["corrected"], Value::Null);
    let cause = found["diagnosis"]["cause"].as_str().unwrap();
    assert!(cause.contains("whose issuer is private") && !cause.contains("created anew"), "{cause}");
}

#[test]
fn session_name_is_no_subject() {
    let found = audit("session-name-variable-for-sub", "trust.json", "claims.json");
    let cause = found["diagnosis"]["cause"].as_str().unwrap();
    assert!(cause.contains("its variable is the session's name, which has no colon"), "{cause}");
}

/// The answer to an audit of a policy with this condition beside the subject, given this report of `examples/`, in
/// which the pod reached STS at this address.
fn audit_of_report(condition: &Value, report: &str, address: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(repository::path("examples").join(report)).unwrap();
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report["sts"]["connected_to"] = address.into();
    let issuer = report["token"]["issuer"].as_str().unwrap().trim_start_matches("https://");
    let mut conditions = condition.clone();
    conditions["StringEquals"][format!("{issuer}:sub")] = report["token"]["subject"].clone();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{issuer}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": conditions,
    }]});
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let output = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--output", "json", "--termination-log", "/dev/null", "--trust-policy"])
        .arg(write("trust.json", &policy))
        .arg("--report")
        .arg(write("report.json", &report))
        .env_clear()
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What STS said decides what the policy leaves open.
#[test]
fn reported_answer_decides_what_the_policy_leaves_open() {
    const REFUSED: &str = "AssumeRoleNotAuthorized.json";
    let vpc = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
    let address = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    for (condition, connected_to, cause) in [
        (
            &vpc,
            "52.94.1.1:443",
            "only StringEquals on aws:SourceVpc in Statement[0] can be why. Statement[0] allows the call if StringEquals \
             on aws:SourceVpc (\"vpc-1\") fits, and that is not known: nothing here says what the call has there. A call \
             has this key only if it goes through a VPC endpoint for STS in the pod's VPC. The pod called STS at \
             52.94.1.1, a public address, so not through a VPC endpoint.",
        ),
        (&vpc, "10.0.1.2:443", "The pod called STS at 10.0.1.2, a private address, so most likely through"),
        (
            &address,
            "10.0.1.2:443",
            "A call through a VPC endpoint does not have aws:SourceIp. The pod called STS at 10.",
        ),
    ] {
        let found = audit_of_report(condition, REFUSED, connected_to);
        assert_eq!(found["diagnosis"]["name"], "TrustConditionUnmet", "{found:#}");
        assert_eq!(found["exit_code"], 12);
        let said = found["diagnosis"]["cause"].as_str().unwrap();
        assert!(
            said.starts_with("STS refused this call at 2026-11-24T06:00:00Z, and") && said.contains(cause),
            "{said}"
        );
        let steps = steps(&found);
        assert!(steps.contains("--region eu-west-1") && !steps.contains("irsa-probe audit"), "{steps}");
    }

    let accepted = audit_of_report(&vpc, "pass.json", "10.0.1.2:443");
    assert_eq!((&accepted["exit_code"], &accepted["diagnosis"]), (&json!(0), &Value::Null), "{accepted:#}");
    let warning = &accepted["warnings"][0];
    assert_eq!(warning["name"], "TrustUndecidable", "{accepted:#}");
    assert!(
        warning["cause"].as_str().unwrap().starts_with("STS gave the role to the call of the report."),
        "{warning}"
    );

    let unmet = json!({"StringEquals": {"sts:ExternalId": "x"}});
    let contradicted = audit_of_report(&unmet, "pass.json", "10.0.1.2:443");
    assert_eq!(contradicted["diagnosis"]["name"], "TrustConditionUnmet");
    let notes = contradicted["audit"]["notes"].to_string();
    assert!(
        notes.contains("By the report STS gave the role to this token at 2026-11-24T06:00:00Z."),
        "{notes}"
    );
}

/// A date is compared with the time of the reported call, or else with now.
#[test]
fn time_of_the_call_is_the_reports_or_now() {
    let until = |time: &str| json!({"DateLessThan": {"aws:CurrentTime": time}});
    let name = |found: &Value| found["diagnosis"]["name"].as_str().map(str::to_owned);
    let ended =
        audit_of_report(&until("2026-11-24T05:59:59Z"), "AssumeRoleNotAuthorized.json", "10.0.1.2:443");
    assert_eq!(name(&ended).as_deref(), Some("TrustConditionUnmet"), "{ended:#}");
    let cause = ended["diagnosis"]["cause"].as_str().unwrap();
    assert!(
        cause.contains("the call has \"2026-11-24T06:00:00Z\"") || cause.contains("2026-11-24T06:00:00Z"),
        "{cause}"
    );
    let lasts = audit_of_report(&until("2026-11-24T06:00:01Z"), "pass.json", "10.0.1.2:443");
    assert_eq!(name(&lasts), None, "{lasts:#}");
    for (year, expected) in [("2020", Some("TrustConditionUnmet")), ("2120", None)] {
        let folder = tempfile::tempdir().unwrap();
        let issuer = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
        let policy = folder.path().join("trust.json");
        let document = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{issuer}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": until(&format!("{year}-01-01T00:00:00Z")),
        }});
        std::fs::write(&policy, document.to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
            .args(["audit", "--output", "json", "--termination-log", "/dev/null", "--trust-policy"])
            .arg(&policy)
            .args(["--issuer", issuer, "--subject", "system:serviceaccount:payments:checkout"])
            .args(["--audience", "sts.amazonaws.com", "--role-arn", "arn:aws:iam::111122223333:role/app"])
            .env_clear()
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(name(&found).as_deref(), expected, "{found:#}");
    }
}
