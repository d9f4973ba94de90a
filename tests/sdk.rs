//! The search for SDKs in roots that are made here: what is found, that nothing leads out of a root, and
//! that no file in it costs more than its bounds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and makes the files that are searched"
)]

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use irsa_probe::chain::SdkId;
use irsa_probe::sdk::{FoundSdk, Scan, ScanBudget, ScanEnd, StoppedBy, scan};
use proptest::prelude::*;
use tempfile::TempDir;
use testbed::archive::stored;

const V1_CHAIN: &str = "com/amazonaws/auth/DefaultAWSCredentialsProviderChain.class";
const V1_VERSION: &str = "com/amazonaws/sdk/versionInfo.properties";
const V1_STS: &str = "com/amazonaws/services/securitytoken/internal/STSProfileCredentialsService.class";
const V2_CHAIN: &str = "software/amazon/awssdk/auth/credentials/DefaultCredentialsProvider.class";
const V2_VERSION: &str = "META-INF/maven/software.amazon.awssdk/auth/pom.properties";
const V2_STS: &str =
    "software/amazon/awssdk/services/sts/internal/StsWebIdentityCredentialsProviderFactory.class";

/// A root with these files.
fn root(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn open(path: &Path) -> OwnedFd {
    fs::File::open(path).unwrap().into()
}

fn budget() -> ScanBudget {
    ScanBudget { entries: 10_000, bytes: 64 << 20, until: Instant::now() + Duration::from_secs(60) }
}

fn look(path: &Path) -> Scan {
    scan(open(path), None, budget())
}

/// Each SDK that was found as one line, in order.
fn lines(scan: &Scan) -> Vec<String> {
    let mut lines: Vec<String> = scan.found.iter().map(FoundSdk::line).collect();
    lines.sort();
    lines
}

fn v1(version: &str) -> Vec<u8> {
    stored([(V1_VERSION, format!("platform=java\nversion={version}\n").as_bytes()), (V1_CHAIN, b"")]).unwrap()
}

fn v2(version: &str) -> Vec<u8> {
    stored([(V2_VERSION, format!("artifactId=auth\nversion={version}\n").as_bytes()), (V2_CHAIN, b"")])
        .unwrap()
}

/// An ELF file whose one segment of data holds Go's list of modules, after so many bytes of something else.
fn go_program(list: &str, before: usize) -> Vec<u8> {
    let mut list_bytes = vec![0; 16];
    list_bytes.extend(list.as_bytes());
    list_bytes.extend([0; 16]);
    let mut data = vec![0x55; before];
    data.extend(b"\xff Go buildinf:\x08\x02");
    data.extend([0; 16]);
    data.extend(b"\x08go1.26.8");
    let mut length = list_bytes.len();
    while length >= 0x80 {
        data.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    data.push(u8::try_from(length).unwrap());
    data.extend(&list_bytes);

    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf[32..40].copy_from_slice(&64_u64.to_le_bytes());
    elf[54..56].copy_from_slice(&56_u16.to_le_bytes());
    elf[56..58].copy_from_slice(&1_u16.to_le_bytes());
    let offset = 0x80_u64;
    for word in [1_u32, 6] {
        elf.extend(word.to_le_bytes());
    }
    for word in [offset, 0x40_0080, 0x40_0080, u64::try_from(data.len()).unwrap(), 1 << 40, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.resize(usize::try_from(offset).unwrap(), 0);
    elf.extend(data);
    elf
}

const GO: &str = "path\tx\nmod\tx\t(devel)\t\n\
    dep\tgithub.com/aws/aws-sdk-go\tv1.23.12\th1:x=\n\
    dep\tgithub.com/aws/aws-sdk-go-v2/config\tv1.0.0\th1:x=\n=>\tgithub.com/fork/config\tv1.29.14\th1:x=\n";

#[test]
fn python_packages_are_known_by_their_metadata_or_their_source() {
    let source = b"# x\n__version__ = '1.20.1'\n";
    for (files, expected) in [
        (
            &["usr/lib/python3/site-packages/botocore-1.44.5.dist-info/METADATA"][..],
            &["boto 1.44.5 (/usr/lib/python3/site-packages/botocore-1.44.5.dist-info, package metadata)"][..],
        ),
        (
            &["usr/lib/python3/dist-packages/botocore-1.34.46.egg-info"],
            &["boto 1.34.46 (/usr/lib/python3/dist-packages/botocore-1.34.46.egg-info, package metadata)"],
        ),
        (
            &["lib/botocore-1.10.0-py3.6.egg-info/PKG-INFO"],
            &["boto 1.10.0 (/lib/botocore-1.10.0-py3.6.egg-info, package metadata)"],
        ),
        (&["opt/botocore/__init__.py"], &["boto 1.20.1 (/opt/botocore/__init__.py, source)"]),
        (
            &["botocore/__init__.py", "botocore-1.44.5.dist-info/METADATA"],
            &["boto 1.44.5 (/botocore-1.44.5.dist-info, package metadata)"],
        ),
        (
            &["a/botocore-1.1.1.dist-info/METADATA", "b/botocore-1.44.5.dist-info/METADATA"],
            &[
                "boto 1.1.1 (/a/botocore-1.1.1.dist-info, package metadata)",
                "boto 1.44.5 (/b/botocore-1.44.5.dist-info, package metadata)",
            ],
        ),
        (
            &["s/awscli-2.27.1.dist-info/METADATA", "s/awscli/botocore/__init__.py"],
            &["cliv2 2.27.1 (/s/awscli-2.27.1.dist-info, package metadata)"],
        ),
        (&["s/botocore_stubs-1.1.1.dist-info/METADATA", "s/awscli-1.1.1.dist-info/METADATA"], &[]),
    ] {
        let files: Vec<_> = files.iter().map(|path| (*path, &source[..])).collect();
        let scan = look(root(&files).path());
        assert_eq!((lines(&scan), scan.end), (owned(expected), ScanEnd::Whole));
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn javascript_packages_and_bundles_are_found() {
    let bundle = format!(
        "{}process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;{}VERSION:\"2.524.0\"",
        "x".repeat(256 << 10),
        " ".repeat(256 << 10)
    );
    // The text lies across the border of two pieces.
    let mut v3 = vec![b' '; (256 << 10) - 10];
    v3.extend(b"AWS_WEB_IDENTITY_TOKEN_FILE;import '@aws-sdk/nested-clients'");
    let root = root(&[
        ("app/node_modules/aws-sdk/package.json", br#"{"name":"aws-sdk","version":"2.1692.0"}"#),
        ("app/node_modules/@aws-sdk/credential-provider-node/package.json", br#"{"version":"3.850.0"}"#),
        ("app/node_modules/@aws-sdk/client-sts/package.json", br#"{"version":"3.1173.0"}"#),
        ("app/node_modules/x/node_modules/aws-sdk/package.json", b"no JSON"),
        ("app/node_modules/y/bundle.js", bundle.as_bytes()),
        ("srv/v2.cjs", bundle.as_bytes()),
        ("srv/v3.mjs", &v3),
    ]);
    let expected = [
        "jsv2 2.1692.0 (/app/node_modules/aws-sdk/package.json, package metadata)",
        "jsv2 2.524.0 (/srv/v2.cjs, bundled code)",
        "jsv2 ? (/app/node_modules/x/node_modules/aws-sdk/package.json, package metadata)",
        "jsv3 3.850.0 (/app/node_modules/@aws-sdk/credential-provider-node/package.json, package metadata)",
        "jsv3 ? (/srv/v3.mjs, bundled code)",
    ];
    assert_eq!(lines(&look(root.path())), owned(&expected));
}

#[test]
fn jars_are_read_in_place_however_deep() {
    let spring = stored([
        ("META-INF/MANIFEST.MF", b"x".to_vec()),
        ("BOOT-INF/lib/auth-2.31.78.jar", v2("2.31.78")),
        ("BOOT-INF/lib/sts-2.31.78.jar", stored([(V2_STS, "")]).unwrap()),
    ])
    .unwrap();
    let ear = stored([("web.war", stored([("WEB-INF/lib/core.jar", v1("1.11.700"))]).unwrap())]).unwrap();
    let relocated = stored([(format!("shaded/{V1_CHAIN}"), ""), (format!("shaded/{V1_STS}"), "")]).unwrap();
    let prefixed = [b"#!/bin/sh\nexec java -jar $0\n".to_vec(), v2("2.20.0")].concat();
    for (name, content, expected) in [
        ("app.jar", v1("1.12.788"), "jv1 1.12.788 (/app.jar, Java archive, without the sts module)"),
        (
            "app.jar",
            spring,
            "jv2 2.31.78 (/app.jar!/BOOT-INF/lib/auth-2.31.78.jar, Java archive, with the sts module)",
        ),
        (
            "app.ear",
            ear,
            "jv1 1.11.700 (/app.ear!/web.war!/WEB-INF/lib/core.jar, Java archive, without the sts module)",
        ),
        ("shaded.jar", relocated, "jv1 ? (/shaded.jar, Java archive, with the sts module)"),
        ("app.jar", prefixed, "jv2 2.20.0 (/app.jar, Java archive, without the sts module)"),
        (
            "auth-2.9.1.jar",
            stored([(V2_CHAIN, "")]).unwrap(),
            "jv2 2.9.1 (/auth-2.9.1.jar, Java archive, without the sts module)",
        ),
    ] {
        assert_eq!(lines(&look(root(&[(name, &content)]).path())), [expected]);
    }
}

/// An archive with one entry of this method and name, whose content is packed as it is given.
fn packed(name: &str, method: u16, content: &[u8]) -> Vec<u8> {
    let mut zip = stored([(name, content)]).unwrap();
    let record = zip.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
    zip[record + 10..record + 12].copy_from_slice(&method.to_le_bytes());
    zip
}

#[test]
fn an_archive_that_is_packed_in_another_is_known_by_its_name() {
    let core = packed("WEB-INF/lib/aws-java-sdk-core-1.11.600.jar", 8, b"?");
    let sts = packed("WEB-INF/lib/aws-java-sdk-sts-1.11.600.jar", 8, b"?");
    let found = |files: &[(&str, &[u8])]| lines(&look(root(files).path()));
    let place = "/a.war!/WEB-INF/lib/aws-java-sdk-core-1.11.600.jar";
    assert_eq!(
        found(&[("a.war", &core)]),
        [format!("jv1 1.11.600 ({place}, Java archive, without the sts module)")]
    );
    assert_eq!(
        found(&[("a.war", &core), ("b.war", &sts)]),
        [format!("jv1 1.11.600 ({place}, Java archive, with the sts module)")]
    );
}

#[test]
fn properties_are_unpacked_up_to_a_bound() {
    // Raw deflate: a stored block, and 4 MiB of one letter.
    let text = b"version=1.11.704\n";
    let length = u16::try_from(text.len()).unwrap();
    let mut small = vec![1];
    small.extend(length.to_le_bytes());
    small.extend((!length).to_le_bytes());
    small.extend(text);
    let bomb =
        miniz_oxide::deflate::compress_to_vec(&[b"version=1.11.704\n", &[b'x'; 4 << 20][..]].concat(), 9);
    assert!(bomb.len() < 16 << 10, "it is read");
    for (content, expected) in [(small, Some("1.11.704")), (bomb, None), (b"\xff\xff".to_vec(), None)] {
        let scan = look(root(&[("a.jar", &packed(V1_VERSION, 8, &content))]).path());
        assert_eq!(scan.found.first().and_then(|found| found.version.as_deref()), expected);
    }
}

#[test]
fn a_go_program_answers_for_itself() {
    let root = root(&[
        ("app/botocore-1.44.5.dist-info/METADATA", b""),
        ("bin/server", &go_program(GO, 32)),
        ("bin/late", &go_program(GO, (64 << 10) - 16)),
        ("bin/none", &go_program("path\tx\n", 0)),
        ("bin/unaligned", &go_program(GO, 7)),
    ]);
    let with = |name: &str| scan(open(root.path()), Some(open(&root.path().join(name))), budget());
    let expected = [
        "gov1 1.23.12 (the process's executable, Go build info)",
        "gov2 1.29.14 (the process's executable, Go build info)",
    ];
    for name in ["bin/server", "bin/late"] {
        let scan = with(name);
        assert_eq!((lines(&scan), scan.entries), (owned(&expected), 0), "{name}");
    }
    let python = ["boto 1.44.5 (/app/botocore-1.44.5.dist-info, package metadata)"];
    for name in ["bin/none", "bin/unaligned", "app"] {
        assert_eq!(lines(&with(name)), python, "{name}");
    }
}

#[test]
fn programs_below_the_root_are_looked_into_where_no_process_is_known() {
    use std::os::unix::fs::PermissionsExt;
    let mut program = go_program(GO, 0);
    program.resize(2 << 20, 0);
    let root = root(&[("app/server", &program), ("app/data.bin", &program)]);
    assert!(look(root.path()).found.is_empty(), "neither may be executed");
    fs::set_permissions(root.path().join("app/server"), fs::Permissions::from_mode(0o755)).unwrap();
    let scan = look(root.path());
    assert_eq!(scan.found.iter().map(|found| found.sdk).collect::<Vec<_>>(), [SdkId::GoV2, SdkId::GoV1]);
}

#[test]
fn nothing_leads_out_of_the_root_and_nothing_but_files_is_opened() {
    let secret = root(&[
        ("botocore-1.44.5.dist-info/METADATA", b""),
        ("out.jar", &v1("1.12.788")),
        ("aws-sdk/package.json", br#"{"version":"2.1.0"}"#),
        ("package.json", br#"{"version":"2.1.0"}"#),
    ]);
    let outside = secret.path();
    let root = root(&[("app/node_modules/aws-sdk/index.js", b""), ("app/botocore/x", b"")]);
    let at = |path: &str| root.path().join(path);
    symlink(outside, at("folder")).unwrap();
    symlink(outside.join("out.jar"), at("app/out.jar")).unwrap();
    symlink(outside.join("package.json"), at("app/node_modules/aws-sdk/package.json")).unwrap();
    symlink("../".repeat(40) + outside.to_str().unwrap(), at("up")).unwrap();
    symlink("/proc/self/root", at("magic")).unwrap();
    symlink(".", at("circle")).unwrap();
    for name in ["fifo.jar", "fifo.js", "app/botocore/__init__.py"] {
        rustix::fs::mknodat(rustix::fs::CWD, at(name), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    }
    std::os::unix::net::UnixListener::bind(at("socket.js")).unwrap();

    let scan = look(root.path());
    assert_eq!((lines(&scan), scan.end), (Vec::new(), ScanEnd::Whole));
    assert_eq!(scan.bytes, 0);
    assert_eq!(scan.unreadable, 2, "package.json is a link, __init__.py a pipe");
}

#[test]
fn kernel_file_systems_are_not_entered() {
    let scan = scan(open(Path::new("/proc/self")), None, budget());
    assert_eq!((scan.entries, scan.end), (0, ScanEnd::Whole));
}

#[test]
fn a_bound_that_is_reached_is_named() {
    let files: Vec<String> = (0..50).map(|number| format!("d{number}/x.js")).collect();
    let files: Vec<_> = files.iter().map(|path| (path.as_str(), &b"12345678"[..])).collect();
    let root = root(&files);
    let whole = budget();
    let spent = |budget| {
        let scan = scan(open(root.path()), None, budget);
        (scan.end, scan.entries, scan.bytes)
    };
    assert_eq!(spent(whole), (ScanEnd::Whole, 100, 400));
    let by = ScanEnd::Stopped;
    assert_eq!(spent(ScanBudget { entries: 60, ..whole }), (by(StoppedBy::Entries), 60, 0));
    assert_eq!(spent(ScanBudget { bytes: 100, ..whole }), (by(StoppedBy::Bytes), 100, 96));
    assert_eq!(spent(ScanBudget { until: Instant::now(), ..whole }), (by(StoppedBy::Time), 0, 0));
    let file = scan(open(&root.path().join("d1/x.js")), None, whole);
    assert_eq!(file.end, by(StoppedBy::Root));
}

#[test]
fn a_module_is_missing_only_where_everything_was_seen() {
    let root = root(&[("a/core.jar", &v1("1.12.788")), ("a/x.js", &[b' '; 4096])]);
    let bytes = scan(open(root.path()), None, budget()).bytes;
    let found = |bytes| scan(open(root.path()), None, ScanBudget { bytes, ..budget() }).found;
    assert_eq!(found(bytes).first().map(|found| found.sts_module), Some(Some(false)));
    assert_eq!(found(bytes - 1).first().map(|found| found.sts_module), Some(None));
}

#[test]
fn no_tree_takes_the_memory_and_no_archive_the_time() {
    // Paths that would take more memory than is kept, of folders that are never reached.
    let deep = tempfile::tempdir().unwrap();
    let long = "x".repeat(240);
    let folder = deep.path().join(vec![long.as_str(); 14].join("/"));
    fs::create_dir_all(&folder).unwrap();
    for number in 0..1500 {
        fs::create_dir(folder.join(format!("{number}{long}"))).unwrap();
    }
    let budget = budget();
    assert_eq!(scan(open(deep.path()), None, budget).end, ScanEnd::Stopped(StoppedBy::Entries));

    // An archive each of whose many jars is the archive itself.
    let mut quine = stored((0..400).map(|number| (format!("{number}.jar"), [b'.'; 8]))).unwrap();
    let size = u32::try_from(quine.len()).unwrap();
    let records: Vec<usize> =
        quine.windows(4).enumerate().filter(|(_, at)| *at == b"PK\x01\x02").map(|(at, _)| at).collect();
    assert_eq!(records.len(), 400);
    for at in records {
        quine[at + 20..at + 24].copy_from_slice(&size.to_le_bytes());
    }
    let root = root(&[("quine.jar", &quine)]);
    assert!(scan(open(root.path()), None, budget).bytes <= budget.bytes);
}

/// The file with some bytes replaced.
fn mutated(original: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((0..original.len(), any::<u8>()), 1..12);
    edits.prop_map(move |edits| {
        let mut bytes = original.clone();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_archive_does_no_harm(
        jar in mutated(stored([("BOOT-INF/lib/auth.jar", v2("2.31.78")), (V1_VERSION, b"version=1".to_vec())]).unwrap()),
        cut in 0..1000_usize,
    ) {
        let root = root(&[("whole.jar", &jar), ("cut.jar", &jar[..cut.min(jar.len())])]);
        prop_assert_eq!(look(root.path()).end, ScanEnd::Whole);
    }

    #[test]
    fn a_damaged_program_does_no_harm(program in mutated(go_program(GO, 16))) {
        let root = root(&[("server", &program)]);
        let exe = Some(open(&root.path().join("server")));
        prop_assert_eq!(scan(open(root.path()), exe, budget()).end, ScanEnd::Whole);
    }
}
