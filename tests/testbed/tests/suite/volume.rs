//! The token in the file system: the kubelet's layout, its rotation, and each way to go wrong.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use testbed::volume::{Access, TokenVolume, is_root};
use testbed::{Scenario, World};
use time::OffsetDateTime;

#[test]
fn is_laid_out_and_rotated_as_the_kubelet_does() {
    let directory = tempfile::tempdir().unwrap();
    let volume = TokenVolume::project(&directory.path().join("v"), b"one", Access::root(0o644)).unwrap();
    let root = directory.path().join("v");
    assert_eq!(fs::read_link(root.join("token")).unwrap(), Path::new("..data/token"));
    let first = fs::read_link(root.join("..data")).unwrap();
    let name = first.to_str().unwrap();
    let (stamp, number) = name.strip_prefix("..").unwrap().split_once('.').unwrap();
    assert_eq!((stamp.len(), stamp.matches('_').count(), number.len()), (19, 5, 10), "{name}");
    assert_eq!(fs::read(volume.token_file()).unwrap(), b"one");
    volume.rotate(b"two").unwrap();
    assert_eq!(fs::read(volume.token_file()).unwrap(), b"two");
    assert_ne!(fs::read_link(root.join("..data")).unwrap(), first);
    assert!(!root.join(first).exists());
}

#[test]
fn what_lies_beside_the_token_stays() {
    let directory = tempfile::tempdir().unwrap();
    let beside = vec![("ca.crt", b"ca".to_vec()), ("namespace", b"payments".to_vec())];
    let root = directory.path();
    let volume = TokenVolume::project_with(root, b"one", beside, Access::root(0o644)).unwrap();
    volume.rotate(b"two").unwrap();
    for (name, content) in [("token", "two"), ("ca.crt", "ca"), ("namespace", "payments")] {
        assert_eq!(fs::read_link(root.join(name)).unwrap(), Path::new("..data").join(name));
        assert_eq!(fs::read_to_string(root.join(name)).unwrap(), content);
    }
}

#[tokio::test]
async fn links_are_as_old_as_the_mount() {
    let now = || OffsetDateTime::now_utc().unix_timestamp();
    let earliest = now();
    let toml = "api_token.mounted_ago = \"3d\"\n[kubernetes]";
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let token = PathBuf::from(&world.env()["IRSA_PROBE_API_TOKEN_FILE"]);
    let three_days = 3 * 24 * 3600;
    let mounted = earliest - three_days..=now() - three_days;
    world.renew_api_token().unwrap();
    for name in ["token", "ca.crt", "namespace"] {
        let link = token.with_file_name(name);
        let modified = fs::symlink_metadata(&link).unwrap().mtime();
        assert!(mounted.contains(&modified), "{name}: {modified} not in {mounted:?}");
        assert!(fs::metadata(&link).unwrap().mtime() >= earliest, "{name} is what was just written");
    }
}

async fn laid_out(toml: &str) -> (World, PathBuf) {
    let world = World::start(&Scenario::parse(&format!("[file]\n{toml}")).unwrap()).await;
    let file = PathBuf::from(&world.env()["AWS_WEB_IDENTITY_TOKEN_FILE"]);
    (world, file)
}

#[tokio::test]
async fn modes_and_owners() {
    let (world, file) = laid_out("").await;
    assert_eq!(fs::read_to_string(&file).unwrap(), world.token());
    let owner =
        |file: &Path| (fs::metadata(file).unwrap().mode() & 0o7777, fs::metadata(file).unwrap().uid());
    let (_other, unreadable) = laid_out("mode = \"0600\"").await;
    if is_root() {
        assert_eq!(owner(&file), (0o640, 65532));
        assert_eq!(owner(&unreadable), (0o600, 0));
    } else {
        assert_eq!(owner(&unreadable).0, 0);
    }
}

#[tokio::test]
async fn goes_wrong_in_each_way() {
    let (_world, missing) = laid_out("kind = \"missing\"").await;
    assert!(!missing.exists() && missing.parent().unwrap().is_dir());
    let (_world, unmounted) = laid_out("kind = \"missing-dir\"").await;
    assert!(!unmounted.parent().unwrap().exists());
    let (_world, empty) = laid_out("kind = \"empty\"").await;
    assert_eq!(fs::read(empty).unwrap(), b"");
    let (_world, directory) = laid_out("kind = \"directory\"").await;
    assert!(directory.is_dir());
    let (_world, fifo) = laid_out("kind = \"fifo\"").await;
    assert!(fs::metadata(fifo).unwrap().file_type().is_fifo());
    let (_world, device) = laid_out("kind = \"device\"").await;
    assert!(fs::metadata(device).unwrap().file_type().is_char_device());
    let (world, huge) = laid_out("kind = \"huge\"").await;
    assert!(fs::read_to_string(huge).unwrap().len() > 20_000);
    assert!(testbed::token::decode(world.token()).is_some());
    let (_world, binary) = laid_out("kind = \"binary\"").await;
    assert!(String::from_utf8(fs::read(binary).unwrap()).is_err());
    let (_world, dangling) = laid_out("kind = \"dangling\"").await;
    assert_eq!(fs::read(&dangling).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(fs::symlink_metadata(dangling).unwrap().is_symlink());
    let (_world, endless) = laid_out("kind = \"loop\"").await;
    assert_eq!(fs::read(endless).unwrap_err().raw_os_error(), Some(40));
}
