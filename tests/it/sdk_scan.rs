//! The search for SDKs in roots that are made here: what is found, that nothing leads out of a root, and
//! that no file in it costs more than its bounds.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use irsa_probe::host::{Clock, Pod, Program};
use irsa_probe::sdk_scan::{FoundSdk, RuntimeHint, Scan, ScanBudget, StoppedBy, scan};
use proptest::prelude::*;
use sdk_chain::SdkId;
use serde_json::Value;
use tempfile::TempDir;
use testbed::archive::stored;
use testbed::scenario::Scenario;
use testbed::world::World;

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

/// The same where a process runs the program, which lies at this path, in a folder.
fn look_through(root: &Path, program: &str, folder: &str) -> Scan {
    let file = fs::File::open(root.join(program.trim_start_matches('/'))).ok().map(OwnedFd::from);
    let working_directory = PathBuf::from(folder);
    let program = Program {
        file,
        path: Some(program.into()),
        working_directory: Some(working_directory),
        has_its_rights: false,
    };
    scan(open(root), Some(program), budget())
}

/// Each SDK that was found as one line, in order.
fn lines(scan: &Scan) -> Vec<String> {
    let mut lines: Vec<String> = scan.found.iter().map(FoundSdk::describe).collect();
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
fn python_packages_are_found_by_metadata_or_source() {
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
        (
            &[
                "usr/local/aws-cli/v2/2.27.1/dist/botocore/__init__.py",
                "usr/local/aws-cli/lib/botocore/__init__.py",
            ],
            &["cliv2 2.27.1 (/usr/local/aws-cli/v2/2.27.1, package metadata)"],
        ),
        (&["opt/google-cloud-sdk/lib/botocore/__init__.py"], &[]),
        (&["s/botocore_stubs-1.1.1.dist-info/METADATA", "s/awscli-1.1.1.dist-info/METADATA"], &[]),
    ] {
        let files: Vec<_> = files.iter().map(|path| (*path, &source[..])).collect();
        let scan = look(root(&files).path());
        assert_eq!((lines(&scan), scan.stopped_by), (owned(expected), None));
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn javascript_packages_and_bundles_are_found() {
    let bundle = format!(
        "VERSION:\"2.5.0\"{}process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;{}VERSION:\"2.524.0\",Signers:{{}}",
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
fn nested_jars_are_read() {
    let spring = stored([
        ("META-INF/MANIFEST.MF", b"x".to_vec()),
        ("BOOT-INF/lib/auth-2.31.78.jar", v2("2.31.78")),
        ("BOOT-INF/lib/sts-2.31.78.jar", stored([(V2_STS, "")]).unwrap()),
    ])
    .unwrap();
    let ear = stored([("web.war", stored([("WEB-INF/lib/core.jar", v1("1.11.700"))]).unwrap())]).unwrap();
    let relocated = stored([(format!("shaded/{V1_CHAIN}"), ""), (format!("shaded/{V1_STS}"), "")]).unwrap();
    let moved = stored([(format!("shaded/{V1_CHAIN}"), "")]).unwrap();
    let nar = stored([("a.jar", v2("2.31.78")), ("b.zip", stored([(V2_STS, "")]).unwrap())]).unwrap();
    let sts = stored([(V1_STS, "")]).unwrap();
    let deeper = |inner: Vec<u8>| stored([("x.jar", inner)]).unwrap();
    let deep = stored([("core.jar", v1("1.12.788")), ("a.war", deeper(deeper(deeper(sts))))]).unwrap();
    let half = stored([("core.jar", v1("1.12.788")), ("torn.jar", b"PK".to_vec())]).unwrap();
    let data = stored([("core.jar", v1("1.12.788")), ("data.zip", b"PK".to_vec())]).unwrap();
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
        ("moved.jar", moved, "jv1 ? (/moved.jar, Java archive)"),
        ("app.nar", nar, "jv2 2.31.78 (/app.nar!/a.jar, Java archive, with the sts module)"),
        ("deep.ear", deep, "jv1 1.12.788 (/deep.ear!/core.jar, Java archive)"),
        ("half.jar", half, "jv1 1.12.788 (/half.jar!/core.jar, Java archive)"),
        ("data.jar", data, "jv1 1.12.788 (/data.jar!/core.jar, Java archive, without the sts module)"),
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
fn compressed_nested_jar_is_known_by_its_name() {
    let war = |name: &str| packed(&format!("WEB-INF/lib/{name}.jar"), 8, b"?");
    let core = war("aws-java-sdk-core-1.11.600");
    let found = |others: &[&str]| {
        let others: Vec<_> =
            others.iter().zip(0..).map(|(name, n)| (format!("{n}.war"), war(name))).collect();
        let others = others.iter().map(|(path, war)| (path.as_str(), war.as_slice()));
        let files: Vec<_> = others.chain([("a.war", core.as_slice())]).collect();
        let scan = look(root(&files).path());
        (lines(&scan), scan.closed_archives)
    };
    let core = |sts| {
        let place = "/a.war!/WEB-INF/lib/aws-java-sdk-core-1.11.600.jar";
        format!("jv1 1.11.600 ({place}, Java archive{sts})")
    };
    assert_eq!(found(&[]), (vec![core(", without the sts module")], 0));
    for sts in ["aws-java-sdk-sts-1.11.600", "com.amazonaws.aws-java-sdk-sts-1.11.600"] {
        assert_eq!(found(&[sts]), (vec![core(", with the sts module")], 0), "{sts}");
    }
    let (lines, closed) = found(&["aws-java-sdk-bundle-1.12.700"]);
    assert_eq!((lines.iter().all(|line| line.contains(", with the sts module")), closed), (true, 0));
    // What is in it, nobody can see.
    assert_eq!(found(&["app-all", "spring-core-6.1"]), (vec![core("")], 2));
}

#[test]
fn exploded_classes_count_like_jars() {
    let version = b"version=2.31.78\n";
    let at = |path: &str| format!("app/classes/{path}");
    let (chain, properties, sts) = (at(V2_CHAIN), at(V2_VERSION), at(V2_STS));
    let found = |files: &[(&str, &[u8])]| lines(&look(root(files).path()));
    assert_eq!(found(&[(&chain, b"")]), [format!("jv2 ? (/{chain}, Java classes)")]);
    assert_eq!(
        found(&[(&chain, b""), (&properties, version), (&sts, b"")]),
        [format!("jv2 2.31.78 (/{properties}, Java classes, with the sts module)")]
    );
    let jar = v2("2.31.78");
    assert_eq!(
        found(&[("app/lib/auth.jar", &jar), (&sts, b"")]),
        ["jv2 2.31.78 (/app/lib/auth.jar, Java archive, with the sts module)"]
    );
}

#[test]
fn unpacked_properties_are_bounded() {
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
fn go_programs_are_read_by_their_build_info() {
    let forked =
        GO.replace("github.com/fork/config\tv1.29.14", "github.com/aws/aws-sdk-go-v2/config\tv1.29.14");
    let commit = GO.replace("v1.23.12", "v0.0.0-20190801000000-abcdefabcdef");
    let root = root(&[
        ("app/botocore-1.44.5.dist-info/METADATA", b""),
        ("bin/server", &go_program(GO, 32)),
        ("bin/late", &go_program(GO, (64 << 10) - 16)),
        ("bin/same", &go_program(&forked, 0)),
        ("bin/commit", &go_program(&commit, 0)),
        ("bin/none", &go_program("path\tx\n", 0)),
        ("bin/unaligned", &go_program(GO, 7)),
    ]);
    let with = |name: &str| {
        let scan = look_through(root.path(), name, "/");
        (lines(&scan), scan.entries > 0, scan.runtime)
    };
    let v1 = |version| format!("gov1 {version} (the process's executable, Go build info)");
    let v2 = |version| format!("gov2 {version} (the process's executable, Go build info)");
    for name in ["/bin/server", "/bin/late"] {
        assert_eq!(with(name), (vec![v1("1.23.12"), v2("?")], false, RuntimeHint::Go), "{name}");
    }
    assert_eq!(with("/bin/same"), (vec![v1("1.23.12"), v2("1.29.14")], false, RuntimeHint::Go));
    assert_eq!(with("/bin/commit"), (vec![v1("?"), v2("?")], false, RuntimeHint::Go));
    assert_eq!(with("/bin/none"), (vec![], false, RuntimeHint::Go), "that it has none is an answer, too");
    let python = vec!["boto 1.44.5 (/app/botocore-1.44.5.dist-info, package metadata)".to_owned()];
    for name in ["/bin/unaligned", "/app", "/gone"] {
        assert_eq!(with(name), (python.clone(), true, RuntimeHint::Other), "{name}");
    }
}

#[test]
fn interpreters_lead_only_to_their_own_packages() {
    use std::os::unix::fs::PermissionsExt;
    let mut program = go_program(GO, 0);
    program.resize(2 << 20, 0);
    let bundle = b"AWS_WEB_IDENTITY_TOKEN_FILE;import '@aws-sdk/nested-clients'";
    let root = root(&[
        ("app/botocore-1.44.5.dist-info/METADATA", b""),
        ("app/node_modules/aws-sdk/package.json", br#"{"version":"2.1692.0"}"#),
        ("app/dist/main.js", bundle),
        ("app/lib/auth.jar", &v2("2.31.78")),
        ("app/server", &program),
        ("bin/python3.11", b""),
        ("bin/node", b""),
        ("bin/java", b""),
        ("bin/ruby", b""),
    ]);
    fs::set_permissions(root.path().join("app/server"), fs::Permissions::from_mode(0o755)).unwrap();
    use SdkId::{Boto, GoV1, GoV2, JavaV2, JsV2, JsV3};
    for (program, expected) in [
        ("/bin/python3.11", &[Boto][..]),
        ("/bin/node", &[JsV3, JsV2]),
        ("/bin/java", &[JavaV2]),
        ("/gone/java", &[JavaV2]),
        ("/bin/ruby", &[Boto, JsV3, JsV2, JavaV2]),
        ("/gone/server", &[Boto, JsV3, JsV2, GoV2, GoV1, JavaV2]),
    ] {
        let mut found: Vec<_> =
            look_through(root.path(), program, "/app").found.iter().map(|found| found.sdk).collect();
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected, "{program}");
    }
}

#[test]
fn application_comes_before_the_distribution() {
    let many: Vec<String> = (0..300).map(|number| format!("usr/lib/x/{number}")).collect();
    let mut files: Vec<(&str, &[u8])> = many.iter().map(|path| (path.as_str(), &b""[..])).collect();
    let apps = [
        "app/a/botocore-1.44.1.dist-info/METADATA",
        "usr/local/lib/botocore-1.44.2.dist-info/METADATA",
        "custom/botocore-1.44.3.dist-info/METADATA",
        "data/x/botocore-1.44.4.dist-info/METADATA",
        "usr/share/app/botocore-1.44.5.dist-info/METADATA",
        "usr/lib/python3/botocore-1.44.6.dist-info/METADATA",
    ];
    files.extend(apps.iter().map(|path| (*path, &b""[..])));
    let root = root(&files);
    symlink("app", root.path().join("srv")).unwrap();
    let versions = |first: Option<&str>, entries| {
        let program = first.map(|folder| Program {
            file: None,
            path: None,
            working_directory: Some(folder.into()),
            has_its_rights: false,
        });
        let scan = scan(open(root.path()), program, ScanBudget { entries, ..budget() });
        let numbers: Vec<_> = scan.found.iter().map(|found| found.version.clone().unwrap()).collect();
        (numbers.join(" "), scan.unreadable)
    };
    assert!(versions(None, 30).0.starts_with("1.44.1 1.44.2 1.44.3"), "{:?}", versions(None, 30));
    assert!(versions(Some("/data/x"), 10).0.starts_with("1.44.4"), "{:?}", versions(Some("/data/x"), 10));
    let all = "1.44.1 1.44.2 1.44.3 1.44.6 1.44.5 1.44.4";
    let (found, entries) = (versions(None, 10_000), look(root.path()).entries);
    assert_eq!(found.0.split(' ').take(4).collect::<Vec<_>>(), all.split(' ').take(4).collect::<Vec<_>>());
    for first in ["/data/x", "/usr/share/app", "/app/a", "/", "gone", "/usr/lib/x", "/srv"] {
        let sorted = |text: &str| {
            let mut numbers: Vec<_> = text.split(' ').map(str::to_owned).collect();
            numbers.sort();
            numbers
        };
        // Every folder once, whichever is the first.
        let (numbers, unreadable) = versions(Some(first), entries);
        assert_eq!((sorted(&numbers), unreadable), (sorted(all), 0), "{first}");
    }
}

#[test]
fn unreadable_entries_are_counted() {
    use std::os::unix::fs::PermissionsExt;
    let jar = v1("1.12.788");
    let files: &[(&str, &[u8])] = &[("opt/core.jar", &jar), ("home/app/x", b""), ("root/x", b"")];
    let root = root(files);
    for folder in ["home/app", "root"] {
        fs::set_permissions(root.path().join(folder), fs::Permissions::from_mode(0o000)).unwrap();
    }
    // Root reads everything; as another user it may look up what it may not read.
    let looked = std::thread::scope(|scope| {
        let as_other = || {
            if rustix::process::geteuid().is_root() {
                fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
                let user = rustix::process::Uid::from_raw(65_532);
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            }
            let as_target = Program { file: None, path: None, working_directory: None, has_its_rights: true };
            [None, Some(as_target)].map(|program| scan(open(root.path()), program, budget()))
        };
        scope.spawn(as_other).join().unwrap()
    });
    for folder in ["home/app", "root"] {
        fs::set_permissions(root.path().join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let [unlike, like] = looked;
    assert_eq!((unlike.unreadable, unlike.unseen, like.unreadable, like.unseen), (2, 1, 2, 0));
    assert_eq!(unlike.found[0].sts_module, None, "it may be in what was not seen");
    assert_eq!(like.found[0].sts_module, Some(false), "the process sees no more");
    assert!(!unlike.is_certain());
}

#[test]
fn programs_are_searched_without_a_process() {
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
fn search_stays_below_the_root_and_opens_only_files() {
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
    assert_eq!((lines(&scan), scan.stopped_by), (Vec::new(), None));
    assert_eq!(scan.bytes, 0);
    assert_eq!(scan.unreadable, 2, "package.json is a link, __init__.py a pipe");
}

#[test]
fn kernel_filesystems_are_not_entered() {
    let scan = scan(open(Path::new("/proc/self")), None, budget());
    assert_eq!((scan.entries, scan.stopped_by), (0, None));
}

#[test]
fn reached_bound_is_named() {
    let files: Vec<String> = (0..50).map(|number| format!("d{number}/x.js")).collect();
    let files: Vec<_> = files.iter().map(|path| (path.as_str(), &b"12345678"[..])).collect();
    let root = root(&files);
    let whole = budget();
    let spent = |budget| {
        let scan = scan(open(root.path()), None, budget);
        (scan.stopped_by, scan.entries, scan.bytes)
    };
    assert_eq!(spent(whole), (None, 100, 400));
    assert_eq!(spent(ScanBudget { entries: 60, ..whole }), (Some(StoppedBy::Entries), 60, 0));
    assert_eq!(spent(ScanBudget { bytes: 100, ..whole }), (Some(StoppedBy::Bytes), 100, 96));
    assert_eq!(spent(ScanBudget { until: Instant::now(), ..whole }), (Some(StoppedBy::Time), 0, 0));
    let file = scan(open(&root.path().join("d1/x.js")), None, whole);
    assert_eq!(file.stopped_by, Some(StoppedBy::Root));
}

#[test]
fn module_is_missing_only_after_a_whole_search() {
    let root = root(&[("a/core.jar", &v1("1.12.788")), ("a/x.js", &[b' '; 4096])]);
    let bytes = scan(open(root.path()), None, budget()).bytes;
    let look = |bytes| {
        let scan = scan(open(root.path()), None, ScanBudget { bytes, ..budget() });
        (scan.found.first().map(|found| found.sts_module), scan.stopped_by.is_none())
    };
    assert_eq!(look(bytes), (Some(Some(false)), true));
    assert_eq!(look(bytes - 1), (Some(Some(false)), false), "scripts say nothing about archives");
    let root = self::root(&[("app/core.jar", &v1("1.12.788")), ("usr/lib/x", b"")]);
    let part = scan(open(root.path()), None, ScanBudget { entries: 3, ..budget() });
    assert_eq!(part.found.first().map(|found| found.sts_module), Some(None));
}

#[test]
fn one_script_does_not_use_up_the_budget() {
    let root = root(&[("a/huge.js", b""), ("b/x.js", &[b' '; 4096])]);
    fs::File::options().write(true).open(root.path().join("a/huge.js")).unwrap().set_len(40 << 20).unwrap();
    let scan = look(root.path());
    assert_eq!(scan.stopped_by, Some(StoppedBy::Bytes));
    assert!((32 << 20..34 << 20).contains(&scan.bytes), "{}", scan.bytes);
}

/// A scan in a thread of the size that the program uses.
async fn below(path: &Path, budget: ScanBudget) -> Scan {
    let pod = Pod::recorded([("A", "b")], Clock::System);
    let look = move |root, program| scan(root, program, budget);
    pod.with_folder(path, tokio::time::Instant::from_std(budget.until), look).await.unwrap()
}

#[tokio::test]
async fn trees_and_archives_are_bounded() {
    // Paths that would take more memory than is kept, of folders that are never reached.
    let deep = tempfile::tempdir().unwrap();
    let long = "x".repeat(240);
    let folder = deep.path().join(vec![long.as_str(); 14].join("/"));
    fs::create_dir_all(&folder).unwrap();
    for number in 0..1500 {
        fs::create_dir(folder.join(format!("{number}{long}"))).unwrap();
    }
    let budget = budget();
    assert_eq!(below(deep.path(), budget).await.stopped_by, Some(StoppedBy::Entries));

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
    assert!(below(root.path(), budget).await.bytes <= budget.bytes);
}

#[tokio::test]
async fn small_stack_is_enough() {
    let bomb = miniz_oxide::deflate::compress_to_vec(&[b'x'; 4 << 20], 9);
    let packed_version = packed(V1_VERSION, 8, &bomb);
    let deeper = |inner: Vec<u8>| stored([("x.jar", inner)]).unwrap();
    let nested = deeper(deeper(deeper(deeper(packed_version.clone()))));
    let brackets = "[".repeat(200 << 10);
    let json = format!("{{\"version\":\"2.1.0\",\"x\":{brackets}");
    let root = root(&[
        ("a/packed.jar", &packed_version),
        ("a/nested.jar", &nested),
        ("a/node_modules/aws-sdk/package.json", json.as_bytes()),
        ("a/x.js", &[b'x'; 1 << 20]),
        ("a/botocore/__init__.py", &[b'\n'; 1 << 20]),
    ]);
    assert_eq!(below(root.path(), budget()).await.stopped_by, None);
}

/// The report of a check in this world, with these arguments.
async fn report(toml: &str, args: &[&str]) -> Value {
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let finished = world.run(Path::new(env!("CARGO_BIN_EXE_irsa-probe")), args).await.unwrap();
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&finished.stdout)))
}

#[tokio::test]
async fn slow_search_does_not_delay_the_calls() {
    use std::os::unix::fs::PermissionsExt;
    // More to read than an unoptimised program reads in the time that the whole run has.
    let root = root(&[]);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for number in 0..8 {
        let file = fs::File::create(root.path().join(format!("{number}.js"))).unwrap();
        file.set_len(31 << 20).unwrap();
    }
    let args = ["--output", "json", "--wait", "0s", "--timeout", "3s", "--sdk-root"];
    let unhurried = "[sts]\nassume = [{ delay_ms = 200, verify = true }]\n";
    let report = report(unhurried, &[&args[..], &[root.path().to_str().unwrap()]].concat()).await;
    assert_eq!(report["diagnosis"], Value::Null, "{report}");
    let names: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert!(names.ends_with(&["credential-sources", "application-sdk"]), "{names:?}");
}

#[tokio::test]
async fn missing_root_is_not_called_searched() {
    let report = report("", &["--output", "json", "--sdk-root", "/nowhere"]).await;
    let cause = report["warnings"][0]["cause"].as_str().unwrap();
    assert!(cause.contains("Nothing was searched") && cause.contains("there is no such folder"), "{cause}");
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
    fn damaged_archives_are_survived(
        jar in mutated(stored([("BOOT-INF/lib/auth.jar", v2("2.31.78")), (V1_VERSION, b"version=1".to_vec())]).unwrap()),
        cut in 0..1000_usize,
    ) {
        let root = root(&[("whole.jar", &jar), ("cut.jar", &jar[..cut.min(jar.len())])]);
        prop_assert_eq!(look(root.path()).stopped_by, None);
    }

    #[test]
    fn damaged_programs_are_survived(program in mutated(go_program(GO, 16))) {
        let root = root(&[("server", &program)]);
        prop_assert_eq!(look_through(root.path(), "/server", "/").stopped_by, None);
    }
}
