// A real OCI registry on loopback: CNCF's distribution with its storage in memory.
//
// Prints its address on one line and serves until its standard input ends, so that it never outlives whoever
// started it. With an argument, a file of htpasswd, it wants to know who asks.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

func main() {
	config := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	config.Log.Level = "error"
	config.Log.AccessLog.Disabled = true
	config.HTTP.Secret = "of the tests"
	if len(os.Args) > 1 {
		config.Auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": "charts", "path": os.Args[1]}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	app := handlers.NewApp(context.Background(), config)
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, http.Serve(listener, app))
	os.Exit(1)
}
