//! A world with an operator: IAM tells its credentials what the scenario says, and nobody else.

use testbed::iam::Session;
use testbed::secrets::Secret;
use testbed::world::Finished;
use testbed::{Scenario, World};
use time::OffsetDateTime;

use crate::client::{HOST, IDENTITY_FORM, Reply, post, signed, signed_for, tls};
use crate::world::{program, text};

const IAM: &str = "iam.amazonaws.com";

async fn world(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap()).await
}

/// The operator, as the environment has the credentials.
fn operator(world: &World) -> Session {
    let value = |name: &str| world.env()[name].clone();
    Session {
        access_key_id: value("AWS_ACCESS_KEY_ID"),
        secret_access_key: value("AWS_SECRET_ACCESS_KEY"),
        session_token: value("AWS_SESSION_TOKEN"),
        ..Session::of_operator("", OffsetDateTime::now_utc())
    }
}

async fn ask_as(world: &World, caller: &Session, call: &str) -> Reply {
    let form = format!("Action={call}&Version=2010-05-08");
    let headers = signed_for(caller, OffsetDateTime::now_utc(), (IAM, "us-east-1", "iam"), &form);
    let mut stream = tls(world.sts().address(), &world.ca_pem(), IAM).await.unwrap();
    post(&mut stream, &form, &headers).await.unwrap()
}

async fn ask(world: &World, call: &str) -> Reply {
    ask_as(world, &operator(world), call).await
}

#[tokio::test]
async fn a_healthy_account() {
    let world = world("[iam]\n").await;
    let port = world.sts().address().port();
    assert_eq!(world.env()["AWS_ENDPOINT_URL_IAM"], format!("https://{IAM}:{port}"));

    let role = ask(&world, "GetRole&RoleName=payments-checkout").await;
    assert_eq!(role.element("Arn"), "arn:aws:iam::111122223333:role/payments-checkout");
    let policy = testbed::form::decode(role.element("AssumeRolePolicyDocument"));
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let provider = world.issuer().url().replace("https://", "");
    let statement = &policy["Statement"][0];
    let arn = format!("arn:aws:iam::111122223333:oidc-provider/{provider}");
    assert_eq!(statement["Principal"]["Federated"], arn);
    let condition = &statement["Condition"]["StringEquals"];
    assert_eq!(condition[format!("{provider}:sub")], testbed::token::subject());
    assert_eq!(condition[format!("{provider}:aud")], "sts.amazonaws.com");

    let found = ask(&world, &format!("GetOpenIDConnectProvider&OpenIDConnectProviderArn={arn}")).await;
    assert_eq!(found.element("Url"), provider);
    assert!(found.body.contains("<ClientIDList><member>sts.amazonaws.com</member></ClientIDList>"));
    let attached = ask(&world, "ListAttachedRolePolicies&RoleName=payments-checkout").await;
    assert_eq!(attached.element("PolicyName"), "payments-read");

    let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
    let headers = signed(&operator(&world), OffsetDateTime::now_utc());
    let caller = post(&mut stream, IDENTITY_FORM, &headers).await.unwrap();
    assert_eq!(caller.element("Arn"), "arn:aws:iam::111122223333:user/operator");
}

#[tokio::test]
async fn a_scenario_says_only_what_differs() {
    let differs = "[role]\narn = \"arn:aws:iam::111122223333:role/team/x\"\n[iam]\naccount = \"444455556666\"\n\
        roles = [{ trust_policy = \"for ${issuer}\" }, { name = \"y\" }]\n\
        providers = [{ client_ids = [\"other\"] }]\ndenied = [\"ListRolePolicies\"]\n\
        simulations = [{ action = \"s3:Get\", decision = \"allowed\" }]\n\
        answers = { ListOpenIDConnectProviders = [{ error = { status = 400, code = \"Throttling\", message = \"m\" } }] }";
    let world = world(differs).await;
    let role = ask(&world, "GetRole&RoleName=x").await;
    assert_eq!(role.element("Arn"), "arn:aws:iam::444455556666:role/team/x");
    let policy = testbed::form::decode(role.element("AssumeRolePolicyDocument"));
    assert_eq!(policy, format!("for {}", world.issuer().url()));
    let role = ask(&world, "GetRole&RoleName=y").await;
    assert_eq!(role.element("Arn"), "arn:aws:iam::444455556666:role/y");
    let simulated = "SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::444455556666:role/y\
        &ActionNames.member.1=s3:Get";
    assert_eq!(ask(&world, simulated).await.element("EvalDecision"), "allowed");
    assert_eq!(ask(&world, "ListRolePolicies&RoleName=y").await.error().1, "AccessDenied");
    assert_eq!(ask(&world, "ListOpenIDConnectProviders").await.error().1, "Throttling");

    let none = Scenario::parse("[iam]\nroles = []\nproviders = []").unwrap();
    world.apply(&none);
    assert_eq!(ask(&world, "GetRole&RoleName=y").await.error().1, "NoSuchEntity");
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let world = world("[iam]\n").await;
    let stranger = Session::of_operator("arn:aws:iam::111122223333:user/x", OffsetDateTime::now_utc());
    let refused = ask_as(&world, &stranger, "GetRole&RoleName=payments-checkout").await;
    assert_eq!(refused.error().1, "InvalidClientTokenId");
}

async fn run(toml: &str, script: &str) -> Finished {
    let (_directory, program) = program(script);
    world(toml).await.run(&program, &[]).await.unwrap()
}

#[tokio::test]
async fn an_operator_has_no_pod_and_credentials_that_must_not_be_printed() {
    let audit = "command = \"audit\"\n";
    let variables = text(&run(audit, "env").await.stdout);
    for of_pod in ["AWS_ROLE_ARN=", "AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_ACCESS_KEY_ID="] {
        assert!(!variables.contains(of_pod), "{variables}");
    }
    let set = "[env]\nAWS_ROLE_ARN = \"${role_arn}\"";
    assert!(text(&run(&format!("{audit}{set}"), "env").await.stdout).contains("AWS_ROLE_ARN=arn:"));

    let found = run(&format!("{audit}[iam]\n"), "echo $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN").await;
    let labels: Vec<String> = found.leaks().into_iter().map(|leak| leak.label).collect();
    for secret in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(labels.iter().any(|label| label == secret), "{labels:?}");
    }
    let of_secrets = |secret: &Secret| secret.label == "AWS_SESSION_TOKEN" && secret.value.len() > 300;
    assert!(found.secrets.iter().any(of_secrets));
}
