//! Parses the ARN of an IAM role, and names the exact fault of a text that is not one.

use super::partition::Partition;
use foreign_text::sanitize;

/// A well-formed role ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    /// The whole ARN.
    pub text: String,
    /// The partition, for instance `aws-cn`.
    pub partition: &'static Partition,
    /// The account's 12 digits.
    pub account: String,
    /// The role's name: the last segment of its path.
    pub name: String,
}

impl RoleArn {
    /// Whether both ARNs name the same role. Paths do not matter: a role name is unique in its account.
    #[must_use]
    pub fn is_namesake_of(&self, other: &Self) -> bool {
        self.name == other.name && self.account == other.account
    }
}

/// Lengths that STS accepts for `RoleArn`, in characters. Source: the STS API model.
pub const LENGTH: std::ops::RangeInclusive<usize> = 20..=2048;

/// What is wrong with a text that should be a role ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnFault {
    /// White space before or after it; what kind.
    #[error("it has {0} around it")]
    Surrounded(&'static str),
    /// Quotation marks around it.
    #[error("it has quotation marks around it")]
    Quoted,
    /// Not even the start of an ARN.
    #[error("it is no ARN at all")]
    NotAnArn,
    /// A partition that does not exist.
    #[error("\"{}\" is no AWS partition (they are {})", sanitize(.0), Partition::names())]
    Partition(String),
    /// Another service's ARN.
    #[error("it is an ARN of the service \"{}\", and a role's is of iam", sanitize(.0))]
    Service(String),
    /// A region where an IAM ARN has none.
    #[error("\"{}\" stands where IAM ARNs have nothing, between two colons", sanitize(.0))]
    Region(String),
    /// The account is not 12 digits.
    #[error("the account \"{}\" is not 12 digits", sanitize(.0))]
    Account(String),
    /// The ARN of something that is no role.
    #[error("it is the ARN of {0}")]
    Resource(&'static str),
    /// `:role:` where `:role/` belongs.
    #[error("it has \":role:\" where \":role/\" belongs")]
    RoleColon,
    /// One colon more than an ARN has.
    #[error("it has a colon too many")]
    ExtraColon,
    /// The role has no name.
    #[error("the role has no name")]
    NameMissing,
    /// A character that role names and paths cannot have, and its place, counted from 1.
    #[error("character {1}, \"{char}\" (U+{code:04X}), cannot stand there", char = sanitize(&.0.to_string()), code = u32::from(*.0))]
    Character(char, usize),
    /// Too short or too long, in characters.
    #[error("it has {0} characters, and STS takes {least} to {most}", least = LENGTH.start(), most = LENGTH.end())]
    Length(usize),
}

/// Parses a role ARN.
///
/// # Errors
/// The first fault, in the order in which a person would fix them.
pub fn parse(text: &str) -> Result<RoleArn, ArnFault> {
    if let Some(space) = text.chars().next().filter(|c| c.is_whitespace()) {
        return Err(ArnFault::Surrounded(kind_of_space(space)));
    }
    if let Some(space) = text.chars().last().filter(|c| c.is_whitespace()) {
        return Err(ArnFault::Surrounded(kind_of_space(space)));
    }
    if text.starts_with(['"', '\'', '`']) || text.ends_with(['"', '\'', '`']) {
        return Err(ArnFault::Quoted);
    }
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    if arn != "arn" || resource.is_empty() && account.is_empty() {
        return Err(ArnFault::NotAnArn);
    }
    let partition = Partition::by_id(partition).ok_or_else(|| ArnFault::Partition(partition.to_owned()))?;
    if service == "sts" && resource.starts_with("assumed-role/") {
        return Err(ArnFault::Resource("an assumed role's session"));
    }
    if service != "iam" {
        return Err(ArnFault::Service(service.to_owned()));
    }
    if !region.is_empty() {
        // `arn:aws:iam:123456789012:role/x` lacks a colon, `arn:aws:iam:eu-west-1:…` has a region.
        return Err(ArnFault::Region(region.to_owned()));
    }
    if account.is_empty() && resource.split(':').next().is_some_and(is_account) {
        return Err(ArnFault::ExtraColon);
    }
    if !is_account(account) {
        return Err(ArnFault::Account(account.to_owned()));
    }
    let Some(path) = resource.strip_prefix("role/") else {
        return Err(fault_of_resource(resource));
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    // A path may hold any printable ASCII character (IAM API, `CreateRole`).
    let name_from = text.chars().count() - name.chars().count();
    let mut places = text.chars().enumerate();
    if let Some((place, c)) =
        places.find(|(place, c)| !c.is_ascii_graphic() || *place >= name_from && !is_of_role_name(*c))
    {
        return Err(if c == ':' { ArnFault::ExtraColon } else { ArnFault::Character(c, place + 1) });
    }
    if name.is_empty() {
        return Err(ArnFault::NameMissing);
    }
    let length = text.chars().count();
    if !LENGTH.contains(&length) {
        return Err(ArnFault::Length(length));
    }
    Ok(RoleArn { text: text.to_owned(), partition, account: account.to_owned(), name: name.to_owned() })
}

/// The role ARN that a text means, if it has white space or quotation marks around it, or a colon too many, too few or
/// in place of a slash.
#[must_use]
pub fn intended(text: &str) -> Option<RoleArn> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "\"'`".contains(c));
    let corrected = [("", ""), (":role:", ":role/"), (":iam:", ":iam::"), (":iam:::", ":iam::")];
    corrected.into_iter().find_map(|(wrong, right)| parse(&bare.replacen(wrong, right, 1)).ok())
}

/// Whether a text can be the name of a role: `[\w+=,.@-]{1,64}`. Source: the IAM API model, `roleNameType`.
#[must_use]
pub fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(is_of_role_name)
}

fn is_of_role_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn kind_of_space(c: char) -> &'static str {
    match c {
        '\n' | '\r' => "a newline",
        '\t' => "a tab",
        ' ' => "a space",
        _ => "invisible white space",
    }
}

fn fault_of_resource(resource: &str) -> ArnFault {
    if resource.starts_with("role:") {
        return ArnFault::RoleColon;
    }
    if resource.starts_with(':') {
        return ArnFault::ExtraColon;
    }
    let kind = resource.split('/').next().unwrap_or_default();
    ArnFault::Resource(match kind {
        "policy" => "a policy",
        "instance-profile" => "an instance profile",
        "user" => "a user",
        "group" => "a group",
        "oidc-provider" => "an OIDC provider",
        "saml-provider" => "a SAML provider",
        "root" => "an account's root user",
        "role" => return ArnFault::NameMissing,
        _ => "something that is no role",
    })
}

/// The issuer without `https://`, as IAM writes it in provider ARNs and condition keys.
#[must_use]
pub fn issuer_without_scheme(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The ARN of the OIDC provider for an issuer in the role's account.
#[must_use]
pub fn provider_arn(role: &RoleArn, issuer: &str) -> String {
    format!("arn:{}:iam::{}:oidc-provider/{}", role.partition.id, role.account, issuer_without_scheme(issuer))
}

#[cfg(test)]
mod tests {
    use super::{ArnFault, parse};

    #[test]
    fn slips_around_an_arn_are_corrected() {
        const ARN: &str = "arn:aws:iam::111122223333:role/a";
        for text in [
            " arn:aws:iam::111122223333:role/a\n",
            "\"arn:aws:iam::111122223333:role/a\"",
            "arn:aws:iam::111122223333:role:a",
            "arn:aws:iam:111122223333:role/a",
            "arn:aws:iam:::111122223333:role/a",
        ] {
            assert_eq!(super::intended(text).map(|role| role.text).as_deref(), Some(ARN), "{text}");
        }
        for text in
            ["", "role/a", "arn:aws:s3:::bucket", "arn:aws:iam::1:role/a", "arn:aws:iam::111122223333:user/a"]
        {
            assert_eq!(super::intended(text), None, "{text}");
        }
    }

    #[test]
    fn a_role_with_a_path() {
        let arn = parse("arn:aws-cn:iam::111122223333:role/team/a/payments-checkout").unwrap();
        assert_eq!(
            (arn.partition.id, arn.account.as_str(), arn.name.as_str()),
            ("aws-cn", "111122223333", "payments-checkout")
        );
    }

    #[test]
    fn each_fault_is_told_apart() {
        let long = format!("arn:aws:iam::111122223333:role/{}", "x".repeat(2100));
        for (text, fault) in [
            (" arn:aws:iam::111122223333:role/a", ArnFault::Surrounded("a space")),
            ("arn:aws:iam::111122223333:role/a\n", ArnFault::Surrounded("a newline")),
            ("arn:aws:iam::111122223333:role/a\u{a0}", ArnFault::Surrounded("invisible white space")),
            ("\"arn:aws:iam::111122223333:role/a\"", ArnFault::Quoted),
            ("payments-checkout", ArnFault::NotAnArn),
            ("", ArnFault::NotAnArn),
            ("arn:awz:iam::111122223333:role/a", ArnFault::Partition("awz".to_owned())),
            ("arn:aws:acm:eu-west-1:111122223333:certificate/a", ArnFault::Service("acm".to_owned())),
            ("arn:aws:sts::111122223333:assumed-role/a/s", ArnFault::Resource("an assumed role's session")),
            ("arn:aws:iam:eu-west-1:111122223333:role/a", ArnFault::Region("eu-west-1".to_owned())),
            ("arn:aws:iam:::111122223333:role/a", ArnFault::ExtraColon),
            ("arn:aws:iam::111122223333::role/a", ArnFault::ExtraColon),
            ("arn:aws:iam::111122223333:role/a:b", ArnFault::ExtraColon),
            ("arn:aws:iam::11112222333:role/a", ArnFault::Account("11112222333".to_owned())),
            ("arn:aws:iam::111122223333:role:a", ArnFault::RoleColon),
            ("arn:aws:iam::111122223333:policy/a", ArnFault::Resource("a policy")),
            ("arn:aws:iam::111122223333:instance-profile/a", ArnFault::Resource("an instance profile")),
            ("arn:aws:iam::111122223333:user/a", ArnFault::Resource("a user")),
            ("arn:aws:iam::111122223333:oidc-provider/oidc.eks", ArnFault::Resource("an OIDC provider")),
            ("arn:aws:iam::111122223333:root", ArnFault::Resource("an account's root user")),
            ("arn:aws:iam::111122223333:role/", ArnFault::NameMissing),
            ("arn:aws:iam::111122223333:role/a b", ArnFault::Character(' ', 33)),
            ("arn:aws:iam::111122223333:role/a\u{200b}b", ArnFault::Character('\u{200b}', 33)),
            (&long, ArnFault::Length(2131)),
        ] {
            assert_eq!(parse(text), Err(fault), "{text:?}");
        }
    }
}
