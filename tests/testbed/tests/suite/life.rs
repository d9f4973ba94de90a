//! What changes in a world while it runs: STS's answers, the role, the clock and the tokens.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use testbed::clock::Clock;
use testbed::iam::Refusal;
use testbed::sts::{Accept, Answer, Step};
use testbed::token::decode;
use testbed::{Scenario, World};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::client::{HOST, assume, assume_form, host, post, tls};
use crate::world::program;

const NOT_AUTHORIZED: &str = "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";

fn scenario(toml: &str) -> Scenario {
    Scenario::parse(toml).unwrap()
}

/// What STS says to this token now.
async fn said_to(world: &World, token: &str) -> String {
    let reply = assume(world, &[("WebIdentityToken", Some(token))]).await;
    if reply.status == 200 {
        return "200".to_owned();
    }
    let (status, code, message) = reply.error();
    format!("{status} {code}: {message}")
}

async fn said(world: &World) -> String {
    said_to(world, world.token()).await
}

#[tokio::test]
async fn an_answer_holds_until_it_is_taken_back() {
    let throttled: Step = Answer::Error(Refusal::new(400, "Throttling", "Rate exceeded")).into();
    for script in ["", "sts.assume = [{ error = { status = 500, code = \"X\", message = \"y\" } }]"] {
        let world = World::start(&scenario(script)).await;
        world.sts().answer(Some(throttled.clone()));
        for _ in 0..2 {
            assert_eq!(said(&world).await, "400 Throttling: Rate exceeded");
        }
        world.sts().answer(None);
        assert_eq!(said(&world).await, "200", "{script}");
    }
}

#[tokio::test]
async fn a_script_can_begin_anew() {
    let world = World::start(&scenario("")).await;
    let error = |code: &str| Step::from(Answer::Error(Refusal::new(400, code, "x")));
    world.sts().script(vec![error("A"), Answer::Verify.into(), error("B")]);
    for expected in ["400 A: x", "200", "400 B: x", "400 B: x"] {
        assert_eq!(said(&world).await, expected);
    }
}

#[tokio::test]
async fn a_role_breaks_and_heals() {
    let world = World::start(&scenario("")).await;
    let iam = |subject: &str| {
        let subject = subject.to_owned();
        world.sts().edit(|iam| std::mem::replace(&mut iam.roles[0].subjects, vec![subject]))
    };
    let before = iam("system:serviceaccount:payments:other");
    assert_eq!(before, ["system:serviceaccount:payments:checkout"]);
    assert_eq!(said(&world).await, NOT_AUTHORIZED);
    iam(&before[0]);
    assert_eq!(said(&world).await, "200");
    let providers = world.sts().edit(|iam| std::mem::take(&mut iam.providers));
    assert!(said(&world).await.starts_with("400 InvalidIdentityToken: No OpenIDConnect provider found"));
    world.sts().edit(|iam| iam.providers = providers);
    assert_eq!(said(&world).await, "200");
    assert_eq!(world.sts().issued().len(), 2, "an edit takes no session away");
}

#[tokio::test]
async fn another_scenario_is_taken_over() {
    let world = World::start(&scenario("[kubernetes]")).await;
    let api = world.kubernetes().unwrap();
    for (toml, expected) in [
        ("role.subjects = [\"x\"]", NOT_AUTHORIZED),
        ("role.audiences = [\"x\"]", NOT_AUTHORIZED),
        ("role.present = false", NOT_AUTHORIZED),
        ("", "200"),
        ("provider.client_ids = [\"x\"]", "400 InvalidIdentityToken: Incorrect token audience"),
        ("sts.assume = [{ error = { status = 400, code = \"X\", message = \"y\" } }]", "400 X: y"),
        ("kubernetes.service_account = \"bare\"", "200"),
    ] {
        world.apply(&scenario(toml));
        assert_eq!(said(&world).await, expected, "{toml}");
    }
    assert_eq!(api.requests().len(), 0, "the API was not asked for any of this");
}

#[tokio::test]
async fn connections_change_while_it_runs() {
    let world = World::start(&scenario("")).await;
    let connect = async || tls(world.sts().address(), &world.ca_pem(), HOST).await;
    let form = assume_form(world.token(), &[]);
    let mut open = connect().await.unwrap();
    assert_eq!(post(&mut open, &form, &host()).await.unwrap().status, 200);

    world.sts().accept(Accept::Reset);
    assert_eq!(connect().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let reset = post(&mut open, &form, &host()).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);

    world.sts().accept(Accept::Serve);
    let mut open = connect().await.unwrap();
    assert_eq!(post(&mut open, &form, &host()).await.unwrap().status, 200);
    world.sts().accept(Accept::Hang);
    let silence = Duration::from_millis(300);
    assert!(timeout(silence, connect()).await.is_err(), "a new connection gets no handshake");
    assert!(timeout(silence, post(&mut open, &form, &host())).await.is_err(), "and an open one no answer");
    assert_eq!(world.sts().requests().len(), 2, "what is swallowed has not arrived");

    world.sts().accept(Accept::Serve);
    assert_eq!(said(&world).await, "200");
}

#[tokio::test]
#[should_panic = "an STS that listens cannot become one that does not"]
async fn who_listens_goes_on_listening() {
    World::start(&scenario("")).await.sts().accept(Accept::Refused);
}

#[test]
fn a_clock_is_the_same_in_all_hands() {
    let clock = Clock::ahead_by(time::Duration::hours(-1));
    let other = clock.clone();
    let shows = |clock: &Clock, ahead: time::Duration| {
        let before = OffsetDateTime::now_utc();
        let shown = clock.now() - ahead;
        before <= shown && shown <= OffsetDateTime::now_utc()
    };
    assert!(shows(&other, time::Duration::hours(-1)));
    clock.set_ahead(time::Duration::days(2));
    assert_eq!(other.ahead(), time::Duration::days(2));
    assert!(shows(&other, time::Duration::days(2)));
    assert!(!shows(&other, time::Duration::ZERO));
}

#[tokio::test]
async fn the_servers_live_by_the_world_s_clock() {
    let world = World::start(&scenario("sts.clock_ahead = \"1h\"\n[kubernetes]")).await;
    assert_eq!(world.clock().ahead(), time::Duration::hours(1));
    assert_eq!(said(&world).await, "200");
    world.clock().set_ahead(time::Duration::hours(25));
    assert!(said(&world).await.starts_with("400 ExpiredTokenException: Token expired"));
    let tomorrow = world.mint(world.clock().now().unix_timestamp() - 60, 3600);
    assert_eq!(said_to(&world, &tomorrow).await, "200");
    world.clock().set_ahead(time::Duration::ZERO);
    assert!(said_to(&world, &tomorrow).await.contains("could not be validated"), "it is not valid yet");
    assert_eq!(said(&world).await, "200");
}

#[tokio::test]
async fn a_minted_token_is_like_the_first_but_for_its_times() {
    let world =
        World::start(&scenario("token.claims = { extra = 1 }\ntoken.header = { typ = \"JWT\" }")).await;
    let (header, claims) = decode(&world.mint(1_000_000, 600)).unwrap();
    let (first_header, mut first) = decode(world.token()).unwrap();
    assert_eq!(header, first_header);
    assert_ne!(claims["jti"], first["jti"]);
    for (claim, value) in [("iat", 1_000_000), ("nbf", 1_000_000), ("exp", 1_000_600)] {
        assert_eq!(claims[claim], value);
        first[claim] = value.into();
    }
    first["jti"] = claims["jti"].clone();
    assert_eq!(claims, first);
}

#[tokio::test]
async fn a_token_is_rotated_and_stays_secret() {
    let world = World::start(&scenario("token.lifetime = \"2h\"")).await;
    let file = &world.env()["AWS_WEB_IDENTITY_TOKEN_FILE"];
    let token = world.mint(OffsetDateTime::now_utc().unix_timestamp(), 600);
    world.rotate(&token).unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), token);
    assert_eq!(said_to(&world, &token).await, "200");

    let earliest = OffsetDateTime::now_utc().unix_timestamp();
    let renewed = world.renew().unwrap();
    let latest = OffsetDateTime::now_utc().unix_timestamp();
    assert_eq!(fs::read_to_string(file).unwrap(), renewed);
    let (_, claims) = decode(&renewed).unwrap();
    let issued = claims["iat"].as_i64().unwrap();
    assert!((earliest..=latest).contains(&issued), "{issued}");
    assert_eq!(claims["exp"], issued + 7200);

    let (_directory, program) = program("cat \"$AWS_WEB_IDENTITY_TOKEN_FILE\"");
    let leaks = world.run(&program, &[]).await.unwrap().leaks();
    let labels: Vec<&str> = leaks.iter().map(|leak| leak.label.as_str()).collect();
    assert_eq!(labels, ["minted web identity token", "signature of minted web identity token"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_rotated() {
    let world = World::start(&scenario("file.kind = \"missing\"\napi_token.present = false")).await;
    world.rotate("token").unwrap_err();
    world.renew().unwrap_err();
    world.renew_api_token().unwrap_err();
}
