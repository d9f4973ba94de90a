//! The token in the file system: the kubelet's layout, its rotation, and each way to go wrong.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use testbed::volume::{Access, TokenVolume, is_root};
use testbed::{Scenario, World};

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
