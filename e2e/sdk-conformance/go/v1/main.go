// The access key that the AWS SDK for Go v1 ends up with, as one line of JSON. With the argument
// "new" the session is made by the deprecated session.New.
package main

import (
	"encoding/json"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/session"
)

// It reads no variable for the endpoint. This one needs no region: an application that relies on the
// endpoints the SDK knows gets MissingRegion where none is set.
func resolve(service, region string, options ...func(*endpoints.Options)) (endpoints.ResolvedEndpoint, error) {
	if service == endpoints.StsServiceID {
		return endpoints.ResolvedEndpoint{URL: os.Getenv("AWS_ENDPOINT_URL_STS"), SigningRegion: "us-east-1"}, nil
	}
	return endpoints.DefaultResolver().EndpointFor(service, region, options...)
}

func answer() map[string]any {
	settings := &aws.Config{EndpointResolver: endpoints.ResolverFunc(resolve)}
	var made *session.Session
	if len(os.Args) > 1 && os.Args[1] == "new" {
		made = session.New(settings)
	} else {
		var err error
		if made, err = session.NewSession(settings); err != nil {
			return map[string]any{"error": err.Error()}
		}
	}
	value, err := made.Config.Credentials.Get()
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"key": value.AccessKeyID}
}

func main() {
	if json.NewEncoder(os.Stdout).Encode(answer()) != nil {
		os.Exit(1)
	}
}
