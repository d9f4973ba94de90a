// The access key that the default chain of the AWS SDK for JavaScript v3 ends up with.
import { defaultProvider } from "@aws-sdk/credential-provider-node";

let answer;
try {
  answer = { key: (await defaultProvider()()).accessKeyId };
} catch (error) {
  answer = { error: `${error.name}: ${error.message}` };
}
console.log(JSON.stringify(answer));
