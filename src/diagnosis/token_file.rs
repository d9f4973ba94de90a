//! The token file cannot be read or used.

use std::path::{Path, PathBuf};

use super::{Catalogued, Entry, Owner};
use crate::evidence::Evidence;
use crate::host::{FileKind, FileStat, Folder, ProcessUser};
use crate::text::{format_duration, sanitize};
use crate::token::MAX_STS_TOKEN_BYTES;
use std::time::Duration;

fn path_text(path: &Path) -> String {
    sanitize(&path.to_string_lossy())
}

/// The path, owner, group and mode of the file.
pub(crate) fn file_evidence(path: &Path, stat: Option<&FileStat>) -> Evidence {
    let evidence = Evidence::new().text("token_file", &path.to_string_lossy());
    match stat {
        Some(stat) => evidence
            .value("file_owner", stat.uid)
            .value("file_group", stat.gid)
            .value("file_mode", stat.octal_mode()),
        None => evidence,
    }
}

/// The variable has the token itself instead of its path.
#[derive(Debug, Clone)]
pub struct TokenFileVarHoldsToken;

impl Entry for TokenFileVarHoldsToken {
    fn cause(&self) -> String {
        "AWS_WEB_IDENTITY_TOKEN_FILE holds a token, and the path of the token's file belongs there. \
         Whoever may read the pod spec can read that token."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Remove the variable from the pod spec, and let the service account's annotation inject it.",
            super::identity::delete_pod(None, None)
        ]
    }
}

#[derive(Debug, Clone)]
pub struct TokenFileMissing {
    pub(crate) path: PathBuf,
    /// The longest part of the path that exists.
    pub(crate) exists: Option<PathBuf>,
    /// The folder of the file, if it exists and can be listed.
    pub(crate) folder: Option<Folder>,
    /// Whether the symbolic links of the path form a loop.
    pub(crate) circular: bool,
}

/// The folder of the data that the kubelet projects, beside the links into it.
const KUBELET_DATA: &str = "..data";

/// Why a token file does not exist, as far as its path shows it.
enum MissingBecause<'a> {
    /// The symbolic links of the path lead in a circle.
    Circle,
    /// The kubelet's link is there, and the data that it leads to is not.
    DataIsMissing,
    /// Another symbolic link leads to nothing.
    LinkLeadsNowhere(&'a Path),
    /// The volume's folder is there and empty.
    VolumeIsEmpty { is_mount: bool },
    /// The folder has only files of other names.
    OtherNames(&'a [String]),
    /// The folder is not there, or its content is not known.
    NotMounted,
}

impl TokenFileMissing {
    fn because(&self) -> MissingBecause<'_> {
        let link = self.folder.as_ref().and_then(|folder| folder.link.as_deref());
        match (&self.folder, link) {
            _ if self.circular => MissingBecause::Circle,
            (_, Some(link)) if link.starts_with(KUBELET_DATA) => MissingBecause::DataIsMissing,
            (_, Some(link)) => MissingBecause::LinkLeadsNowhere(link),
            (Some(folder), _) if folder.names.is_empty() => {
                MissingBecause::VolumeIsEmpty { is_mount: folder.is_mount }
            }
            (Some(folder), _) => MissingBecause::OtherNames(&folder.names),
            (None, _) => MissingBecause::NotMounted,
        }
    }
}

impl Entry for TokenFileMissing {
    fn cause(&self) -> String {
        let path = path_text(&self.path);
        let folder = self.path.parent().map(path_text).unwrap_or_default();
        match self.because() {
            MissingBecause::Circle => {
                format!("The token file {path} does not exist: its symbolic links lead in a circle.")
            }
            MissingBecause::DataIsMissing => format!(
                "The token file {path} is a symbolic link that leads to nothing. The kubelet makes such a link when it \
                 mounts a volume, and the data behind the link is not there: the volume is mounted and was not filled."
            ),
            MissingBecause::LinkLeadsNowhere(link) => format!(
                "The token file {path} is a symbolic link to {}, which does not exist in the container.",
                path_text(link)
            ),
            MissingBecause::VolumeIsEmpty { is_mount: true } => format!(
                "The token file {path} does not exist. Its folder {folder} is mounted and empty: the volume was not \
                 filled. The pod and its variables are not at fault; the kubelet of the node, or what acts as a kubelet \
                 there, writes the token."
            ),
            MissingBecause::VolumeIsEmpty { is_mount: false } => format!(
                "The token file {path} does not exist. Its folder {folder} exists and is empty. Images have no such \
                 folder, so most likely the volume was mounted and not filled: the kubelet of the node, or what acts as \
                 a kubelet there, writes the token."
            ),
            MissingBecause::OtherNames(names) => {
                let names: Vec<String> = names.iter().map(|name| sanitize(name)).collect();
                format!(
                    "The token file {path} does not exist. Its folder exists and holds {}: AWS_WEB_IDENTITY_TOKEN_FILE \
                     names another file than the volume has, or another volume is mounted there.",
                    names.join(", ")
                )
            }
            MissingBecause::NotMounted => {
                let seen = self.exists.as_ref().map_or_else(String::new, |part| {
                    format!(" Of its path only {} exists.", path_text(part))
                });
                format!(
                    "The token file {path} does not exist in the container.{seen} The variable is set, so either the \
                     volume aws-iam-token is not mounted there, or the variable was copied from elsewhere."
                )
            }
        }
    }

    fn remedy(&self) -> Vec<String> {
        match self.because() {
            MissingBecause::DataIsMissing | MissingBecause::VolumeIsEmpty { .. } => steps![
                "Check what the node and its events say of the pod's volumes. A node of a virtual kubelet must support \
                 projected volumes (serviceAccountToken):\n\
                 kubectl -n NAMESPACE describe pod POD\n\
                 kubectl -n NAMESPACE get pod POD -o jsonpath='{.spec.nodeName} {.spec.volumes[?(@.name==\"aws-iam-token\")]}{\"\\n\"}'",
                "If pods on other nodes have their token, keep the workload off this node until its kubelet is repaired.",
                super::identity::delete_pod(None, None)
            ],
            MissingBecause::OtherNames(_) => steps![
                "Set AWS_WEB_IDENTITY_TOKEN_FILE in the pod's template to the path of the token in its volume, or remove \
                 it and AWS_ROLE_ARN there, so that the webhook injects both. The volumes and their files:\n\
                 kubectl -n NAMESPACE get pod POD -o jsonpath='{.spec.volumes}{\"\\n\"}'",
                super::identity::delete_pod(None, None)
            ],
            MissingBecause::Circle | MissingBecause::LinkLeadsNowhere(_) | MissingBecause::NotMounted => {
                steps![
                    "Check where the volume is mounted in each container:\n\
                 kubectl -n NAMESPACE get pod POD -o jsonpath='{range .spec.containers[*]}{.name} {.volumeMounts}{\"\\n\"}{end}'",
                    "Remove AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE from the pod spec, so that the webhook \
                 injects variables and volume together.",
                    super::identity::delete_pod(None, None)
                ]
            }
        }
    }

    fn evidence(&self) -> Evidence {
        let exists = self.exists.as_ref().map(|path| path.to_string_lossy().into_owned());
        let evidence = file_evidence(&self.path, None).text_if("existing_part", exists.as_deref());
        match &self.folder {
            Some(folder) => {
                evidence.texts("folder_holds", &folder.names).value("folder_is_mount", folder.is_mount)
            }
            None => evidence,
        }
    }

    fn owner(&self) -> Owner {
        match self.because() {
            MissingBecause::DataIsMissing | MissingBecause::VolumeIsEmpty { .. } => Owner::Node,
            _ => self.name().owner(),
        }
    }
}

/// The permissions do not allow reading the file.
#[derive(Debug, Clone)]
pub struct TokenFileUnreadable {
    pub(crate) path: PathBuf,
    /// Owner, group and mode, unless a directory denies access.
    pub(crate) stat: Option<FileStat>,
    pub(crate) who: ProcessUser,
}

impl Entry for TokenFileUnreadable {
    fn cause(&self) -> String {
        let path = path_text(&self.path);
        let ProcessUser { uid, gid, groups } = &self.who;
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let file = self.stat.map_or_else(
            || "a directory above it forbids access".to_owned(),
            |stat| {
                format!(
                    "it belongs to user {} and group {} with mode {}",
                    stat.uid,
                    stat.gid,
                    stat.octal_mode()
                )
            },
        );
        format!(
            "User {uid}, group {gid} (supplementary groups: {}), by which it was looked at, may not read the \
             token file {path}: {file}.",
            if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Give the pod an fsGroup, so that the kubelet lets its group read the token (any number \
             does; 65534 is usual):\n\
             spec:\n  securityContext:\n    fsGroup: 65534",
            "If the volume was written by hand with a defaultMode, remove the defaultMode or make it 0644.",
            "If the program changes its user after the start (su-exec, gosu), let the container start as \
             that user instead (runAsUser)."
        ]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, self.stat.as_ref())
            .value("uid", self.who.uid)
            .value("gid", self.who.gid)
            .value("groups", self.who.groups.clone())
    }
}

/// The path leads to something other than a regular file.
#[derive(Debug, Clone)]
pub struct TokenFileNotRegular {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
}

impl Entry for TokenFileNotRegular {
    fn cause(&self) -> String {
        let hint = if self.kind == FileKind::Directory {
            " The path of the file in it belongs in AWS_WEB_IDENTITY_TOKEN_FILE."
        } else {
            " It was not opened."
        };
        format!("{} is {}, and not a regular file.{hint}", path_text(&self.path), self.kind.as_str())
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Point AWS_WEB_IDENTITY_TOKEN_FILE at the token, or remove it from the pod spec and let the \
             webhook set it. What is mounted at {}:\n\
             kubectl -n NAMESPACE get pod POD -o jsonpath=\'{{range .spec.containers[*]}}{{.name}} {{.volumeMounts}}{{\"\\n\"}}{{end}}\'",
            path_text(&self.path)
        )]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, None).value("file_kind", self.kind.as_str())
    }
}

#[derive(Debug, Clone)]
pub struct TokenFileEmpty {
    pub(crate) path: PathBuf,
    pub(crate) stat: FileStat,
}

impl Entry for TokenFileEmpty {
    fn cause(&self) -> String {
        format!(
            "The token file {} is empty. A token that the kubelet projects never is, so the file comes \
             from elsewhere: a Secret or ConfigMap without content, a subPath mount, or a script.",
            path_text(&self.path)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See which volume is mounted there; it should be the projected volume aws-iam-token:\n\
             kubectl -n NAMESPACE get pod POD -o yaml",
            super::identity::delete_pod(None, None)
        ]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, Some(&self.stat))
    }
}

/// The file is longer than any token that STS accepts.
#[derive(Debug, Clone)]
pub struct TokenFileTooLarge {
    pub(crate) path: PathBuf,
    pub(crate) stat: FileStat,
}

impl Entry for TokenFileTooLarge {
    fn cause(&self) -> String {
        format!(
            "The token file {} has {} bytes, and STS takes at most {MAX_STS_TOKEN_BYTES} characters: this is \
             not a service account token.",
            path_text(&self.path),
            self.stat.size
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See which file AWS_WEB_IDENTITY_TOKEN_FILE names and what writes it; remove the variable \
             from the pod spec to let the webhook set it.",
            super::identity::delete_pod(None, None)
        ]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, Some(&self.stat)).value("file_bytes", self.stat.size)
    }
}

/// What is wrong in a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Corruption {
    NotText(usize),
    /// Something else after the token, from this byte on.
    Trailing(usize),
}

/// The file has more than a token, or is not text.
#[derive(Debug, Clone)]
pub struct TokenFileCorrupt {
    pub(crate) path: PathBuf,
    pub(crate) stat: FileStat,
    pub(crate) corruption: Corruption,
}

impl Entry for TokenFileCorrupt {
    fn cause(&self) -> String {
        let what = match self.corruption {
            Corruption::NotText(at) => format!("byte {at} is not text"),
            Corruption::Trailing(at) => {
                format!("a token ends at byte {at}, and something else follows it, often a log line")
            }
        };
        format!("The token file {} is spoilt: {what}.", path_text(&self.path))
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Find what writes the file. The kubelet writes the token and nothing else; a script that \
             redirects a command's error output into the file adds its log lines.",
            super::identity::delete_pod(None, None)
        ]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, Some(&self.stat)).value("file_bytes", self.stat.size)
    }
}

/// Why reading failed although the permissions allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadFault {
    Errno(Option<i32>),
    /// The file system did not answer in time.
    Slow(Duration),
}

#[derive(Debug, Clone)]
pub struct TokenFileReadFailed {
    pub(crate) path: PathBuf,
    pub(crate) fault: ReadFault,
}

impl Entry for TokenFileReadFailed {
    fn cause(&self) -> String {
        let why = match &self.fault {
            ReadFault::Errno(Some(number)) => std::io::Error::from_raw_os_error(*number).to_string(),
            ReadFault::Errno(None) => "the read did not complete".to_owned(),
            ReadFault::Slow(after) => {
                format!("the file system gave no answer within {}", format_duration(*after))
            }
        };
        format!(
            "Reading the token file {} failed, although no permission forbids it: {why}.",
            path_text(&self.path)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Check that AWS_WEB_IDENTITY_TOKEN_FILE names the file that the webhook mounts. If it names one of another \
             file system, remove it from the pod spec.",
            "Check the node, if the file is the webhook's: it lies on a tmpfs that the kubelet mounts.\n\
             kubectl -n NAMESPACE get pod POD -o wide\nkubectl describe node NODE"
        ]
    }

    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, None)
    }
}
