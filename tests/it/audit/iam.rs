//! IAM by an operator's credentials, against the testbed's: what it tells, what it refuses, and each way in
//! which it cannot be asked. The chain of credentials is run in a process of its own, for it reads the
//! variables of its process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use crate::own_process;
use iam_trust::arn;
use iam_trust::provider_arn;
use iam_trust::request::Request;
use irsa_probe::audit::iam::{IamSnapshot, ROUND_TRIPS, ask, observe};
use irsa_probe::audit::options::{AuditOptions, LookupOptions};
use irsa_probe::aws::iam::{Decision, Endpoints, Iam, IamErrorKind, permission};
use irsa_probe::aws::operator::{NoCredentials, OperatorCredentials};
use irsa_probe::aws::transport::SmithyConnector;
use irsa_probe::diagnosis::audit::{Unavailable, UnavailableReason};
use irsa_probe::host::{Clock, Pod};
use irsa_probe::net::options::NetworkOptions;
use irsa_probe::wire::MatchedPolicy;
use testbed::iam::{Refusal, Session};
use testbed::iam_api::{Account, Provider, Role, Simulation};
use testbed::sts::{Accept, Answer, Config, Fault, Step, Sts};
use testbed::{Scenario, World};
use time::OffsetDateTime;
use tokio::time::Instant;

const ACCOUNT: &str = "111122223333";
const OPERATOR: &str = "arn:aws:iam::111122223333:user/operator";
const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a b+c","Effect":"Allow"}]}"#;

/// An operator in this account. It is made once for a test, since its secrets are made up.
fn operator(account: &str) -> Session {
    Session::of_operator(&OPERATOR.replace(ACCOUNT, account), OffsetDateTime::now_utc())
}

/// A server, and the operator whom it knows.
struct Server {
    sts: Sts,
    operator: Session,
}

fn account() -> Account {
    let told = |action: &str, resource: &str, decision: &str, policy: Option<(&str, &str)>| Simulation {
        action: action.to_owned(),
        resource: resource.to_owned(),
        decision: decision.to_owned(),
        matched: policy.into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
        ..Simulation::default()
    };
    let bounded = told("s3:PutObject", "arn:aws:s3:::b/k", "implicitDeny", Some(("writes", "IAM Policy")));
    let in_organization = told("s3:DeleteObject", "arn:aws:s3:::b/k", "explicitDeny", None);
    let of_context = told("s3:GetObject", "arn:aws:s3:::b/k", "allowed", Some(("reads", "IAM Policy")));
    Account {
        id: ACCOUNT.to_owned(),
        roles: vec![Role {
            name: "checkout".to_owned(),
            path: "/team/payments/".to_owned(),
            trust_policy: TRUST.to_owned(),
            boundary: Some("arn:aws:iam::111122223333:policy/bound".to_owned()),
            last_used: Some("2026-11-20T17:14:00Z".to_owned()),
            attached: ["reads", "writes", "logs"].map(str::to_owned).into(),
            inline: vec!["secrets".to_owned()],
        }],
        providers: vec![
            Provider { url: "token.example".to_owned(), client_ids: vec![] },
            Provider {
                url: ISSUER.replace("https://", ""),
                client_ids: vec!["sts.amazonaws.com".to_owned(), "a<b>&\u{200b}".to_owned()],
            },
        ],
        simulations: vec![
            Simulation { missing: vec!["aws:SourceVpc".to_owned()], ..of_context },
            Simulation { boundary: Some(false), organization: Some(true), ..bounded },
            Simulation { boundary: Some(true), organization: Some(false), ..in_organization },
            told("s3:ListBucket", "arn:aws:s3:::b/k", "explicitDeny", Some(("no-lists", "IAM Policy"))),
        ],
        ..Account::default()
    }
}

/// A server with this account, and with these answers in place of its own.
async fn serve(account: Account, told: BTreeMap<String, Vec<Step>>) -> Server {
    serve_as(Config { account, told, ..Config::default() }).await
}

async fn serve_as(mut config: Config) -> Server {
    let operator = operator(&config.account.id);
    config.iam.admit(operator.clone());
    Server { sts: Sts::start(config).await.unwrap(), operator }
}

fn told(call: &str, answers: Vec<Answer>) -> BTreeMap<String, Vec<Step>> {
    [(call.to_owned(), answers.into_iter().map(Step::from).collect())].into()
}

fn request() -> Request {
    Request::new(&arn::parse("arn:aws:iam::111122223333:role/checkout").unwrap(), ISSUER, "", &[])
}

fn asked(actions: &[&str]) -> AuditOptions {
    let lookup = LookupOptions {
        action: actions.iter().map(|action| (*action).to_owned()).collect(),
        resource: vec!["arn:aws:s3:::b/k".to_owned()],
        ..LookupOptions::default()
    };
    AuditOptions { lookup, ..AuditOptions::default() }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What is told at this URL, to this caller.
async fn ask_at(url: &str, pod: &Pod, caller: &Session, asked: &AuditOptions, until: Instant) -> IamSnapshot {
    let endpoints = Endpoints {
        iam_region: "us-east-1".to_owned(),
        iam_url: Some(url.to_owned()),
        sts_region: "eu-west-1".to_owned(),
        sts_url: Some(url.to_owned()),
        ..Endpoints::default()
    };
    let Session { access_key_id, secret_access_key, session_token, .. } = caller;
    let operator = OperatorCredentials::from_keys(access_key_id, secret_access_key, Some(session_token));
    let dialer = SmithyConnector::new(pod, asked.network.clone(), until);
    ask(&Iam::new(pod, &dialer, &endpoints, &operator, until), &request(), &asked.lookup).await
}

fn pod(variables: &[(&str, &str)]) -> Pod {
    Pod::recorded(variables.iter().copied(), Clock::System)
}

async fn ask_of(server: &Server, actions: &[&str]) -> IamSnapshot {
    let url = format!("http://{}", server.sts.address());
    ask_at(&url, &pod(&[]), &server.operator, &asked(actions), far()).await
}

/// Every reason for which something is not known, with its permission.
fn unknown(side: &IamSnapshot) -> Vec<(&'static str, IamErrorKind)> {
    let error = |unavailable: Unavailable| match unavailable.reason {
        UnavailableReason::Iam(error) => Some((error.permission, error.kind)),
        UnavailableReason::NotGiven(_) => None,
    };
    side.unavailable().into_iter().filter_map(error).collect()
}

#[tokio::test]
async fn a_whole_account_is_read() {
    let server = serve(account(), BTreeMap::new()).await;
    let side = ask_of(&server, &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]).await;
    assert_eq!(side.caller.unwrap().arn, OPERATOR);
    let role = side.role.unwrap().unwrap();
    assert_eq!(role.arn.as_deref(), Some("arn:aws:iam::111122223333:role/team/payments/checkout"));
    assert_eq!(testbed::form::decode(&role.trust_policy), TRUST);
    assert_eq!(role.max_session, Some(Duration::from_secs(3600)));
    assert_eq!(role.boundary_arn.as_deref(), Some("arn:aws:iam::111122223333:policy/bound"));
    let since = role.last_used.unwrap().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_795_194_840);

    let provider = side.provider.unwrap().unwrap();
    assert_eq!(provider.client_ids, ["sts.amazonaws.com", "a<b>&\u{200b}"]);
    assert_eq!(side.providers.unwrap()[0], "arn:aws:iam::111122223333:oidc-provider/token.example");
    let attached = side.attached.unwrap();
    assert!(attached.is_complete);
    assert_eq!(attached.entries, ["reads", "writes", "logs"]);
    assert_eq!(side.inline.unwrap().entries, ["secrets"]);

    let simulated = side.simulation.unwrap().unwrap().entries;
    let of = |action: &str| simulated.iter().find(|simulated| simulated.action == action).unwrap();
    assert_eq!(of("s3:GetObject").decision, Decision::Allowed);
    assert_eq!(of("s3:GetObject").missing_context, ["aws:SourceVpc"]);
    assert_eq!(of("s3:PutObject").decision, Decision::ImplicitDeny);
    assert_eq!(
        (of("s3:PutObject").boundary_allows, of("s3:PutObject").organization_allows),
        (Some(false), Some(true))
    );
    assert_eq!(of("s3:DeleteObject").decision, Decision::ExplicitDeny);
    assert_eq!(of("s3:DeleteObject").organization_allows, Some(false));
    let denies = MatchedPolicy { policy: "no-lists".to_owned(), kind: Some("IAM Policy".to_owned()) };
    assert_eq!(of("s3:ListBucket").matched, [denies]);
    assert_eq!(simulated.len(), 4);

    let requests = server.sts.requests();
    let simulation = requests.iter().find(|request| request.action == "SimulatePrincipalPolicy").unwrap();
    assert_eq!(simulation.field("PolicySourceArn"), role.arn.as_deref(), "with the role's path");
    assert_eq!(requests.len(), 7);
    assert!(server.sts.connections() <= 6, "the simulation reuses a connection");
}

#[tokio::test]
async fn a_denied_call_leaves_the_rest_known() {
    for permission in permission::ALL {
        let Some(call) = permission.strip_prefix("iam:") else { continue };
        let server = serve(Account { denied: vec![call.to_owned()], ..account() }, BTreeMap::new()).await;
        let side = ask_of(&server, &["s3:GetObject"]).await;
        let found = unknown(&side);
        match &found[..] {
            // The simulator does not find the role without its path.
            [(permission::GET_ROLE, IamErrorKind::Denied(_)), (_, IamErrorKind::NoRole)] => {}
            [(only, IamErrorKind::Denied(message))] if *only == permission => {
                assert!(message.contains("no identity-based policy allows"), "{message}");
            }
            _ => panic!("{call}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn missing_roles_and_providers_are_told_apart() {
    let server = serve(Account { id: ACCOUNT.to_owned(), ..Account::default() }, BTreeMap::new()).await;
    let side = ask_of(&server, &["s3:GetObject"]).await;
    assert_eq!(side.role.as_ref().unwrap(), &None);
    assert_eq!(side.provider.as_ref().unwrap(), &None);
    assert_eq!(side.providers.as_ref().unwrap().len(), 0);
    assert!(matches!(
        unknown(&side)[..],
        [
            (permission::LIST_ATTACHED_POLICIES, IamErrorKind::NoRole),
            (permission::LIST_INLINE_POLICIES, IamErrorKind::NoRole),
            (permission::SIMULATE, IamErrorKind::NoRole)
        ]
    ));
    assert!(server.sts.requests().iter().all(|request| request.action != "SimulatePrincipalPolicy"));
}

#[tokio::test]
async fn same_role_name_in_another_account_does_not_count() {
    let mut elsewhere = account();
    elsewhere.id = "444455556666".to_owned();
    let server = serve(elsewhere, BTreeMap::new()).await;
    let side = ask_of(&server, &["s3:GetObject"]).await;
    assert_eq!(side.caller.as_ref().unwrap().account, "444455556666");
    let found = unknown(&side);
    assert_eq!(found.len(), 6);
    assert!(
        found
            .iter()
            .all(|(_, why)| matches!(why, IamErrorKind::OtherAccount(account) if account == "444455556666"))
    );
}

#[tokio::test]
async fn pagination_is_followed_and_bounded() {
    let server = serve(Account { page: 1, ..account() }, BTreeMap::new()).await;
    let side = ask_of(&server, &["s3:GetObject", "s3:PutObject"]).await;
    let attached = side.attached.unwrap();
    assert_eq!((attached.entries.len(), attached.is_complete), (3, true));
    let simulated = side.simulation.unwrap().unwrap();
    assert_eq!((simulated.entries.len(), simulated.is_complete), (2, true));

    let many = (0..50).map(|number| format!("policy-{number}")).collect::<Vec<_>>();
    server.sts.edit_account(|account| account.roles[0].inline.clone_from(&many));
    let before = server.sts.requests().len();
    let actions = many.iter().map(|name| format!("s3:{name}")).collect::<Vec<_>>();
    let actions = actions.iter().map(String::as_str).collect::<Vec<_>>();
    let side = ask_of(&server, &actions).await;
    let inline = side.inline.unwrap();
    assert_eq!((inline.entries.len(), inline.is_complete), (usize::from(ROUND_TRIPS), false));
    assert!(!side.simulation.unwrap().unwrap().is_complete);
    let of =
        |call: &str| server.sts.requests()[before..].iter().filter(|request| request.action == call).count();
    let in_a_row = (of("ListRolePolicies"), of("GetRole") + of("SimulatePrincipalPolicy"));
    assert_eq!(in_a_row, (usize::from(ROUND_TRIPS), usize::from(ROUND_TRIPS)));
}

#[tokio::test]
async fn throttling_is_retried_once() {
    let throttling = || Answer::Error(Refusal::new(400, "Throttling", "Rate exceeded"));
    let server = serve(account(), told("GetRole", vec![throttling(), Answer::Verify])).await;
    let side = ask_of(&server, &[]).await;
    assert!(side.role.unwrap().is_some());
    assert!(side.simulation.is_none());

    let server = serve(account(), told("GetRole", vec![throttling()])).await;
    let side = ask_of(&server, &[]).await;
    assert!(matches!(unknown(&side)[..], [(permission::GET_ROLE, IamErrorKind::Throttled)]), "{side:?}");
    assert_eq!(server.sts.requests().iter().filter(|request| request.action == "GetRole").count(), 2);
}

#[tokio::test]
async fn other_iam_errors_are_reported() {
    let reply = |status: u16, body: &str| Answer::Reply { status, headers: vec![], body: body.into() };
    let missing = "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult/>\
                   </GetRoleResponse>";
    for (answer, expected) in [
        (Answer::Error(Refusal::new(400, "ValidationError", "m")), "Refused ValidationError"),
        (Answer::Error(Refusal::new(500, "ServiceFailure", "m")), "Refused ServiceFailure"),
        (Answer::Error(Refusal::new(403, "ExpiredToken", "m")), "Rejected ExpiredToken"),
        (reply(503, "no"), "Refused HTTP 503"),
        (reply(404, "not found"), "NotAws 404"),
        (reply(200, missing), "NotAws 200"),
        (Answer::Fault(Fault::Html), "NotAws 200"),
        (Answer::Fault(Fault::Huge), "NotAws 200"),
        (Answer::Fault(Fault::Reset), "Lost"),
        (Answer::Fault(Fault::Close), "Lost"),
        (Answer::Fault(Fault::Half), "Lost"),
    ] {
        let server = serve(account(), told("GetRole", vec![answer])).await;
        let side = ask_of(&server, &[]).await;
        let found = match &unknown(&side)[..] {
            [(_, IamErrorKind::Refused { code, .. })] => format!("Refused {code}"),
            [(_, IamErrorKind::CredentialsRejected { code, .. })] => format!("Rejected {code}"),
            [(_, IamErrorKind::NotAws(status))] => format!("NotAws {status}"),
            [(_, IamErrorKind::ConnectionLost(_))] => "Lost".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn echoed_session_token_is_not_shown() {
    let server = serve(account(), BTreeMap::new()).await;
    let token = &server.operator.session_token;
    server.sts.edit_account(|account| {
        account.providers.push(Provider { url: token.clone(), client_ids: vec![] });
        account.roles[0].inline.push(format!("before {token} after"));
    });
    let side = ask_of(&server, &[]).await;
    assert_eq!(side.inline.as_ref().unwrap().entries[1], "before [not shown] after");
    assert!(!format!("{side:?}").contains(token));
}

#[tokio::test]
async fn rejected_credentials_are_reported() {
    let server = serve(account(), BTreeMap::new()).await;
    let (url, asked) = (format!("http://{}", server.sts.address()), asked(&[]));
    let other = Session { secret_access_key: operator(ACCOUNT).secret_access_key, ..server.operator };
    let side = ask_at(&url, &pod(&[]), &other, &asked, far()).await;
    let found = unknown(&side);
    assert_eq!(found.len(), 6);
    for (_, why) in found {
        assert!(
            matches!(why, IamErrorKind::CredentialsRejected { code, .. } if code == "SignatureDoesNotMatch")
        );
    }
}

#[tokio::test]
async fn unreachable_iam_is_reported() {
    let refused = serve_as(Config { accept: Accept::Refused, ..Config::default() }).await;
    let side = ask_of(&refused, &[]).await;
    let found = unknown(&side);
    assert_eq!(found.len(), 6);
    for (_, why) in found {
        assert_eq!(why.to_string(), "127.0.0.1 cannot be reached: the connection is refused");
    }

    let hanging = serve_as(Config { accept: Accept::Hang, ..Config::default() }).await;
    let (url, asked) = (format!("http://{}", hanging.sts.address()), asked(&[]));
    let soon = Instant::now() + Duration::from_millis(200);
    let side = ask_at(&url, &pod(&[]), &hanging.operator, &asked, soon).await;
    assert!(unknown(&side).iter().all(|(_, why)| matches!(why, IamErrorKind::TimedOut)), "{side:?}");
}

#[tokio::test]
async fn iam_is_reached_through_proxy_and_ca_bundle() {
    let world =
        World::start(&Scenario::parse("[sts]\nhost = \"iam.amazonaws.com\"\n[proxy]\n").unwrap()).await;
    let operator = operator(ACCOUNT);
    world.sts().edit(|iam| iam.admit(operator.clone()));
    world.sts().edit_account(|told| *told = account());
    let url = format!("https://iam.amazonaws.com:{}", world.sts().address().port());
    let proxy = format!("http://{}", world.proxy().unwrap().address());
    let bundle = world.dir().join("ca.pem").to_string_lossy().into_owned();
    let network = NetworkOptions { dns_server: Some(world.dns().address()), ..NetworkOptions::default() };
    let asked = AuditOptions { network, ..asked(&["s3:GetObject"]) };

    let trusting = pod(&[("AWS_CA_BUNDLE", &bundle), ("HTTPS_PROXY", &proxy)]);
    let side = ask_at(&url, &trusting, &operator, &asked, far()).await;
    assert!(side.role.as_ref().unwrap().is_some(), "{side:?}");
    assert!(unknown(&side).is_empty(), "{side:?}");
    let through = world.proxy().unwrap().connects().len();
    assert!(through > 0 && world.sts().handshakes() > 0);

    let side = ask_at(&url, &pod(&[("AWS_CA_BUNDLE", &bundle)]), &operator, &asked, far()).await;
    assert!(unknown(&side).is_empty(), "{side:?}");
    assert_eq!(world.proxy().unwrap().connects().len(), through);

    let distrusting = ask_at(&url, &pod(&[]), &operator, &asked, far()).await;
    let found = unknown(&distrusting);
    assert_eq!(found[0].1.to_string(), "no CA certificates were found to trust iam.amazonaws.com by");
}

#[test]
fn provider_matches_issuer() {
    for (role, expected) in [
        ("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:oidc-provider/x.example/id/A"),
        ("arn:aws-cn:iam::111122223333:role/a", "arn:aws-cn:iam::111122223333:oidc-provider/x.example/id/A"),
    ] {
        assert_eq!(provider_arn(&arn::parse(role).unwrap(), "https://x.example/id/A"), expected);
    }
}

/// Not a test: what an audit sees in the process as which a test runs it.
#[tokio::test]
#[ignore = "the tests of the chain run it in a process of its own"]
async fn of_this_process() {
    let pod = Pod::of_this_process();
    let dns_server = pod.nonempty_variable("IRSA_PROBE_DNS_SERVER").map(|server| server.parse().unwrap());
    let profile = pod.nonempty_variable("WANTED_PROFILE");
    let network = NetworkOptions { dns_server, ..NetworkOptions::default() };
    let mut asked = AuditOptions { network, ..asked(&["s3:GetObject"]) };
    asked.lookup.profile = profile;
    let within = pod.nonempty_variable("WITHIN").map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let until = within.map_or_else(far, |within| Instant::now() + within);
    let side = observe(&pod, &asked, &request(), until).await;
    let said = match &unknown(&side)[..] {
        [] => side.caller.unwrap().arn,
        [(_, IamErrorKind::NoCredentials(NoCredentials::NotFound)), rest @ ..] => {
            format!("none, {}", rest.len())
        }
        [(_, why), rest @ ..] => format!("{}, {why}", rest.len()),
    };
    println!("\nFOUND {said}");
}

/// What [`of_this_process`] says with these variables, and no others.
fn observed<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let output =
        own_process::of(module_path!(), "of_this_process").env_clear().envs(variables).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("FOUND ")).unwrap_or(&text).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_can_come_from_the_pods_role() {
    let world = World::start(&Scenario::parse("").unwrap()).await;
    world.sts().edit_account(|told| *told = account());
    let url = format!("https://iam.amazonaws.com:{}", world.sts().address().port());
    let variables = world.env().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let said = observed(variables.chain([("AWS_ENDPOINT_URL_IAM", url.as_str())]));
    assert!(said.starts_with("arn:aws:sts::111122223333:assumed-role/payments-checkout/"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_the_sdk_chain() {
    let server = serve(account(), BTreeMap::new()).await;
    let url = format!("http://{}", server.sts.address());
    let Session { access_key_id: id, secret_access_key: secret, session_token: token, .. } = &server.operator;
    let home = tempfile::tempdir().unwrap();
    let printed = format!(
        r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","SessionToken":"{token}"}}"#
    );
    let keys = format!("aws_access_key_id={id}\naws_secret_access_key={secret}\naws_session_token={token}\n");
    std::fs::write(home.path().join("printed"), printed).unwrap();
    let config = format!(
        "[profile keys]\n{keys}\n[profile process]\ncredential_process = cat {}\n\
         [profile broken]\ncredential_process = sh -c 'echo HUSH >&2; exit 3'\n\
         [profile sso]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n\
         sso_account_id = {ACCOUNT}\nsso_role_name = reader\n\
         [profile login]\nlogin_session = {OPERATOR}\n",
        home.path().join("printed").display()
    );
    let file = home.path().join("config");
    std::fs::write(&file, config).unwrap();

    let file = file.to_string_lossy().into_owned();
    let usual = [
        ("AWS_CONFIG_FILE", file.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_REGION", "eu-west-1"),
        ("HOME", "/nowhere"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let run = |variables: &[(&str, &str)]| {
        let said = observed(usual.iter().chain(variables).copied());
        assert!(!said.contains(secret), "{said}");
        said
    };
    let of_variables = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret)];
    let with_token = [of_variables[0], of_variables[1], ("AWS_SESSION_TOKEN", token)];
    assert_eq!(run(&[]), "none, 6");
    let no_machine = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    assert_eq!(run(&[no_machine, ("AWS_EC2_METADATA_DISABLED", "false")]), "none, 6");
    assert_eq!(run(&with_token), OPERATOR);
    assert_eq!(run(&[("AWS_PROFILE", "keys")]), OPERATOR);
    assert_eq!(run(&[("AWS_PROFILE", "process")]), OPERATOR);
    let wrong = [of_variables[0], of_variables[1], ("WANTED_PROFILE", "keys")];
    assert_eq!(run(&wrong), OPERATOR, "a profile that is asked for goes before the variables");
    for login in ["sso", "login"] {
        let said = run(&[("WANTED_PROFILE", login)]);
        assert!(said.contains("aws configure export-credentials"), "{login}: {said}");
        assert_eq!(run(&[("AWS_PROFILE", login)]), said);
    }
    let said = run(&[("WANTED_PROFILE", "broken")]);
    assert!(said.contains("credential_process failed") && !said.contains("HUSH"), "{said}");
    for asked in ["WANTED_PROFILE", "AWS_PROFILE"] {
        let said = run(&[(asked, "absent")]);
        assert!(said.contains("has a profile absent"), "{said}");
    }
    let said = run(&[("AWS_ENDPOINT_URL", "http://user:HUSH@127.0.0.1:9"), with_token[0], with_token[1]]);
    assert!(said.contains("127.0.0.1:9") && !said.contains("HUSH"), "{said}");

    let bad = home.path().join("bad");
    std::fs::write(&bad, "[profile x\naws_secret_access_key = HUSH\n").unwrap();
    let said = run(&[("AWS_CONFIG_FILE", &bad.to_string_lossy())]);
    assert!(said.contains("format of AWS's shared files") && !said.contains("HUSH"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_file_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    make_pipe(&pipe);
    let pipe = pipe.to_string_lossy().into_owned();
    let usual = [("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nowhere"), ("WITHIN", "1")];
    let sparse = home.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let sparse = sparse.to_string_lossy().into_owned();
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/");
    for (variables, expected) in [
        (vec![("AWS_CONFIG_FILE", pipe.as_str())], "cannot be used"),
        (vec![("AWS_SHARED_CREDENTIALS_FILE", &pipe)], "cannot be used"),
        (
            vec![("AWS_ROLE_ARN", OPERATOR), ("AWS_WEB_IDENTITY_TOKEN_FILE", &pipe)],
            "cannot be used: it is a named pipe",
        ),
        (
            vec![("AWS_ROLE_ARN", OPERATOR), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/zero")],
            "/dev/zero cannot be used: it is a device",
        ),
        (
            vec![("AWS_ROLE_ARN", OPERATOR), ("AWS_WEB_IDENTITY_TOKEN_FILE", &sparse)],
            "cannot be used: it has more than 65536 bytes",
        ),
        (vec![container, ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/dev/zero")], "it is a device"),
        (
            vec![container, ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &sparse)],
            "it has more than 65536 bytes",
        ),
    ] {
        let said = observed(usual.iter().chain(&variables).copied());
        assert!(said.contains(expected), "{variables:?}: {said}");
    }
}

fn make_pipe(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The AWS SDK panics over such a key, wherever it comes from.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_no_request_can_carry_are_named() {
    let home = tempfile::tempdir().unwrap();
    let json =
        |id: &str| format!(r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"x","Token":"t"}}"#);
    let printed = home.path().join("printed");
    std::fs::write(&printed, json("AK\\n")).unwrap();
    let config = format!(
        "[profile process]\ncredential_process = cat {}\n\
         [profile role]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/a\nsource_profile = process\n\
         [profile keys]\naws_access_key_id = A\u{1}K\naws_secret_access_key = x\n\
         [profile environment]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/a\ncredential_source = Environment\n",
        printed.display()
    );
    let file = home.path().join("config");
    std::fs::write(&file, config).unwrap();
    let endpoint = Answers::start(json("A\\u007fK"));
    let answers = Answers::start(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AK&#10;</AccessKeyId>\
         <SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2096-11-24T05:37:25Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            .to_owned(),
    );
    let token = home.path().join("token");
    std::fs::write(&token, "a.b.c").unwrap();
    let (file, token) = (file.to_string_lossy().into_owned(), token.to_string_lossy().into_owned());
    let usual = [
        ("AWS_CONFIG_FILE", file.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", &answers.url),
        ("HOME", "/nowhere"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let secret = ("AWS_SECRET_ACCESS_KEY", "x");
    for (variables, expected) in [
        (vec![("AWS_ACCESS_KEY_ID", "AK\n"), secret], "AWS_ACCESS_KEY_ID ends with a line break"),
        (vec![("AWS_ACCESS_KEY_ID", "AK\r\n"), secret], "AWS_ACCESS_KEY_ID ends with a line break"),
        (vec![("AWS_ACCESS_KEY_ID", "A\u{1}K"), secret], "AWS_ACCESS_KEY_ID contains a control character"),
        (
            vec![("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "x\n")],
            "AWS_SECRET_ACCESS_KEY ends with a line break",
        ),
        (
            vec![("AWS_ACCESS_KEY_ID", "AK"), secret, ("AWS_SESSION_TOKEN", "a b")],
            "AWS_SESSION_TOKEN contains a space or a character that is not ASCII",
        ),
        (
            vec![("AWS_PROFILE", "environment"), ("AWS_ACCESS_KEY_ID", "AK\n")],
            "the profile's source has none",
        ),
        (vec![("AWS_PROFILE", "process")], "a key of the credential_process ends with a line break"),
        (vec![("AWS_PROFILE", "role")], "a key of the credential_process ends with a line break"),
        (vec![("AWS_PROFILE", "keys")], "a key of the profile contains a control character"),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.url)],
            "a key of the container's endpoint contains a control character",
        ),
        (
            vec![("AWS_ROLE_ARN", OPERATOR), ("AWS_WEB_IDENTITY_TOKEN_FILE", &token)],
            "a key of STS's answer ends with a line break",
        ),
    ] {
        let said = observed(usual.iter().chain(&variables).copied());
        assert_eq!(
            said,
            format!(
                "6, {}{expected}",
                if expected.contains("source") { "the AWS credentials cannot be had: " } else { "" }
            ),
            "{variables:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_a_container_endpoint_is_not_looked_up_without_tls() {
    let url = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://name.example/");
    let said = observed([url, ("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nowhere")].into_iter());
    assert!(said.ends_with("it is not on this machine, and has no TLS"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_a_chain_of_profiles_are_assumed_in_order() {
    let server = serve(account(), BTreeMap::new()).await;
    let url = format!("http://{}", server.sts.address());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let config = "[profile circle]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = other\n\
        [profile other]\nrole_arn = arn:aws:iam::111122223333:role/b\nsource_profile = circle\n\
        [profile missing]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = absent\n\
        [profile half]\nrole_arn = arn:aws:iam::111122223333:role/a\n\
        [profile unknown]\nrole_arn = arn:aws:iam::111122223333:role/a\ncredential_source = Cloud\n\
        [profile plain]\nregion = eu-west-1\n";
    std::fs::write(&file, config).unwrap();
    let file = file.to_string_lossy().into_owned();
    for (profile, expected) in [
        ("circle", "the profiles name each other as their source"),
        ("missing", "has a profile absent"),
        ("half", "needs either source_profile or credential_source"),
        ("unknown", "credential_source is not known"),
        ("plain", "the profile has none"),
    ] {
        let usual = [("AWS_CONFIG_FILE", file.as_str()), ("AWS_ENDPOINT_URL", &url), ("HOME", "/nowhere")];
        let said = observed(usual.into_iter().chain([("WANTED_PROFILE", profile)]));
        assert!(said.contains(expected), "{profile}: {said}");
    }
}

/// A server that answers everything with one text.
struct Answers {
    url: String,
}

impl Answers {
    fn start(text: String) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, text) = (stream.unwrap(), text.clone());
                std::thread::spawn(move || {
                    let _ = stream.read(&mut [0; 16 << 10]);
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        text.len()
                    );
                    let _ = stream.write_all(format!("{head}{text}").as_bytes());
                    let _ = stream.read(&mut [0; 16 << 10]);
                });
            }
        });
        Self { url }
    }
}
