//! The token is used outside of its lifetime, or clocks disagree.

use std::time::{Duration, SystemTime};

use crate::diagnosis::{Entry, identity};
use crate::evidence::Evidence;
use crate::text::{format_duration, format_utc, sanitize};

/// The step that shows the node's clock.
const COMPARE_CLOCKS: &str = "Compare the node's clock with a clock that is right, and repair its time service:\n\
    kubectl debug node/NODE -it --image=busybox -- date -u";

/// The clock that shows that the token has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpiryWitness {
    /// STS refused the token for that reason, with this message.
    Sts(String),
    /// The clock of STS, although STS accepted the token, or refused it for another reason.
    StsClock,
    OwnClock,
}

#[derive(Debug, Clone)]
pub struct TokenExpired {
    pub(crate) expired_at: SystemTime,
    pub(crate) issued_at: SystemTime,
    pub(crate) now: SystemTime,
    pub(crate) witness: ExpiryWitness,
}

impl Entry for TokenExpired {
    fn cause(&self) -> String {
        let witness = match &self.witness {
            ExpiryWitness::Sts(message) => format!("STS refused it: \"{}\".", sanitize(message)),
            ExpiryWitness::StsClock => "STS's clock shows the same.".to_owned(),
            ExpiryWitness::OwnClock => {
                "Only this container's clock says so; STS was not asked or gave no time.".to_owned()
            }
        };
        let (expires_at, issued_at) = (format_utc(self.expired_at), format_utc(self.issued_at));
        match self.now.duration_since(self.expired_at) {
            Ok(ago) => format!(
                "The token expired at {expires_at}, {} ago; it was issued at {issued_at}. {witness} The kubelet \
                 replaces a projected token at 80 % of its life, so either the kubelet of this node no longer does, \
                 or the file is a copy.",
                format_duration(ago)
            ),
            Err(_) => format!(
                "{witness} By what the token says it is valid until {expires_at}; it was issued at {issued_at}, and \
                 STS may think that too long ago."
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the node's kubelet works and reaches the API server:\nkubectl get node NODE -o wide\n\
             kubectl -n NAMESPACE get events --field-selector involvedObject.name=POD",
            "If AWS_WEB_IDENTITY_TOKEN_FILE names a copied file, point it at the projected one.",
            identity::delete_pod(None, None)
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("expires_at", format_utc(self.expired_at)).value("now", format_utc(self.now))
    }
}

#[derive(Debug, Clone)]
pub struct TokenNotYetValid {
    pub(crate) valid_from: SystemTime,
    /// The time by the clock of STS or, if that is not known, of this container.
    pub(crate) now: SystemTime,
    pub(crate) is_sts_clock: bool,
}

impl Entry for TokenNotYetValid {
    fn cause(&self) -> String {
        format!(
            "The token is valid from {} on, and {} clock shows {}: {}.",
            format_utc(self.valid_from),
            if self.is_sts_clock { "STS's" } else { "this container's" },
            format_utc(self.now),
            if self.is_sts_clock {
                "the clock of the API server that issued it is ahead"
            } else {
                "either the clock of this node is behind, or that of the API server is ahead"
            }
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.is_sts_clock {
            steps![
                "Look at the clock of the API server, in the headers of its answers, and set it right; then delete the \
                 pod:\nkubectl get --raw /version -v=8 2>&1 | grep -i 'date:'\nkubectl -n NAMESPACE delete pod POD"
            ]
        } else {
            vec![COMPARE_CLOCKS.to_owned()]
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("valid_from", format_utc(self.valid_from)).value("now", format_utc(self.now))
    }
}

/// The kubelet should have replaced the token by now.
#[derive(Debug, Clone)]
pub struct TokenNotRotated {
    pub(crate) issued_at: SystemTime,
    pub(crate) due_at: SystemTime,
    pub(crate) expires_at: SystemTime,
}

impl Entry for TokenNotRotated {
    fn cause(&self) -> String {
        format!(
            "The token was issued at {}, and the kubelet should have replaced it by {}. If nothing does, it \
             stops working at {}.",
            format_utc(self.issued_at),
            format_utc(self.due_at),
            format_utc(self.expires_at)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the node's kubelet works and reaches the API server:\nkubectl get node NODE -o wide\n\
             kubectl -n NAMESPACE get events --field-selector involvedObject.name=POD",
            "If the token file is a copy or a subPath mount, mount the projected volume itself: the kubelet \
             updates nothing else."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("rotation_due_at", format_utc(self.due_at))
    }
}

/// The clocks of this container and of STS differ too much.
#[derive(Debug, Clone)]
pub struct ClockSkewed {
    /// The time by this container's clock.
    pub(crate) local: SystemTime,
    /// The time by the clock of STS at the same moment.
    pub(crate) server: SystemTime,
    /// The message of STS, if it refused a call for that reason.
    pub(crate) refusal: Option<String>,
}

impl ClockSkewed {
    /// The difference of the clocks, and whether the local clock is ahead.
    pub(crate) fn skew(&self) -> (Duration, bool) {
        match self.local.duration_since(self.server) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        }
    }
}

impl Entry for ClockSkewed {
    fn cause(&self) -> String {
        let (skew, ahead) = self.skew();
        let refusal = self.refusal.as_ref().map_or_else(
            || "Tokens look expired or not yet valid, and AWS refuses requests signed with it.".to_owned(),
            |message| format!("STS refused the request for it: \"{}\".", sanitize(message)),
        );
        format!(
            "The clock of this node is {} {}: it shows {}, STS's shows {}. {refusal}",
            format_duration(skew),
            if ahead { "ahead" } else { "behind" },
            format_utc(self.local),
            format_utc(self.server)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            COMPARE_CLOCKS,
            "On EC2, let the node use the Amazon Time Sync Service (chrony, server 169.254.169.123)."
        ]
    }

    fn evidence(&self) -> Evidence {
        let (skew, ahead) = self.skew();
        let seconds = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX);
        Evidence::new()
            .value("clock_ahead_seconds", if ahead { seconds } else { -seconds })
            .value("local_time", format_utc(self.local))
            .value("sts_time", format_utc(self.server))
    }
}
