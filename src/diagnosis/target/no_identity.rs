//! The process was started without the identity.

use super::debug::DebugContainer;
use super::{evidence, words};
use crate::diagnosis::Entry;
use crate::diagnosis::identity::NotInjected;
use crate::evidence::Evidence;
use crate::host::Presence;
use crate::host::process::Process;
use crate::text::shell_quote;

/// The process was started with neither variable.
#[derive(Debug, Clone)]
pub struct TargetHasNoIdentity {
    pub(crate) process: Process,
    /// Whether the token is where the webhook mounts it, which shows that the container was injected.
    pub(crate) token: Presence,
    pub(crate) pod: NotInjected,
}

/// Why a process in an injected container has no identity.
const LOST: &str = "whatever started the process left the variables out (env -i, su, sudo, a supervisor, a \
    script), or the process wrote over them (a changed process title does that)";
/// Why no identity was injected.
const NOT_INJECTED: &str = "Either the service account had no role annotation at that moment, or the container \
    is left out (the pod's annotation eks.amazonaws.com/skip-containers), or the webhook did not see the pod or \
    the annotation. Injection happens only when a pod is created, so restarting the container never helps.";

impl Entry for TargetHasNoIdentity {
    fn cause(&self) -> String {
        let named = words(&self.process);
        let start = format!(
            "The pod was looked at through {named}, and that one was started with neither AWS_ROLE_ARN nor \
             AWS_WEB_IDENTITY_TOKEN_FILE."
        );
        let whose = self
            .pod
            .service_account
            .as_ref()
            .map_or_else(String::new, |account| format!(" for service account {account}"));
        match self.token {
            Presence::Exists => format!(
                "{start} The token is mounted in its container all the same: the container was injected, and \
                 {LOST}."
            ),
            Presence::Missing => format!(
                "{start} Nor is the token where the webhook mounts it: when the pod was admitted, no identity was \
                 injected into that container{whose}. {NOT_INJECTED}"
            ),
            Presence::Unknown => format!(
                "{start} Whether the token is where the webhook mounts it could not be seen. So the container was \
                 injected and {LOST}; or, when the pod was admitted, no identity was injected into that \
                 container{whose}. {NOT_INJECTED}"
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let pod = self.pod.pod.as_deref();
        let name = pod.map_or_else(|| "POD".to_owned(), shell_quote);
        let mut steps = Vec::new();
        if self.token != Presence::Missing {
            steps.push(format!(
                "See which variables the container is given, and which the process has:\n\
                 kubectl -n NAMESPACE get pod {name} -o jsonpath='{{range .spec.containers[*]}}{{.name}} {{.env[*].name}}{{\"\\n\"}}{{end}}'\n\
                 kubectl -n NAMESPACE exec {name} -c CONTAINER -- sh -c \"tr '\\\\0' '\\\\n' < /proc/{}/environ | cut -d= -f1\"",
                self.process.pid
            ));
            steps.push(
                "If the container is given them, let what starts the process pass AWS_ROLE_ARN, \
                 AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION on."
                    .to_owned(),
            );
        }
        if self.token != Presence::Exists {
            steps.extend(self.pod.steps().into_iter().take(2));
        }
        steps.push(format!(
            "If another process is the application, look through that one, with its own user (here 1000):\n\
             {} --env=IRSA_PROBE_PID=PID",
            DebugContainer::of_user(1000, 1000).command(pod)
        ));
        steps
    }

    fn evidence(&self) -> Evidence {
        let is_mounted = (self.token != Presence::Unknown).then_some(self.token == Presence::Exists);
        evidence(&self.process).value_if("token_mounted", is_mounted).merge(self.pod.evidence())
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, NotInjected, Presence, Process, TargetHasNoIdentity};
    use crate::host::ProcessUser;

    fn process() -> Process {
        Process {
            pid: 1,
            parent: 0,
            name: "java".to_owned(),
            has_ended: false,
            user: ProcessUser { uid: 1000, gid: 1000, groups: Vec::new() },
            uids: [1000; 4],
            gids: [1000; 4],
            permitted: 0,
            effective: 0,
        }
    }

    #[test]
    fn what_was_not_seen_of_the_token_is_not_claimed() {
        let pod = || NotInjected {
            service_account: None,
            pod: None,
            service_account_error: None,
            account: None,
            is_left_out_by_nothing: false,
        };
        for (token, mounted, injected, lost) in [
            (Presence::Exists, Some("true"), false, true),
            (Presence::Missing, Some("false"), true, false),
            (Presence::Unknown, None, true, true),
        ] {
            let found = TargetHasNoIdentity { process: process(), token, pod: pod() };
            let (cause, steps) = (found.cause(), found.remedy().concat());
            assert_eq!(cause.contains("no identity was injected"), injected, "{cause}");
            assert_eq!(cause.contains("left the variables out"), lost, "{cause}");
            assert_eq!(cause.contains("could not be seen"), token == Presence::Unknown, "{cause}");
            assert_eq!(steps.contains("whether the service account is annotated"), injected, "{steps}");
            assert_eq!(steps.contains("/environ"), lost, "{steps}");
            let evidence = found.evidence();
            let value = evidence.iter().find(|(name, _)| *name == "token_mounted");
            assert_eq!(value.map(|(_, value)| value.to_string()).as_deref(), mounted);
        }
    }
}
