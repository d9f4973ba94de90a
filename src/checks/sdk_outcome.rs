//! What a failed check means to an SDK that exchanges the pod's token.

use sdk_chain::situation::TokenExchange;

use crate::diagnosis::{Diagnosis, Name};

/// What an SDK gets from STS, if this failed.
pub(crate) fn exchange_after_refusal(diagnosis: &Diagnosis) -> TokenExchange {
    match diagnosis.name() {
        Name::StsConnectionLost | Name::StsTimedOut | Name::NotStsReply => exchange_without_sts(diagnosis),
        name => TokenExchange::Refused(name.as_str().to_owned()),
    }
}

/// What an SDK gets if STS cannot be reached.
pub(crate) fn exchange_without_sts(diagnosis: &Diagnosis) -> TokenExchange {
    TokenExchange::Unreachable(diagnosis.name().as_str().to_owned())
}
