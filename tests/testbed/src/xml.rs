//! Answers in AWS's XML.

use crate::clock;
use crate::iam::{Refusal, Session};

const XMLNS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(crate) fn assumed(session: &Session, request_id: &str) -> String {
    let Session { access_key_id, secret_access_key, session_token, arn, user_id, .. } = session;
    let Session { provider, audience, subject, .. } = session;
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"{XMLNS}\">\n  \
         <AssumeRoleWithWebIdentityResult>\n    \
         <Audience>{}</Audience>\n    \
         <AssumedRoleUser>\n      \
         <AssumedRoleId>{}</AssumedRoleId>\n      \
         <Arn>{}</Arn>\n    \
         </AssumedRoleUser>\n    \
         <Provider>{}</Provider>\n    \
         <Credentials>\n      \
         <AccessKeyId>{access_key_id}</AccessKeyId>\n      \
         <SecretAccessKey>{secret_access_key}</SecretAccessKey>\n      \
         <SessionToken>{session_token}</SessionToken>\n      \
         <Expiration>{}</Expiration>\n    \
         </Credentials>\n    \
         <SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>\n  \
         </AssumeRoleWithWebIdentityResult>\n  \
         <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
         </AssumeRoleWithWebIdentityResponse>\n",
        escape(audience),
        escape(user_id),
        escape(arn),
        escape(provider),
        clock::xml_date(session.expires),
        escape(subject),
    )
}

pub(crate) fn identity(session: &Session, request_id: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{XMLNS}\">\n  \
         <GetCallerIdentityResult>\n    \
         <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    <Account>{}</Account>\n  \
         </GetCallerIdentityResult>\n  \
         <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n",
        escape(&session.arn),
        escape(&session.user_id),
        session.account,
    )
}

pub(crate) fn error(refusal: &Refusal, request_id: &str) -> String {
    error_in(XMLNS, refusal, request_id)
}

/// The same in the name space of another service.
pub(crate) fn error_in(xmlns: &str, refusal: &Refusal, request_id: &str) -> String {
    let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{xmlns}\">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        escape(&refusal.code),
        escape(&refusal.message),
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
