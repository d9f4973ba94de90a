package main
import ("fmt"; "github.com/aws/aws-sdk-go/aws/session")
func main() { s,err:=session.NewSession(); if err!=nil {fmt.Println(err);return}; c,err:=s.Config.Credentials.Get(); fmt.Println(c.ProviderName,err) }
