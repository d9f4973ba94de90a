//! Every key of a scenario is read, and nothing else is.

use testbed::Scenario;
use testbed::kubernetes::Right;
use testbed::scenario::{
    Endpoint, Key, KubernetesMode, ProxyMode, PublishedKeys, ServiceAccount, SimulatedDecision, Span, Tls,
};
use testbed::sts::{Accept, Answer, Fault};
use testbed::token::Kind;
use testbed::volume::Layout;

const EVERYTHING: &str = r#"
args = ["--wait", "2s", "${dir}/${pid}"]
command = "watch"
unset = ["AWS_REGION"]
warns = true
signal_after_ms = 300
[env]
AWS_PROFILE = "${issuer}"
[files]
"aws/config" = "${token}${token_file}${api_token}${ca}${sts_port}${sts_url}${proxy_url}${role_arn}"
[token]
kind = "tokenrequest"
content = "${token}\n"
claims = { aud = ["sts.amazon.com"], n = 1 }
remove = ["sub"]
header = { alg = "HS256" }
issued_ago = "-10m"
lifetime = "2d"
key = "other"
[file]
kind = "missing-dir"
mode = "0640"
[api_token]
present = false
claims = { sub = "x" }
mounted_ago = "3d"
[sts]
tls = "not-yet-valid"
accept = "black-hole"
host = "sts.cn-north-1.amazonaws.com.cn"
endpoint = "none"
clock_ahead = "-1h"
round_trip = "20ms"
assume = [
  { verify = true },
  { error = { status = 403, code = "AccessDenied", message = "no" }, delay_ms = 5 },
  { reply = { status = 200, body = "<p>", content_type = "text/html", headers = { Location = "x" } } },
  { fault = "half" },
]
identity = [{ fault = "huge" }]
[provider]
present = false
client_ids = ["a"]
[role]
arn = "arn:aws:iam::111122223333:role/x"
present = false
subjects = ["b"]
audiences = ["c"]
[iam]
account = "444455556666"
roles = [{ name = "z", path = "/a/", trust_policy = "${provider}", boundary = "b", last_used = "2026-11-20T17:14:00Z", attached = [], inline = ["i"] }]
providers = [{ url = "x.example", client_ids = [] }]
simulations = [{ action = "s3:GetObject", resource = "r", decision = "implicitDeny", matched = [["p", "IAM Policy"]], missing = ["k"], boundary = false, organization = true }]
denied = ["GetRole"]
page = 2
answers = { ListRolePolicies = [{ fault = "hang" }] }
[issuer]
tls = "other-ca"
accept = "reset"
host = "oidc.example"
path = "/x"
document = { issuer = "y" }
keys = "none"
discovery = [{ fault = "html" }]
jwks = [{ fault = "huge" }]
[dns]
mode = "servfail"
delay = "5s"
[proxy]
mode = "auth"
credentials = "user:pass"
host = "proxy.corp.example"
[kubernetes]
mode = "unauthorized"
deny = ["serviceaccounts", "pods/status", "events"]
service_account = "bare"
role_arn = "arn:aws:iam::111122223333:role/y"
annotated_ago = "1h"
created_ago = "2h"
[application]
readable = false
env = { A = "${token_file}" }
"#;

#[test]
fn every_key_is_read() {
    let read = Scenario::parse(EVERYTHING).unwrap();
    assert_eq!((read.command.as_str(), read.args.len(), read.unset.len()), ("watch", 3, 1));
    assert_eq!((read.warns, read.signal_after_ms), (true, Some(300)));
    assert_eq!((read.env.len(), read.files.len()), (1, 1));
    assert_eq!((read.token.kind, read.token.key), (Kind::TokenRequest, Key::Other));
    assert_eq!(read.token.content.as_deref(), Some("${token}\n"));
    assert_eq!((read.token.claims.len(), &read.token.claims["n"]), (2, &1.into()));
    assert_eq!((read.token.remove.len(), &read.token.header["alg"]), (1, &"HS256".into()));
    assert_eq!(read.token.issued_ago.unwrap().0.whole_seconds(), -600);
    assert_eq!(read.token.lifetime.unwrap().0.whole_days(), 2);
    assert_eq!((read.file.kind, read.file.mode.unwrap().0), (Layout::MissingDir, 0o640));
    assert_eq!((read.api_token.present, read.api_token.claims.len()), (false, 1));
    assert_eq!(read.api_token.mounted_ago.unwrap().0.whole_days(), 3);
    assert_eq!((read.sts.tls, read.sts.accept), (Tls::NotYetValid, Accept::BlackHole));
    assert_eq!(
        (read.sts.host.as_str(), read.sts.endpoint),
        ("sts.cn-north-1.amazonaws.com.cn", Endpoint::None)
    );
    assert_eq!((read.sts.clock_ahead.0.whole_hours(), read.sts.round_trip.delay().as_millis()), (-1, 20));
    assert_eq!(read.sts.assume[0].0, Answer::Verify.into());
    assert_eq!(read.sts.assume[1].0.delay.as_millis(), 5);
    let Answer::Reply { status: 200, headers, body } = &read.sts.assume[2].0.answer else { panic!() };
    assert_eq!((headers.len(), body.as_slice()), (2, &b"<p>"[..]));
    assert_eq!(read.sts.assume[3].0.answer, Answer::Fault(Fault::Half));
    assert_eq!(read.sts.identity[0].0.answer, Answer::Fault(Fault::Huge));
    assert_eq!((read.provider.present, read.provider.client_ids.len()), (false, 1));
    assert_eq!(
        (read.role.present, &read.role.subjects[0], &read.role.audiences[0]),
        (false, &"b".into(), &"c".into())
    );
    let iam = read.iam.unwrap();
    let role = &iam.roles.unwrap()[0];
    assert_eq!((role.name.as_deref(), role.path.as_deref()), (Some("z"), Some("/a/")));
    assert_eq!((role.trust_policy.as_deref(), role.boundary.as_deref()), (Some("${provider}"), Some("b")));
    assert_eq!((role.last_used.is_some(), role.attached.len(), role.inline.len()), (true, 0, 1));
    let provider = &iam.providers.unwrap()[0];
    assert_eq!((provider.url.as_str(), provider.client_ids.len()), ("x.example", 0));
    let simulation = &iam.simulations[0];
    assert_eq!((simulation.action.as_str(), simulation.resource.as_str()), ("s3:GetObject", "r"));
    assert_eq!(simulation.decision, SimulatedDecision::ImplicitDeny);
    assert_eq!((simulation.matched.len(), simulation.missing.len()), (1, 1));
    assert_eq!((simulation.boundary, simulation.organization), (Some(false), Some(true)));
    assert_eq!((iam.account.as_str(), &iam.denied[0], iam.page), ("444455556666", &"GetRole".into(), 2));
    assert_eq!(iam.answers["ListRolePolicies"][0].0.answer, Answer::Fault(Fault::Hang));
    let issuer = read.issuer.unwrap();
    assert_eq!((issuer.tls, issuer.accept, issuer.keys), (Tls::OtherCa, Accept::Reset, PublishedKeys::None));
    assert_eq!((issuer.host.as_str(), issuer.path.as_str()), ("oidc.example", "/x"));
    assert_eq!(issuer.document["issuer"], "y");
    assert_eq!(issuer.discovery[0].0.answer, Answer::Fault(Fault::Html));
    assert_eq!(issuer.jwks[0].0.answer, Answer::Fault(Fault::Huge));
    assert_eq!((read.dns.mode, read.dns.delay.delay().as_secs()), (testbed::dns::Mode::Servfail, 5));
    let proxy = read.proxy.unwrap();
    assert_eq!((proxy.mode, proxy.credentials.as_deref()), (ProxyMode::Auth, Some("user:pass")));
    assert_eq!(proxy.host.as_deref(), Some("proxy.corp.example"));
    let application = read.application.unwrap();
    assert_eq!((application.readable, application.env["A"].as_str()), (false, "${token_file}"));
    let kubernetes = read.kubernetes.unwrap();
    assert_eq!(kubernetes.mode, KubernetesMode::Unauthorized);
    assert_eq!(kubernetes.deny, [Right::ServiceAccounts, Right::PodsStatus, Right::Events]);
    assert_eq!(kubernetes.service_account, ServiceAccount::Bare);
    assert_eq!(kubernetes.role_arn.as_deref(), Some("arn:aws:iam::111122223333:role/y"));
    let hours = |span: Option<Span>| span.unwrap().0.whole_hours();
    assert_eq!((hours(kubernetes.annotated_ago), hours(kubernetes.created_ago)), (1, 2));
}

#[test]
fn every_value_of_the_format_is_known() {
    for (key, values) in [
        ("token.kind", "projected api legacy-secret pod-identity tokenrequest"),
        ("file.kind", "kubelet missing missing-dir empty directory fifo device huge binary dangling loop"),
        ("sts.tls", "valid other-ca wrong-name expired not-yet-valid plain"),
        ("sts.accept", "serve refused black-hole hang reset plain-http garbage"),
        ("issuer.keys", "own other none"),
        ("dns.mode", "normal nxdomain servfail refused silent empty garbage"),
        ("proxy.mode", "normal auth refuse hang garbage close refused"),
        ("kubernetes.mode", "serve hang refused unauthorized"),
        ("kubernetes.service_account", "annotated bare missing"),
    ] {
        for value in values.split(' ') {
            Scenario::parse(&format!("{key} = \"{value}\"")).unwrap();
        }
        Scenario::parse(&format!("{key} = \"unheard-of\"")).unwrap_err();
    }
    for fault in ["hang", "reset", "half", "close", "html", "huge"] {
        Scenario::parse(&format!("sts.assume = [{{ fault = \"{fault}\" }}]")).unwrap();
    }
}

#[test]
fn nothing_else_is_taken() {
    for wrong in [
        "unknown = 1",
        "[token]\nunknown = 1",
        "[file]\nmode = \"rw\"",
        "[sts]\nassume = [{ verify = false }]",
        "[sts]\nassume = [{ verify = true, fault = \"hang\" }]",
        "[sts]\nassume = [{ }]",
        "[sts]\nclock_ahead = \"5 minutes\"",
        "[proxy]\nunknown = 1",
        "[iam]\nunknown = 1",
        "[issuer]\nunknown = 1",
        "[iam]\nroles = [{ trust_policy = \"${unknown}\" }]",
        "[iam]\nproviders = [{ url = \"${unknown}\" }]",
        "[iam]\nsimulations = [{ action = \"a\", decision = \"denied\" }]",
        "[kubernetes]\nunknown = 1",
        "[kubernetes]\ndeny = [\"pods\"]",
        "args = [\"${unknown}\"]",
        "args = [\"${dir\"]",
    ] {
        assert!(Scenario::parse(wrong).is_err(), "{wrong}");
    }
    let error = Scenario::parse("args = [\"${unknown}\"]").unwrap_err();
    assert_eq!(error.to_string(), "no scenario: no placeholder `${unknown}`");
}
