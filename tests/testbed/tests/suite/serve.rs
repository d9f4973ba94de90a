//! `testbed serve`: a role breaks and heals, and a token is rotated, by signals from outside.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

use crate::client::{HOST, assume_form, host, post, tls};

struct Served {
    child: Child,
    stdout: Lines<BufReader<tokio::process::ChildStdout>>,
    stderr: Lines<BufReader<tokio::process::ChildStderr>>,
    directory: tempfile::TempDir,
}

fn lines<R: AsyncRead>(output: Option<R>) -> Lines<BufReader<R>> {
    BufReader::new(output.unwrap()).lines()
}

impl Served {
    async fn start(scenario: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("scenario.toml");
        fs::write(&file, scenario).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_testbed"))
            .args(["serve", "--sts-port", "0", "--listen", "127.0.0.1", "--dir"])
            .arg(directory.path().join("world"))
            .arg("--scenario")
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdout, stderr) = (lines(child.stdout.take()), lines(child.stderr.take()));
        let mut served = Self { child, stdout, stderr, directory };
        served.says("ready").await;
        served
    }

    async fn says(&mut self, expected: &str) {
        assert_eq!(self.stdout.next_line().await.unwrap().as_deref(), Some(expected));
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn rewrite(&self, scenario: &str) {
        fs::write(self.directory.path().join("scenario.toml"), scenario).unwrap();
        self.signal(Signal::HUP);
    }

    fn env(&self) -> HashMap<String, String> {
        let text = fs::read_to_string(self.directory.path().join("world/env")).unwrap();
        let pairs = text.lines().map(|line| line.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn token(&self) -> String {
        fs::read_to_string(&self.env()["AWS_WEB_IDENTITY_TOKEN_FILE"]).unwrap()
    }

    /// What STS says to the token that lies in the volume.
    async fn status(&self) -> u16 {
        let env = self.env();
        let port = env["AWS_ENDPOINT_URL_STS"].rsplit(':').next().unwrap().parse().unwrap();
        let ca = fs::read_to_string(Path::new(&env["AWS_CA_BUNDLE"])).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = tls(address, &ca, HOST).await.unwrap();
        post(&mut stream, &assume_form(&self.token(), &[]), &host()).await.unwrap().status
    }
}

#[tokio::test]
async fn a_role_breaks_and_heals_from_outside() {
    let mut served = Served::start("[kubernetes]").await;
    assert!(served.env().contains_key("KUBERNETES_SERVICE_PORT"));
    assert_eq!(served.status().await, 200);
    served.rewrite("role.subjects = [\"other\"]");
    served.says("reloaded").await;
    assert_eq!(served.status().await, 403);

    served.rewrite("no scenario");
    let complaint = served.stderr.next_line().await.unwrap().unwrap();
    assert!(complaint.starts_with("testbed: no scenario: "), "{complaint}");
    assert_eq!(served.status().await, 403, "what cannot be read changes nothing");

    served.rewrite("");
    served.says("reloaded").await;
    assert_eq!(served.status().await, 200);
    served.signal(Signal::TERM);
    assert!(served.child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_token_is_rotated_from_outside() {
    let mut served = Served::start("").await;
    let first = served.token();
    served.signal(Signal::USR1);
    served.says("rotated").await;
    assert_ne!(served.token(), first);
    assert_eq!(served.status().await, 200);
    assert!(!served.env().contains_key("KUBERNETES_SERVICE_PORT"));
}
