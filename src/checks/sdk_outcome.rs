//! What a failure of a check means to an SDK.

use sdk_chain::situation::TokenExchange;

use crate::diagnosis::{Diagnosis, Name};

/// What a failure of the role means to an SDK that asks STS for it.
pub(crate) fn exchange_after_refusal(diagnosis: &Diagnosis) -> TokenExchange {
    match diagnosis.name() {
        Name::StsConnectionLost | Name::StsTimedOut | Name::NotStsReply => exchange_without_sts(diagnosis),
        name => TokenExchange::Refused(name.as_str().to_owned()),
    }
}

/// What a failure to reach STS means to an SDK.
pub(crate) fn exchange_without_sts(diagnosis: &Diagnosis) -> TokenExchange {
    TokenExchange::Unreachable(diagnosis.name().as_str().to_owned())
}
