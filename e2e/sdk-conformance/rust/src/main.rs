//! The access key that the default chain of the AWS SDK for Rust ends up with, as one line of JSON.

use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials as _;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let answer = match settings.credentials_provider() {
        None => serde_json::json!({ "none": true }),
        Some(provider) => match provider.provide_credentials().await {
            Ok(credentials) => serde_json::json!({ "key": credentials.access_key_id() }),
            Err(error) => serde_json::json!({ "error": format!("{error:?}") }),
        },
    };
    println!("{answer}");
}
