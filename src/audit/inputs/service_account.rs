//! A service account as `kubectl get serviceaccount -o json` prints it.

use super::fault::InputFault;
use super::kubectl::{self, text, texts};
use crate::injection::view::ServiceAccountView;
use crate::kubernetes::service_account::{AnnotatedAccount, ROLE_ANNOTATION};
use crate::token::ServiceAccount;

/// The annotation that names the audience.
const AUDIENCE_ANNOTATION: &str = "eks.amazonaws.com/audience";

pub fn read(bytes: &[u8]) -> Result<ServiceAccountView, InputFault> {
    let object = kubectl::read(bytes, "ServiceAccount", "service accounts")?;
    let metadata = object.get("metadata").ok_or(InputFault::Without("metadata"))?;
    let account = AnnotatedAccount::from_metadata(metadata).ok_or(InputFault::Without("metadata"))?;
    let mut annotations = texts(metadata, "annotations");
    let audience = annotations.iter().find(|(name, _)| *name == AUDIENCE_ANNOTATION);
    let audience = audience.map(|(_, audience)| (*audience).to_owned());
    annotations.retain(|(name, _)| *name != ROLE_ANNOTATION);
    Ok(ServiceAccountView {
        service_account: ServiceAccount {
            namespace: text(metadata, "namespace").unwrap_or_else(|| "default".to_owned()),
            name: text(metadata, "name").ok_or(InputFault::Without("metadata.name"))?,
        },
        account,
        audience,
        other_role_annotations: kubectl::role_annotations(&annotations),
    })
}
