//! SigV4 against the vector `get-vanilla` that AWS publishes.

use testbed::sigv4::{Authorization, Signable, signature};

#[test]
fn get_vanilla() {
    let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = Signable { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
    let authorization = Authorization::parse(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    )
    .unwrap();
    let canonical = request.canonical(&authorization.signed_headers).unwrap();
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let expected = signature(secret, "20150830T123600Z", "us-east-1", "service", &canonical);
    assert_eq!(authorization.signature, expected);
    assert_eq!(
        (authorization.access_key_id.as_str(), authorization.day.as_str()),
        ("AKIDEXAMPLE", "20150830")
    );
}

#[test]
fn queries_are_sorted_and_headers_trimmed() {
    let headers = [("host".to_owned(), "h".to_owned()), ("x".to_owned(), "  a   b ".to_owned())];
    let request = Signable { method: "GET", path: "/", query: "b=2&a=%20&a", headers: &headers, body: b"" };
    let canonical = request.canonical(&["host".to_owned(), "x".to_owned()]).unwrap();
    assert!(canonical.starts_with("GET\n/\na=&a=%20&b=2\nhost:h\nx:a b\n\nhost;x\n"), "{canonical}");
    assert_eq!(request.canonical(&["absent".to_owned()]), None);
}
