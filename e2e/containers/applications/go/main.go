// Says which credentials the SDK takes here, and then waits to be looked at.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/config"
)

func picks() (string, error) {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return "", err
	}
	credentials, err := settings.Credentials.Retrieve(context.Background())
	return credentials.Source, err
}

func main() {
	if source, err := picks(); err != nil {
		fmt.Println("fails", err)
	} else {
		fmt.Println("picks", source)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}
