//! Commands of the AWS CLI that people paste. Each shows something or changes one thing in the role's account.

use iam_trust::arn::RoleArn;
use iam_trust::needed;
use iam_trust::request::Request;
use serde::Serialize;

use crate::text::{escape_json, shell_quote, single_quote};
use crate::wire::Commands;

/// The commands that show and create what the token of a request needs.
pub(crate) fn commands(request: &Request) -> Commands {
    let role = &request.role;
    let provider = needed(request).oidc_provider;
    let (provider_arn, client_id) = (shell_quote(&provider.arn), shell_quote(&provider.client_id));
    Commands {
        show_trust_policy: show_trust_policy(role),
        show_oidc_provider: format!(
            "{} --open-id-connect-provider-arn {provider_arn}",
            iam(role, "get-open-id-connect-provider"),
        ),
        create_oidc_provider: format!(
            "{} --url {} --client-id-list {client_id}",
            iam(role, "create-open-id-connect-provider"),
            shell_quote(&request.issuer),
        ),
        add_client_id_to_oidc_provider: format!(
            "{} --open-id-connect-provider-arn {provider_arn} --client-id {client_id}",
            iam(role, "add-client-id-to-open-id-connect-provider"),
        ),
    }
}

/// A command of the AWS CLI for IAM in the role's partition.
pub(crate) fn iam(role: &RoleArn, command: &str) -> String {
    match role.partition.id {
        "aws" => format!("aws iam {command}"),
        _ => format!("aws iam {command} --region {}", role.partition.home_region),
    }
}

/// Lists the policies of a kind that apply to the role's account in its organization.
/// Source of the regions: "AWS Organizations endpoints and quotas" in the AWS General Reference.
pub(crate) fn organization_policies(role: &RoleArn, kind: &str) -> String {
    let region = match role.partition.id {
        "aws-cn" => " --region cn-northwest-1",
        "aws-us-gov" => " --region us-gov-west-1",
        _ => "",
    };
    format!(
        "aws organizations list-policies-for-target --filter {kind} --target-id {}{region}",
        shell_quote(&role.account)
    )
}

/// Shows the policies of the VPC endpoints for STS in a region. In China the service names have another prefix.
pub(crate) fn sts_endpoint_policies(region: Option<&str>) -> String {
    let region = region.map_or_else(|| "REGION".to_owned(), shell_quote);
    format!(
        "aws ec2 describe-vpc-endpoints --region {region} --filters 'Name=service-name,Values=*.sts' \
         --query 'VpcEndpoints[].PolicyDocument'"
    )
}

/// Shows a role's ARN and the trust policy that it has now.
pub(crate) fn show_trust_policy(role: &RoleArn) -> String {
    format!(
        "{} --role-name {} --query 'Role.[Arn,AssumeRolePolicyDocument]' --output json",
        iam(role, "get-role"),
        shell_quote(&role.name)
    )
}

/// Replaces a role's trust policy by the one in the file.
pub(crate) fn update_trust_policy(role: &RoleArn) -> String {
    format!(
        "{} --role-name {} --policy-document file://trust-policy.json",
        iam(role, "update-assume-role-policy"),
        shell_quote(&role.name)
    )
}

/// Writes a trust policy to the file that the other commands read.
pub(crate) fn write_trust_policy(document: &impl Serialize) -> String {
    write_json(document, "trust-policy.json")
}

/// Writes a document to a file whose name needs no quotes.
pub(crate) fn write_json(document: &impl Serialize, file: &str) -> String {
    let pretty = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("printf '%s\\n' {} > {file}", single_quote(&escape_json(&pretty)))
}

#[cfg(test)]
mod tests {
    use super::show_trust_policy;

    #[test]
    fn outside_of_the_usual_partition_a_command_names_the_region_of_iam() {
        let role = iam_trust::arn::parse("arn:aws-cn:iam::111122223333:role/team/payments-checkout").unwrap();
        assert!(show_trust_policy(&role).contains("--region cn-north-1 --role-name payments-checkout "));
    }
}
