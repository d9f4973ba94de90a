// The access key that the default chain of the AWS SDK for JavaScript v2 ends up with. What it does
// not catch itself ends this process without an answer.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
const AWS = require("aws-sdk");

// It reads no variable for the endpoint.
AWS.config.sts = { endpoint: process.env.AWS_ENDPOINT_URL_STS };
new AWS.CredentialProviderChain().resolve((error, credentials) => {
  const answer = error ? { error: `${error.name}: ${error.message}` } : { key: credentials.accessKeyId };
  console.log(JSON.stringify(answer));
});
