//! Files that look regular and are the kernel's: to read or write some of them acts on it, or takes from others what
//! they wait for.

use std::os::fd::AsFd;

use rustix::io::Errno;

/// The type of the file system at `/proc`. Source: Linux, `magic.h`.
const PROC: i64 = 0x9fa0;
/// The type of the file system at `/sys`.
const SYSFS: i64 = 0x6265_6572;

/// Whether a file is one of `/proc` or `/sys`.
pub(super) fn is_of_kernel(file: impl AsFd) -> Result<bool, Errno> {
    rustix::fs::fstatfs(file).map(|system| [PROC, SYSFS].contains(&system.f_type))
}
