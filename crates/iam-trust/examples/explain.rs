//! Reads a trust policy from standard input and says whether one service account gets the role.
//!
//! ```sh
//! aws iam get-role --role-name cart --query Role.AssumeRolePolicyDocument |
//!     cargo run --example explain -- arn:aws:iam::111122223333:role/cart https://oidc.example.com/id/A shop cart
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example of a command")]

use std::error::Error;
use std::io::Read;

use iam_trust::evaluate::{Decision, evaluate};
use iam_trust::{arn, correct::correct, document, mismatch, render, request::Request};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, issuer, namespace, account] = arguments.as_slice() else {
        return Err("usage: explain ROLE_ARN ISSUER NAMESPACE SERVICE_ACCOUNT < trust-policy.json".into());
    };
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;

    let role = arn::parse(role).map_err(|fault| format!("not a role ARN: {fault:?}"))?;
    let subject = format!("system:serviceaccount:{namespace}:{account}");
    let request = Request::new(&role, issuer, &subject, &[iam_trust::USUAL_AUDIENCE.to_owned()]);
    let policy = document::parse(&text)?;
    let evaluation = evaluate(&policy, &request);

    match &evaluation.decision {
        Decision::Allows(statement) => println!("Statement[{statement}] allows {subject}"),
        Decision::Denies(statement) => println!("Statement[{statement}] denies {subject}"),
        Decision::Undecidable(statements) => println!("not decidable: see statements {statements:?}"),
        Decision::Refuses => {
            for refusal in mismatch::explain_refusal(&policy, &evaluation, &request) {
                println!("Statement[{}]: {:?}", refusal.statement, refusal.mismatch);
            }
            let before = serde_json::from_str(&text)?;
            match correct(&before, &request) {
                Ok(corrected) => print!("{}", render::diff(&before, &corrected.document)),
                Err(why) => println!("no corrected policy: {why}"),
            }
        }
    }
    Ok(())
}
