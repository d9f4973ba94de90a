//! Finds the client id of an OIDC provider that is almost the token's audience.

use crate::diagnosis::oidc_provider::{ClientIdDifference, NearClientId};

/// The most characters of a client id. Source: the IAM API model, `clientIDType`.
const MAX_CLIENT_ID_CHARS: usize = 255;

/// The most edits of a typo: `sts.amazon.com` is three edits away from `sts.amazonaws.com`.
const MAX_EDITS: usize = 3;

/// The client id that is nearest to one of the token's audiences.
pub(super) fn nearest(client_ids: &[String], audience: &[String]) -> Option<NearClientId> {
    let slips = client_ids.iter().flat_map(|id| {
        let slip = |audience: &String| {
            difference(id, audience)
                .map(|(distance, slip)| (distance, NearClientId { id: id.clone(), difference: slip }))
        };
        audience.iter().filter_map(slip)
    });
    slips.min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// The small difference between a client id and an audience, and its number of edits.
fn difference(id: &str, audience: &str) -> Option<(usize, ClientIdDifference)> {
    // The places of characters are counted from 1.
    let (invisible, visible): (Vec<_>, Vec<_>) = id.chars().zip(1..).partition(|(c, _)| is_invisible(*c));
    let visible: String = visible.into_iter().map(|(c, _)| c).collect();
    if !invisible.is_empty() && visible == audience {
        return Some((0, ClientIdDifference::Invisible(invisible)));
    }
    if id.eq_ignore_ascii_case(audience) {
        return Some((0, ClientIdDifference::Case));
    }
    let bare = |text: &str| {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.trim_end_matches('/').to_owned()
    };
    if bare(id) == bare(audience) {
        return Some((0, ClientIdDifference::Url));
    }
    let (length, other) = (id.chars().count(), audience.chars().count());
    if length.max(other) > MAX_CLIENT_ID_CHARS || length.abs_diff(other) > MAX_EDITS {
        return None;
    }
    let edits = strsim::osa_distance(id, audience);
    let is_typo = edits <= MAX_EDITS && edits * 3 <= other;
    is_typo.then_some((edits, ClientIdDifference::Typo))
}

/// Whether a character is white space or a control character, has no width, or only sets a direction.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::nearest;
    use crate::diagnosis::oidc_provider::{ClientIdDifference, NearClientId};

    #[test]
    fn nearest_client_id() {
        let like =
            |id: &str, slip: ClientIdDifference| Some(NearClientId { id: id.to_owned(), difference: slip });
        for (ids, audience, expected) in [
            (&[][..], &["sts.amazonaws.com"][..], None),
            (&["sigstore"], &["sts.amazonaws.com"], None),
            (
                &["sts.amazonaws.com\u{200b}"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com\u{200b}", ClientIdDifference::Invisible(vec![('\u{200b}', 18)])),
            ),
            (
                &["\u{feff}sts.amazon\u{ad}aws.com "],
                &["sts.amazonaws.com"],
                like(
                    "\u{feff}sts.amazon\u{ad}aws.com ",
                    ClientIdDifference::Invisible(vec![('\u{feff}', 1), ('\u{ad}', 12), (' ', 20)]),
                ),
            ),
            (
                &["STS.amazonaws.com"],
                &["sts.amazonaws.com"],
                like("STS.amazonaws.com", ClientIdDifference::Case),
            ),
            (
                &["https://sts.amazonaws.com/"],
                &["sts.amazonaws.com"],
                like("https://sts.amazonaws.com/", ClientIdDifference::Url),
            ),
            (&["sts.amazon.com"], &["sts.amazonaws.com"], like("sts.amazon.com", ClientIdDifference::Typo)),
            (
                &["sts.amazon.com", "sts.amazonaws.com\n"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com\n", ClientIdDifference::Invisible(vec![('\n', 18)])),
            ),
            (
                &["sts.amazonaws.com.cn"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com.cn", ClientIdDifference::Typo),
            ),
            (&["a"], &["b"], None),
        ] {
            let texts = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect::<Vec<String>>();
            let (ids, audience) = (texts(ids), texts(audience));
            assert_eq!(nearest(&ids, &audience), expected, "{ids:?} {audience:?}");
        }
        assert_eq!(nearest(&["x".repeat(1 << 20)], &["sts.amazonaws.com".to_owned()]), None);
    }
}
