//! Whatever a token, an ARN, a URL, a variable or a reply holds, nothing panics, and everything
//! that is said of it is bounded.

use std::time::{Duration, SystemTime};

use hyper::Uri;
use iam_trust::{arn, partition};
use irsa_probe::audit::issuer::{IssuerDocuments, Response, SigningKey, judge};
use irsa_probe::aws::sts::Refusal;
use irsa_probe::aws::sts::{CallFault, Reply, Session, Sts};
use irsa_probe::checks::refusal::{self, StsCall};
use irsa_probe::diagnosis::sts::RoleRequest;
use irsa_probe::host::{Clock, Pod};
use irsa_probe::kubernetes::fault::{ApiFault, ApiRequest};
use irsa_probe::kubernetes::pod_status::PodState;
use irsa_probe::kubernetes::service_account::AnnotatedAccount;
use irsa_probe::net::http::HttpConnection;
use irsa_probe::net::{endpoint, proxy};
use irsa_probe::run::Verdict;
use irsa_probe::text::{Secret, sanitize, shell_quote};
use irsa_probe::token::{self, Token};
use proptest::prelude::*;
use sdk_chain::situation::{
    ChainInput, ContainerEndpoint, EndpointReply as ContainerReply, FileContent, FileLocation, TokenExchange,
    TokenFile, VARIABLES,
};
use sdk_chain::{SdkId, resolve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const PROJECTED: &str = include_str!("../../../tests/recorded/projected-token.jwt");

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

/// A JWT of arbitrary claims under the names that matter.
fn jwt() -> impl Strategy<Value = String> {
    let names =
        prop::sample::select(vec!["iss", "sub", "aud", "exp", "iat", "nbf", "kubernetes.io", "alg", "kid"]);
    let object = prop::collection::vec((names, json()), 0..9).prop_map(|fields| {
        Value::from_iter(fields.into_iter().map(|(name, value)| (name.to_owned(), value)))
    });
    let object = object.boxed();
    (object.clone(), object).prop_map(|(header, payload)| signed(header, payload))
}

/// A JWT with a signature that is none.
fn signed(header: Value, payload: Value) -> String {
    use base64::Engine;
    let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(header), part(payload))
}

/// A real answer with some bytes replaced, cut out or doubled.
fn mutated(original: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..original.len(), 0..original.len(), any::<u8>(), 0..3_u8);
    prop::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut bytes = original.as_bytes().to_vec();
        for (from, length, byte, kind) in edits {
            let from = from.min(bytes.len().saturating_sub(1));
            let to = (from + length % 40).min(bytes.len());
            match kind {
                0 => bytes[from] = byte,
                1 => drop(bytes.drain(from..to)),
                _ => {
                    let copy = bytes[from..to].to_vec();
                    bytes.extend(copy);
                }
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        bytes
    })
}

const ACCOUNT: &str = include_str!("../../../tests/recorded/api-get-sa-ok.json");
const FORBIDDEN: &str = include_str!("../../../tests/recorded/api-get-sa-forbidden.json");
const GIVEN: &str = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2026-11-24T07:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/a/b</Arn><AssumedRoleId>AROA:b</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
const REFUSED: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>0</RequestId></ErrorResponse>";

fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let mut reply = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nDate: Tue, 24 Nov 2026 05:37:25 GMT\r\n\r\n",
        body.len()
    )
    .into_bytes();
    reply.extend(body);
    reply
}

fn pod() -> Pod {
    Pod::recorded([("A", "b")], Clock::Fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_460_000)))
}

fn request() -> RoleRequest {
    RoleRequest {
        role: arn::parse("arn:aws:iam::111122223333:role/a").unwrap(),
        claims: token::decode(PROJECTED).unwrap(),
        session_name: "irsa-probe".to_owned(),
        region: Some("eu-west-1".to_owned()),
        endpoint_source: None,
    }
}

/// What the client makes of these bytes as the answer to its first request.
fn answered(bytes: Vec<u8>) -> Reply<Session> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let mut request = [0; 65_536];
            let _ = theirs.read(&mut request).await;
            let _ = theirs.write_all(&bytes).await;
            let _ = theirs.shutdown().await;
            let _ = theirs.read(&mut request).await;
        });
        let link = HttpConnection::open(Box::new(ours)).await.unwrap();
        let mut sts = Sts::new(&pod(), link, "http://sts.example".to_owned(), "eu-west-1".to_owned());
        let token = Secret::new(PROJECTED.to_owned());
        sts.assume_role(
            "arn:aws:iam::111122223333:role/a",
            &token,
            "name",
            Instant::now() + Duration::from_secs(20),
        )
        .await
    })
}

fn name(reply: &Reply<Session>) {
    if let Err(CallFault::Refused(refusal)) = &reply.result {
        said_within_bounds(refusal);
    }
}

fn said_within_bounds(refusal: &Refusal) {
    for call in [StsCall::Assume, StsCall::Identity] {
        let diagnosis = refusal::diagnose(call, &request(), refusal);
        assert!(diagnosis.cause().chars().count() < 4_000);
        assert!(diagnosis.remedy().concat().chars().count() < 20_000);
    }
}

/// A piece of a shared file: a line that means something, or any text.
fn line() -> impl Strategy<Value = String> {
    let meaning = prop::sample::select(vec![
        "[default]",
        "[profile a]",
        "[a]",
        "[[[",
        "role_arn = arn:aws:iam::111122223333:role/b",
        "source_profile = a",
        "source_profile = default",
        "source_profile =",
        "credential_source = Environment",
        "credential_source = EcsContainer",
        "credential_source = Ec2InstanceMetadata",
        "credential_source = x",
        "web_identity_token_file = /token",
        "credential_process = /bin/true",
        "aws_access_key_id = AKIASECRET",
        "aws_secret_access_key = s3cr3tvalue",
        "aws_access_key_id =",
        "sso_session = x",
        "mfa_serial = y",
        "region = eu-west-1",
        "  indented = 1",
        "  aws_access_key_id = AKIASECRET",
        "[profile default]",
        "[ profile 'a b' ] x",
        "[]",
        "\u{feff}[default]",
        "s3 =",
        "sso_region = x",
        "aws_session_token = s3cr3tvalue",
        "credential_source = s3cr3tvalue",
        "# comment",
        "=",
    ]);
    prop_oneof![9 => meaning.prop_map(str::to_owned), 1 => "\\PC{0,30}"]
}

fn shared_file() -> impl Strategy<Value = FileContent> {
    let text = prop::collection::vec(line(), 0..12).prop_map(|lines| lines.join("\n").into_bytes());
    prop_oneof![9 => text, 1 => prop::collection::vec(any::<u8>(), 0..200)].prop_map(FileContent)
}

fn trade() -> impl Strategy<Value = TokenExchange> {
    prop::sample::select(vec![
        TokenExchange::Given,
        TokenExchange::Refused("AccessDenied".to_owned()),
        TokenExchange::Unreachable("it does not answer".to_owned()),
        TokenExchange::NotTried,
    ])
}

fn container() -> impl Strategy<Value = ContainerEndpoint> {
    let reply = prop::sample::select(vec![
        ContainerReply::Given,
        ContainerReply::Status(403),
        ContainerReply::Unreachable("it does not answer".to_owned()),
        ContainerReply::NotTried,
    ]);
    (reply.clone(), reply)
        .prop_map(|(with_token, without_token)| ContainerEndpoint { with_token, without_token })
}

fn token_file() -> impl Strategy<Value = TokenFile> {
    let readable = (0..9_usize, any::<bool>())
        .prop_map(|(length, line_break)| TokenFile::Readable { length, line_break });
    prop_oneof![readable, Just(TokenFile::Unreadable("it does not exist".to_owned()))]
}

fn situation() -> impl Strategy<Value = ChainInput> {
    let value = prop_oneof![
        prop::sample::select(vec![
            "",
            " ",
            "a",
            "default",
            "true",
            "false",
            "1",
            "/token",
            "/nope",
            "http://127.0.0.1:1/x",
            "https://x/y",
            "http://169.254.170.23/v1",
            "http://[fd00:ec2::23]/v1",
            "http://192.0.2.1",
            "/x",
            "eu-west-1",
            "~/x",
            "arn:aws:iam::111122223333:role/a",
            "regional",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,20}",
    ];
    let variables = prop::collection::vec((prop::sample::select(VARIABLES.to_vec()), value), 0..14);
    let files =
        (prop::option::of(shared_file()), prop::option::of(shared_file()), prop::option::of(shared_file()));
    (variables, files, token_file(), trade(), container(), container()).prop_map(
        |(variables, (config, credentials, named), token, trade, relative, full)| {
            let mut situation = ChainInput { relative, full, ..ChainInput::default() };
            for (name, value) in variables {
                situation.set_variable(name, &value);
            }
            for (place, content) in [
                (FileLocation::UsualConfig, config),
                (FileLocation::UsualCredentials, credentials),
                (FileLocation::Variable("AWS_CONFIG_FILE"), named),
            ] {
                match content {
                    Some(content) => _ = situation.files.insert(place, content),
                    None => _ = situation.directories.insert(place),
                }
            }
            situation.tokens.insert("/token".to_owned(), token);
            for role in ["a", "b"] {
                let role = format!("arn:aws:iam::111122223333:role/{role}");
                situation.exchanges.insert((role, "/token".to_owned()), trade.clone());
            }
            situation
        },
    )
}

/// The body of an answer of an issuer: an object with the members that matter, or anything.
fn issuer_document() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec!["issuer", "jwks_uri", "keys"]);
    let values = prop_oneof![
        json(),
        Just(Value::from(ISSUER)),
        Just(Value::from("https://keys.example/set")),
        prop::collection::vec(json(), 0..40)
            .prop_map(|ids| ids.into_iter().map(|id| serde_json::json!({"kid": id})).collect()),
        prop::collection::vec(web_key(), 0..8).prop_map(Value::from),
    ];
    let object = prop::collection::vec((names, values), 0..4).prop_map(|fields| {
        Value::from_iter(fields.into_iter().map(|(name, value)| (name.to_owned(), value)))
            .to_string()
            .into_bytes()
    });
    prop_oneof![4 => object, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// A key of a set: the members that matter, with values of every length.
fn web_key() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec!["kid", "kty", "crv", "n", "e", "x", "y"]);
    let values = prop_oneof![
        json(),
        prop::sample::select(vec!["RSA", "EC", "OKP", "oct", "P-256", "AQAB"]).prop_map(Value::from),
        "[A-Za-z0-9_-]{0,1500}".prop_map(Value::from),
    ];
    prop::collection::vec((names, values), 0..7).prop_map(|members| {
        Value::from_iter(members.into_iter().map(|(name, value)| (name.to_owned(), value)))
    })
}

const ISSUER: &str = "https://issuer.example";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_situation_for_every_sdk(situation in situation()) {
        for id in SdkId::ALL {
            let answer = resolve(*id, &situation);
            prop_assert!(answer.reason.ends_with('.') && answer.reason.len() < 4_000, "{answer:?}");
            prop_assert!(!answer.reason.contains("s3cr3tvalue") && !answer.reason.contains("AKIASECRET"));
            let said = format!("{situation:?}");
            prop_assert!(!said.contains("s3cr3tvalue"));
        }
    }

    #[test]
    fn any_text_as_a_token(text in "\\PC{0,200}", dotted in "[A-Za-z0-9_=.-]{0,200}") {
        let _ = token::decode(&text);
        let _ = token::decode(&dotted);
    }

    #[test]
    fn any_claims(text in jwt()) {
        if let Ok(claims) = token::decode(&text) {
            let _ = (claims.lifetime(), claims.service_account(), partition::region_of_issuer(&claims.issuer));
        }
    }

    #[test]
    fn any_text_as_an_arn(text in "\\PC{0,80}", near in "(arn)?:?(aws|aws-cn|x)?:(iam|sts):?:[0-9]{10,13}:(role|policy)?[:/ ].{0,20}") {
        for text in [text, near] {
            if let Ok(role) = arn::parse(&text) {
                prop_assert!(text.ends_with(&role.name) && role.account.len() == 12);
            }
        }
    }

    #[test]
    fn any_text_as_an_endpoint_or_a_proxy(text in "\\PC{0,80}", near in "(http|https|socks5)?(://)?[a-z@:\\[\\]0-9./%]{0,40}") {
        for text in [text, near] {
            let _ = endpoint::Endpoint::parse(&text);
            let pod = Pod::recorded([("HTTPS_PROXY", text.clone()), ("NO_PROXY", text)], Clock::System);
            let _ = proxy::for_endpoint(&pod, &Uri::from_static("https://sts.eu-west-1.amazonaws.com"));
        }
    }

    #[test]
    fn any_text_is_sanitized(text in "(?s).{0,600}") {
        let (plain, word) = (sanitize(&text), shell_quote(&text));
        let broken = |text: &str| text.contains(['\n', '\u{1b}', '\r']);
        prop_assert!(!broken(&plain) && !broken(&word));
        prop_assert!(plain.chars().count() < 5_000);
    }

    #[test]
    fn any_refusal(code in "\\PC{0,30}", message in "\\PC{0,300}", status in 100_u16..=999, ahead in any::<u32>()) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_460_000);
        let server_time = Some(at + Duration::from_secs(ahead.into()));
        for code in [code.as_str(), "AccessDenied", "InvalidIdentityToken", "ExpiredTokenException", "ValidationError", "SignatureDoesNotMatch"] {
            let (code, message) = (code.to_owned(), message.clone());
            said_within_bounds(&Refusal { code, message, status, request_id: None, at, server_time });
        }
    }

    #[test]
    fn any_bytes_as_a_reply(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        name(&answered(bytes));
    }

    #[test]
    fn any_body_as_a_reply(status in 200_u16..=599, body in prop::collection::vec(any::<u8>(), 0..400)) {
        name(&answered(http(status, &body)));
    }

    #[test]
    fn any_answer_of_the_kubernetes_api(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        account in mutated(ACCOUNT),
        forbidden in mutated(FORBIDDEN),
        status in 100_u16..=999,
    ) {
        let asked = ApiRequest { verb: "get", resource: "serviceaccounts", namespace: "payments" };
        for answer in [&bytes, &account, &forbidden] {
            let _ = (AnnotatedAccount::parse(answer), PodState::parse(answer));
            let words = ApiFault::from_reply(&asked, status, answer).to_string();
            prop_assert!(!words.contains(['\n', '\u{1b}']) && words.chars().count() < 2_000, "{words}");
        }
    }

    #[test]
    fn any_documents_of_an_issuer(
        issuer in prop_oneof![3 => Just(ISSUER.to_owned()), 1 => ".{0,600}"],
        statuses in (100_u16..=999, prop::sample::select(vec![200_u16, 302])),
        bodies in (issuer_document(), issuer_document()),
        is_healthy in any::<bool>(),
        key_id in prop::option::of(".{0,300}"),
        algorithm in prop::sample::select(token::ALGORITHMS.to_vec()),
    ) {
        let healthy = format!(r#"{{"issuer":{},"jwks_uri":"https://k.example"}}"#, Value::from(issuer.as_str()));
        let (discovery, status) = if is_healthy { (healthy.into_bytes(), 200) } else { (bodies.0, statuses.0) };
        let got = |status: u16, body: Vec<u8>| {
            Response { url: issuer.clone(), answered_by: None, answer: Ok((status, Ok(body.into()))) }
        };
        let (discovery, keys) = (got(status, discovery), got(statuses.1, bodies.1));
        let fetched = IssuerDocuments { issuer: issuer.clone(), discovery, keys: Some(keys) };
        let header = serde_json::json!({"alg": algorithm, "kid": key_id});
        let payload = serde_json::json!({"iss": "i", "sub": "s", "aud": "a", "iat": 1, "exp": 2});
        let token = Token::decode(&signed(header, payload)).unwrap();
        let of_id = key_id.as_deref().map_or(SigningKey::Unknown, SigningKey::WithId);
        for signing in [of_id, SigningKey::OfToken(&token)] {
            let Verdict::Fail(found) = judge(fetched.clone(), signing) else { continue };
            prop_assert!(found.cause().chars().count() < 6000 && !found.cause().contains(char::is_control));
            for step in found.remedy() {
                prop_assert!(step.chars().count() < 8000 && !step.replace('\n', "").contains(char::is_control));
            }
        }
    }

    #[test]
    fn any_spoilt_answer(given in mutated(GIVEN), refused in mutated(REFUSED), status in prop::sample::select(vec![400_u16, 403, 500])) {
        name(&answered(http(200, &given)));
        name(&answered(http(status, &refused)));
    }
}

/// Part of a text, escaped as in XML, JSON or a URL, or as it is.
fn escaped(part: &str, form: usize) -> String {
    let each = |form: fn(u32) -> String| part.chars().map(|c| form(u32::from(c))).collect();
    match form {
        0 => part.to_owned(),
        1 => each(|c| format!("%{c:02x}")),
        2 => each(|c| format!("\\u{c:04x}")),
        3 => each(|c| format!("&#{c};")),
        _ => each(|c| format!("&#x{c:x};")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn part_of_a_secret_that_a_server_says_is_not_kept(
        start in 0..PROJECTED.len() - 16,
        length in 16..200_usize,
        form in 0..5_usize,
        place in 0..6_usize,
        is_given in any::<bool>(),
        status in prop::sample::select(vec![200_u16, 302, 400, 403, 503]),
    ) {
        let key = "SecretOfTheAnswerItself/0123456789+abcdef";
        let secret = if is_given { key } else { PROJECTED.trim() };
        let from = start % (secret.len() - 16);
        let part = &secret[from..(from + length).min(secret.len())];
        // An XML parser decodes what is meant for it.
        let said = escaped(part, form);
        let at = |wanted: usize, other: &str| if place == wanted { said.clone() } else { other.to_owned() };
        let body = match status {
            200 => GIVEN.replace("<SecretAccessKey>secret", &format!("<SecretAccessKey>{key}"))
                .replace("assumed-role/a/b", &format!("assumed-role/{}", at(0, "a/b")))
                .replace("</AssumeRoleWithWebIdentityResult>", &format!(
                    "</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>",
                    at(1, "0")
                )),
            _ => REFUSED.replace("AccessDenied", &at(0, "AccessDenied")).replace("Not authorized", &at(1, "Not")),
        };
        let header = |name: &str, value: &str| {
            let value = value.replace(|c: char| !c.is_ascii_graphic(), "");
            format!("{name}: {value}\r\n")
        };
        let mut answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        answer.push_str(&header("Server", &at(2, "x")));
        answer.push_str(&header("Content-Type", &at(3, "text/xml")));
        answer.push_str(&header("x-amzn-requestid", &at(4, "0")));
        answer.push_str("\r\n");
        answer.push_str(if place == 5 { &said } else { &body });
        let reply = answered(answer.into_bytes());
        let kept = format!("{reply:?}");
        // What an answer gave is known only if it was one.
        let is_known = !is_given || reply.result.is_ok();
        prop_assert!(!is_known || !kept.contains(part) && !kept.contains(&said), "{kept}");
    }
}

#[test]
fn unspoilt_answers_are_understood() {
    assert!(answered(http(200, GIVEN.as_bytes())).result.is_ok());
    let refused = answered(http(403, REFUSED.as_bytes()));
    assert!(matches!(refused.result, Err(CallFault::Refused(refusal)) if refusal.code == "AccessDenied"));
}
