//! Pods of public reports, as the probe sees them from inside: what is said of each, and what its first step is.

use serde_json::Value;

use crate::program::{report, run};

async fn check(toml: &str) -> Value {
    report(&run(toml, &["--output", "json", "--wait", "0s"]).await)
}

fn step(report: &Value, at: usize) -> &str {
    report["diagnosis"]["remedy"][at].as_str().unwrap()
}

/// The node of a virtual kubelet did not fill the volume. Variables and pod are right.
#[tokio::test]
async fn token_folder_that_is_empty_blames_the_node() {
    for (kind, name, owner, says) in [
        ("missing", "TokenFileMissing", "node", "exists and is empty"),
        ("dangling", "TokenFileMissing", "node", "mounted and was not filled"),
        ("missing-dir", "TokenFileMissing", "workload", "is not mounted there"),
    ] {
        let found = check(&format!("[file]\nkind = \"{kind}\"\n")).await;
        let diagnosis = &found["diagnosis"];
        assert_eq!((&diagnosis["name"], &diagnosis["owner"]), (&name.into(), &owner.into()), "{found:#}");
        assert!(diagnosis["cause"].as_str().unwrap().contains(says), "{found:#}");
        let removes_variables = diagnosis["remedy"].to_string().contains("Remove AWS_ROLE_ARN");
        assert_eq!(removes_variables, owner == "workload", "{found:#}");
        assert_eq!(step(&found, 0).starts_with("Check what the node"), owner == "node", "{found:#}");
    }
}
