//! Which profile is selected, where the shared files are, and how the two are merged.

/// How a profile is selected: by the first of these variables that counts, or else `default`.
#[derive(Debug, Clone, Copy)]
pub struct ProfileName {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// Whether an empty variable counts.
    pub empty_counts: bool,
}

/// Where a shared file is.
#[derive(Debug, Clone, Copy)]
pub struct FileRule {
    /// The variable with its path, if the SDK reads one.
    pub variable: Option<&'static str>,
    /// Whether that variable counts if it is empty. There is no file then.
    pub empty_counts: bool,
    /// Whether a leading `~/` is the home directory.
    pub tilde: bool,
    /// Whether `~/.aws/config` is read if the file does not exist.
    pub or_config: bool,
}

/// How the two files are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMerge {
    /// Setting by setting. The credentials file wins.
    BySetting,
    /// The same, but half a pair of keys in the credentials file does not count.
    ByPair,
    /// Profile by profile. The credentials file wins; `profile NAME` in the config file is NAME.
    ByProfile,
}

/// Which file a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileFile {
    /// Both, merged.
    Both,
    /// The credentials file.
    Credentials,
    /// The config file.
    Config,
    /// The config file, in which source profiles are referred to by their whole header, `profile NAME`.
    ConfigAsWritten,
}
