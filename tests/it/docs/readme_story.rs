//! The story that the README tells, through the real binary: STS refuses a pod its role, an operator pipes the
//! pod's log into an audit and pastes what that prints, and the pod's next check passes.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testbed::scenario::Scenario;
use testbed::world::{Finished, World};

/// The trust policy of the role, as IAM shows it to the operator: with a slip in the namespace.
const POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::111122223333:oidc-provider/${provider}"
      },
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "${provider}:sub": "system:serviceaccount:payment:checkout",
          "${provider}:aud": "sts.amazonaws.com"
        }
      }
    }
  ]
}"#;

/// Whom STS gives the role under that policy. STS does not read it; it is told so.
const SUBJECT: &str = "system:serviceaccount:payment:checkout";

/// What an audit printed, and the world of the operator.
pub(crate) struct Audited {
    pub(crate) world: World,
    pub(crate) text: Vec<u8>,
    pub(crate) json: Vec<u8>,
}

impl Audited {
    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap()
    }
}

/// The story, part by part.
pub(crate) struct Story {
    /// What the pod's check left, in JSON.
    pub(crate) refused: Finished,
    /// The audit of that.
    pub(crate) audited: Audited,
    /// What the AWS CLI was called with when the audit's commands were pasted.
    pub(crate) pasted: String,
    /// The pod's next check, in JSON.
    pub(crate) after: Finished,
    /// The audit of that.
    pub(crate) audited_after: Audited,
}

/// Lives through it.
pub(crate) async fn story() -> Story {
    let refused = check(&json!([SUBJECT])).await;
    let audited = audit(POLICY, &refused.stdout).await;
    let (pasted, policy) = paste(&audited.report());
    let document: Value = serde_json::from_str(&policy).unwrap();
    let conditions = document["Statement"][0]["Condition"]["StringEquals"].as_object().unwrap();
    let (_, subjects) = conditions.iter().find(|(key, _)| key.ends_with(":sub")).unwrap();
    let after = check(subjects).await;
    let audited_after = audit(&policy, &after.stdout).await;
    Story { refused, audited, pasted, after, audited_after }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_irsa-probe");

/// What the pod's check leaves, where STS is told that the role is for these subjects.
async fn check(subjects: &Value) -> Finished {
    // A list of strings is the same in TOML and JSON.
    let scenario = Scenario::parse(&format!("role = {{ subjects = {subjects} }}")).unwrap();
    let args = ["--output", "json", "--container", "irsa-probe"];
    World::start(&scenario).await.run(Path::new(PROGRAM), &args).await.unwrap()
}

/// What the audit prints, as text and as JSON, of a log on its standard input.
async fn audit(policy: &str, log: &[u8]) -> Audited {
    let toml = format!("command = \"audit\"\n[[iam.roles]]\ntrust_policy = '''{policy}'''\n");
    let world = World::start(&Scenario::parse(&toml).unwrap()).await;
    let file = world.dir().join("pod.log");
    std::fs::write(&file, log).unwrap();
    let run = async |output: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["audit", "--output", output]).env_clear().envs(world.env()).current_dir(world.dir());
        command.stdin(File::open(&file).unwrap());
        tokio::task::spawn_blocking(move || command.output().unwrap().stdout).await.unwrap()
    };
    let (text, json) = (run("text").await, run("json").await);
    Audited { world, text, json }
}

/// Pastes the commands of the step that changes the trust policy into a shell whose `aws` only takes down what
/// it is given: its arguments, and the document.
fn paste(report: &Value) -> (String, String) {
    let steps = report["diagnosis"]["remedy"].as_array().unwrap().iter().filter_map(Value::as_str);
    let mut pasted = steps
        .filter_map(|step| step.split_once('\n').map(|(_, commands)| commands))
        .filter(|commands| commands.contains("update-assume-role-policy"));
    let (Some(commands), None) = (pasted.next(), pasted.next()) else {
        unreachable!("there is not one such step: {report}");
    };
    let folder = tempfile::tempdir().unwrap();
    let script = format!("aws() {{ echo \"aws $*\" >asked; cp \"${{6#file://}}\" given; }}\n{commands}\n");
    let shell = Command::new("sh").args(["-e", "-c", &script]).current_dir(folder.path()).status().unwrap();
    assert!(shell.success(), "{commands}");
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    (read("asked").trim_end().to_owned(), read("given"))
}
