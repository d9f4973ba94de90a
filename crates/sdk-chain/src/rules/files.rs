//! Which profile is in use, where the shared files are, and how the two are joined.

/// Which profile is in use: that of the first variable that counts, or `default`.
#[derive(Debug, Clone, Copy)]
pub struct ProfileName {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// Whether a variable that is set to nothing counts.
    pub empty_counts: bool,
}

/// Where a shared file is.
#[derive(Debug, Clone, Copy)]
pub struct FileRule {
    /// The variable that names it, if the SDK reads one.
    pub variable: Option<&'static str>,
    /// Whether that variable, set to nothing, counts; there is no file then.
    pub empty_counts: bool,
    /// Whether `~/` at its beginning is the home directory.
    pub tilde: bool,
    /// Whether `~/.aws/config` takes its place if it does not exist.
    pub or_config: bool,
}

/// How the two files are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMerge {
    /// Setting by setting, where the credentials file comes first.
    BySetting,
    /// The same, but a pair of keys only as a pair.
    ByPair,
    /// Profile by profile, where the credentials file comes first; the config file's `profile NAME` is NAME.
    ByProfile,
}

/// Which file a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileFile {
    /// Both, joined.
    Both,
    /// The credentials file.
    Credentials,
    /// The config file.
    Config,
    /// The config file, where the profile is headed `profile NAME`, and its sources are named by their
    /// headers.
    ConfigAsWritten,
}
