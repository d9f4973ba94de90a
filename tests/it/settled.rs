//! What a program printed, without what differs from run to run and from machine to machine, so that it can
//! be compared with what it printed before.

use testbed::world::World;

/// What stands before numbers that differ from machine to machine or from run to run.
const NUMBERED: [(&str, &str); 9] = [
    ("_ms\":", "1"),
    ("\"sts_clock_ahead_seconds\":", "0"),
    ("\"uid\":", "65532"),
    ("\"gid\":", "65532"),
    ("\"file_owner\":", "65532"),
    ("\"file_group\":", "65532"),
    (", user ", "65532"),
    ("(owner ", "65532"),
    (", group ", "65532"),
];

/// The text with the token's age and the rest of its life as if it were just five minutes old.
fn without_spans(text: &str) -> String {
    [("\"age\":\"", "5m"), ("\"valid_for\":\"", "23h 55m")].into_iter().fold(
        text.to_owned(),
        |text, (before, span)| match text.split_once(before) {
            Some((head, tail)) => {
                let (_, tail) = tail.split_once('"').unwrap();
                format!("{head}{before}{span}\"{tail}")
            }
            None => text,
        },
    )
}

/// The output without what differs from run to run: the folder, ports, times, ids and durations.
pub(crate) fn settled(world: &World, output: &[u8]) -> String {
    let text = String::from_utf8(output.to_vec()).unwrap();
    let text = text.replace(world.dir().to_str().unwrap(), "");
    let text = text.replace(&format!(":{}", world.sts().address().port()), ":443");
    let text = text.replace("amazonaws.com:443/", "amazonaws.com/");
    let text = text.replace("\"sts_clock_ahead_seconds\":-1", "\"sts_clock_ahead_seconds\":0");
    let text = without_spans(&text);
    let mut settled = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let is_digit = |c: char| c.is_ascii_digit();
        let numbered = NUMBERED
            .iter()
            .find(|(before, _)| rest.strip_prefix(before).is_some_and(|number| number.starts_with(is_digit)));
        let (skip, put) = match numbered {
            Some((before, number)) => {
                let digits = rest[before.len()..].chars().take_while(char::is_ascii_digit).count();
                (before.len() + digits, format!("{before}{number}"))
            }
            None if is_like(rest, "0000-00-00T00:00:00Z") => (20, time_after(&settled).to_owned()),
            None if is_like(rest, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") => {
                (36, "0f5e8f2c-0000-4000-8000-7b1d6c9e2a41".to_owned())
            }
            None => (c.len_utf8(), c.to_string()),
        };
        settled.push_str(&put);
        rest = &rest[skip..];
    }
    settled
}

/// A time that fits what stands before it: the token's life, or the run itself.
fn time_after(before: &str) -> &'static str {
    if before.ends_with("issued_at\":\"") || before.ends_with("valid       ") {
        "2026-11-24T05:55:00Z"
    } else if before.ends_with("expires_at\":\"") || before.ends_with("Z to ") {
        "2026-11-25T05:55:00Z"
    } else {
        "2026-11-24T06:00:00Z"
    }
}

/// Whether the text starts with this shape: `0` is a digit, `x` a hexadecimal digit.
fn is_like(text: &str, shape: &str) -> bool {
    let mut found = text.bytes();
    shape.bytes().all(|wanted| {
        found.next().is_some_and(|byte| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            other => byte == other,
        })
    })
}
