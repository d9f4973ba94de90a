// The access key that the default chain of the AWS SDK for Go v2 ends up with, as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

func answer(ctx context.Context) map[string]any {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	if settings.Credentials == nil || aws.IsCredentialsProvider(settings.Credentials, aws.AnonymousCredentials{}) {
		return map[string]any{"none": true}
	}
	credentials, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"key": credentials.AccessKeyID}
}

func main() {
	if json.NewEncoder(os.Stdout).Encode(answer(context.Background())) != nil {
		os.Exit(1)
	}
}
