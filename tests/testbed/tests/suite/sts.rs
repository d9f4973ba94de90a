//! STS over TLS: the role is given, refused for each reason, and each fault does what it says.

use std::io::ErrorKind;
use std::time::Duration;

use testbed::iam::Refusal;
use testbed::sts::{Answer, Fault, Step};
use testbed::{Scenario, World};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{self, HOST, IDENTITY_FORM, ROLE, Reply, assume, assume_form, host, post, signed, tls};

async fn world(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap()).await
}

async fn refused(toml: &str) -> String {
    let reply = assume(&world(toml).await, &[]).await;
    let (status, code, message) = reply.error();
    format!("{status} {code}: {message}")
}

#[tokio::test]
async fn gives_the_role_and_knows_the_caller() {
    let world = world("").await;
    let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
    let policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}";
    let form = assume_form(world.token(), &[("Policy", Some(policy))]);
    let reply = post(&mut stream, &form, &host()).await.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    assert_eq!(reply.header("x-amzn-requestid"), Some(reply.element("RequestId")));
    let arn = "arn:aws:sts::111122223333:assumed-role/payments-checkout/probe";
    assert_eq!(reply.element("Arn"), arn);
    assert_eq!(reply.element("Audience"), "sts.amazonaws.com");
    assert_eq!(reply.element("SubjectFromWebIdentityToken"), "system:serviceaccount:payments:checkout");
    assert!(
        reply.element("Provider").starts_with("arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.")
    );

    let session = world.sts().issued().pop().unwrap();
    assert_eq!(reply.element("SecretAccessKey"), session.secret_access_key);
    assert_eq!(session.policy.as_deref(), Some(policy));
    let identity =
        post(&mut stream, IDENTITY_FORM, &signed(&session, OffsetDateTime::now_utc())).await.unwrap();
    assert_eq!(identity.element("Arn"), arn);
    assert_eq!(identity.element("UserId"), session.user_id);
    assert_eq!(identity.element("Account"), "111122223333");

    let requests = world.sts().requests();
    assert_eq!(
        requests.iter().map(|r| (r.action.as_str(), r.connection)).collect::<Vec<_>>(),
        [("AssumeRoleWithWebIdentity", 1), ("GetCallerIdentity", 1)]
    );
    assert_eq!(requests[0].field("RoleArn"), Some(ROLE));
    assert_eq!((world.sts().connections(), world.sts().handshakes()), (1, 1));
    let secrets = world.secrets();
    assert!(secrets.iter().any(|secret| secret.value == session.session_token));
}

#[tokio::test]
async fn arns_keep_their_partition_and_lose_their_path() {
    let arn = "arn:aws-cn:iam::444455556666:role/teams/payments/checkout";
    let world =
        world(&format!("[role]\narn = \"{arn}\"\n[sts]\nhost = \"sts.cn-north-1.amazonaws.com.cn\"")).await;
    let reply = assume(&world, &[("RoleArn", Some(arn))]).await;
    assert_eq!(reply.element("Arn"), "arn:aws-cn:sts::444455556666:assumed-role/checkout/probe");
}

#[tokio::test]
async fn refuses_tokens_in_the_words_of_aws() {
    let no_provider = "400 InvalidIdentityToken: No OpenIDConnect provider found in your account for \
        https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    let not_authorized = "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let not_a_jwt = "400 InvalidIdentityToken: The ID Token provided is not a valid JWT. \
        (You may see this error if you sent an Access Token)";
    let not_validated = "400 InvalidIdentityToken: The web identity token provided could not be validated. \
        See the AssumeRoleWithWebIdentity documentation for requirements.";
    for (toml, expected) in [
        ("provider.present = false", no_provider),
        (
            "token.claims = { aud = [\"sts.amazon.com\"] }",
            "400 InvalidIdentityToken: Incorrect token audience",
        ),
        ("provider.client_ids = [\"other\"]", "400 InvalidIdentityToken: Incorrect token audience"),
        ("token.kind = \"api\"", "400 InvalidIdentityToken: Incorrect token audience"),
        ("token.kind = \"pod-identity\"", "400 InvalidIdentityToken: Incorrect token audience"),
        ("token.kind = \"legacy-secret\"", "400 InvalidIdentityToken: Missing a required claim: aud"),
        ("token.remove = [\"sub\"]", "400 InvalidIdentityToken: Missing a required claim: sub"),
        ("token.header = { alg = \"HS256\" }", not_a_jwt),
        ("token.issued_ago = \"-10m\"", not_validated),
        (
            "token.key = \"other\"",
            "400 InvalidIdentityToken: Couldn&apos;t retrieve verification key from your identity provider,  \
             please reference AssumeRoleWithWebIdentity documentation for requirements",
        ),
        ("role.present = false", not_authorized),
        ("role.subjects = [\"system:serviceaccount:payments:other\"]", not_authorized),
        ("role.audiences = [\"other\"]", not_authorized),
    ] {
        assert_eq!(refused(toml).await, expected.replace("&apos;", "'"), "{toml}");
    }
    let kid = testbed::issuer::Issuer::new("x").key_id().to_owned();
    let forged = format!("token.key = \"other\"\ntoken.header = {{ kid = \"{kid}\" }}");
    assert_eq!(refused(&forged).await, not_validated);
    for clock in ["token.issued_ago = \"25h\"", "sts.clock_ahead = \"25h\""] {
        let expired = refused(clock).await;
        assert!(
            expired.starts_with("400 ExpiredTokenException: Token expired: current date/time 1"),
            "{expired}"
        );
    }
    let old = refused("token.issued_ago = \"6d\"\ntoken.lifetime = \"30d\"").await;
    assert!(old.starts_with("400 ExpiredTokenException: Token too old: 5184"), "{old}");
}

#[tokio::test]
async fn refuses_parameters_in_the_words_of_aws() {
    let world = world("").await;
    let one = |text: &str| format!("1 validation error detected: {text}");
    let failed = "failed to satisfy constraint: Member must";
    let long_token = "x".repeat(20_001);
    for (name, value, message) in [
        (
            "WebIdentityToken",
            Some(""),
            one(&format!("Value at 'webIdentityToken' {failed} have length greater than or equal to 4")),
        ),
        (
            "WebIdentityToken",
            Some(long_token.as_str()),
            one(&format!("Value at 'webIdentityToken' {failed} have length less than or equal to 20000")),
        ),
        ("RoleArn", None, one(&format!("Value at 'roleArn' {failed} not be null"))),
        (
            "RoleArn",
            Some("short"),
            one(&format!("Value 'short' at 'roleArn' {failed} have length greater than or equal to 20")),
        ),
        ("RoleArn", Some("arn:aws:iam::111122223333:role:payments"), "Request ARN is invalid".to_owned()),
        ("RoleArn", Some("arn:aws:iam::111122223333:policy/payments"), "Request ARN is invalid".to_owned()),
        (
            "RoleSessionName",
            Some("a b"),
            one(&format!(
                "Value 'a b' at 'roleSessionName' {failed} satisfy regular expression pattern: [\\w+=,.@-]*"
            )),
        ),
        (
            "DurationSeconds",
            Some("899"),
            one(&format!(
                "Value '899' at 'durationSeconds' {failed} have value greater than or equal to 900"
            )),
        ),
        (
            "DurationSeconds",
            Some("43201"),
            one(&format!(
                "Value '43201' at 'durationSeconds' {failed} have value less than or equal to 43200"
            )),
        ),
        (
            "DurationSeconds",
            Some("7200"),
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        ),
    ] {
        let reply = assume(&world, &[(name, value)]).await;
        assert_eq!(reply.error(), (400, "ValidationError", message.as_str()), "{name}");
    }
    let both = assume(&world, &[("RoleArn", Some("")), ("WebIdentityToken", None)]).await;
    assert!(
        both.element("Message").starts_with("2 validation errors detected: Value '' at 'roleArn'"),
        "{both:?}"
    );
    let policy = assume(&world, &[("Policy", Some("no JSON"))]).await;
    assert_eq!(policy.element("Code"), "MalformedPolicyDocument");
    let other_account =
        assume(&world, &[("RoleArn", Some("arn:aws:iam::999999999999:role/payments-checkout"))]).await;
    assert!(
        other_account.element("Message").starts_with("No OpenIDConnect provider found"),
        "{other_account:?}"
    );
    let unknown = assume(&world, &[("Action", Some("Unknown<&>"))]).await;
    let message = "Could not find operation Unknown&lt;&amp;&gt; for version 2011-06-15";
    assert_eq!(unknown.error(), (400, "InvalidAction", message));
}

async fn identity(world: &World, headers: &[(String, String)]) -> Reply {
    let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
    post(&mut stream, IDENTITY_FORM, headers).await.unwrap()
}

#[tokio::test]
async fn checks_signatures() {
    let world = world("").await;
    assume(&world, &[]).await;
    let session = world.sts().issued().pop().unwrap();
    let now = OffsetDateTime::now_utc();
    let mut wrong_secret = session.clone();
    wrong_secret.secret_access_key.push('x');
    let mut wrong_token = session.clone();
    wrong_token.session_token.push('x');
    for (headers, status, code) in [
        (host(), 403, "MissingAuthenticationToken"),
        (signed(&wrong_secret, now), 403, "SignatureDoesNotMatch"),
        (signed(&wrong_token, now), 403, "InvalidClientTokenId"),
    ] {
        let reply = identity(&world, &headers).await;
        assert_eq!((reply.status, reply.element("Code")), (status, code));
    }
    for (hours, start) in [(-1, "Signature expired: "), (1, "Signature not yet current: ")] {
        let reply = identity(&world, &signed(&session, now + time::Duration::hours(hours))).await;
        assert_eq!(reply.element("Code"), "SignatureDoesNotMatch");
        assert!(reply.element("Message").starts_with(start), "{reply:?}");
        assert!(reply.element("Message").ends_with(" 15 min.)"), "{reply:?}");
    }
}

#[tokio::test]
async fn the_clock_shows_in_the_date() {
    let reply = assume(&world("sts.clock_ahead = \"-1d\"").await, &[]).await;
    let yesterday = testbed::clock::http_date(OffsetDateTime::now_utc() - time::Duration::days(1));
    assert_eq!(reply.header("date").unwrap()[..16], yesterday[..16]);
}

#[tokio::test]
async fn certificates_are_wrong_in_their_own_way() {
    for (tls_kind, expected) in [
        ("other-ca", "UnknownIssuer"),
        ("wrong-name", "NotValidForName"),
        ("expired", "Expired"),
        ("not-yet-valid", "NotValidYet"),
    ] {
        let world = world(&format!("sts.tls = \"{tls_kind}\"")).await;
        let error = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap_err();
        assert!(format!("{error:?}").contains(expected), "{tls_kind}: {error:?}");
        assert_eq!((world.sts().connections(), world.sts().handshakes()), (1, 0));
    }
}

#[tokio::test]
async fn a_script_is_followed_and_its_end_repeats() {
    let sts = client::scripted(vec![
        Step {
            answer: Answer::Error(Refusal::new(500, "Internal<", "a & b")),
            delay: Duration::from_millis(1),
        },
        Answer::Reply { status: 418, headers: vec![("X-A".into(), "b".into())], body: b"tea".to_vec() }
            .into(),
        Answer::Fault(Fault::Html).into(),
    ])
    .await;
    let mut stream = TcpStream::connect(sts.address()).await.unwrap();
    let mut ask = async || post(&mut stream, &assume_form("token", &[]), &host()).await.unwrap();
    let error = ask().await;
    assert_eq!(error.error(), (500, "Internal&lt;", "a &amp; b"));
    assert_eq!(error.element("Type"), "Receiver");
    let reply = ask().await;
    assert_eq!((reply.status, reply.header("x-a"), reply.body.as_str()), (418, Some("b"), "tea"));
    assert_eq!(reply.header("x-amzn-requestid"), None, "a raw reply has what it was given");
    for _ in 0..2 {
        let page = ask().await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.body.contains("Sign in to the network"));
    }
}

async fn fault(fault: Fault) -> (std::io::Result<usize>, Vec<u8>) {
    let sts = client::scripted(vec![Answer::Fault(fault).into()]).await;
    let mut stream = TcpStream::connect(sts.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 32\r\n\r\n";
    stream.write_all(format!("{head}Action=AssumeRoleWithWebIdentity").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    (stream.read_to_end(&mut read).await, read)
}

#[tokio::test]
async fn faults_end_connections_as_they_say() {
    let (reset, read) = fault(Fault::Reset).await;
    assert_eq!((reset.unwrap_err().kind(), read.len()), (ErrorKind::ConnectionReset, 0));
    let (close, read) = fault(Fault::Close).await;
    assert_eq!((close.unwrap(), read.len()), (0, 0));
    let (half, read) = fault(Fault::Half).await;
    half.unwrap();
    let text = String::from_utf8(read).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len() + 1000)), "{text}");
    assert!(body.starts_with("<AssumeRoleWithWebIdentityResponse"), "{text}");
    let (huge, _) = fault(Fault::Huge).await;
    assert!(huge.unwrap() >= 64 * 1024 * 1024);
}

#[tokio::test]
async fn faults_reach_through_tls() {
    for (name, kind) in [
        ("reset", ErrorKind::ConnectionReset),
        ("close", ErrorKind::UnexpectedEof),
        ("half", ErrorKind::UnexpectedEof),
    ] {
        let world = world(&format!("sts.assume = [{{ fault = \"{name}\" }}]")).await;
        let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
        let error = post(&mut stream, &assume_form("token", &[]), &host()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_plain_sts_speaks_http() {
    let world = world("sts.tls = \"plain\"").await;
    let port = world.sts().address().port();
    assert_eq!(world.env()["AWS_ENDPOINT_URL_STS"], format!("http://{HOST}:{port}"));
    let mut stream = TcpStream::connect(world.sts().address()).await.unwrap();
    let reply = post(&mut stream, &assume_form(world.token(), &[]), &host()).await.unwrap();
    assert_eq!((reply.status, world.sts().handshakes()), (200, 0));
}

#[tokio::test]
async fn a_hanging_sts_has_heard() {
    let sts = client::scripted(vec![Answer::Fault(Fault::Hang).into()]).await;
    let mut stream = TcpStream::connect(sts.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 32\r\n\r\n";
    stream.write_all(format!("{head}Action=AssumeRoleWithWebIdentity").as_bytes()).await.unwrap();
    while sts.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
}
