// Fetches an image by the code of Istio's agent or of Envoy Gateway, or serves a registry to fetch it from.
//
//	parts registry                          prints its address, and serves until it is ended
//	parts istio|envoy-gateway REF FILE      writes the module that it finds into FILE, and prints the image's digest
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	api "github.com/envoyproxy/gateway/api/v1alpha1"
	"github.com/envoyproxy/gateway/internal/logging"
	gateway "github.com/envoyproxy/gateway/internal/wasm"
	"github.com/google/go-containerregistry/pkg/registry"
	istio "istio.io/istio/pkg/wasm"
)

// fetcher is what both have: the second result is the digest.
type fetcher interface {
	PrepareFetch(reference string) (func() ([]byte, error), string, error)
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	return http.Serve(listener, registry.New(quiet, registry.WithReferrersSupport(true)))
}

func fetch(by fetcher, reference, file string) error {
	read, digest, err := by.PrepareFetch(reference)
	if err != nil {
		return err
	}
	module, err := read()
	if err != nil {
		return err
	}
	fmt.Println("sha256:" + digest)
	return os.WriteFile(file, module, 0o644)
}

func run(arguments []string) error {
	ctx := context.Background()
	switch {
	case len(arguments) == 1 && arguments[0] == "registry":
		return serve()
	case len(arguments) == 3 && arguments[0] == "istio":
		return fetch(istio.NewImageFetcher(ctx, istio.ImageFetcherOption{Insecure: true}), arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "envoy-gateway":
		logger := logging.DefaultLogger(os.Stderr, api.LogLevelError)
		by, err := gateway.NewImageFetcher(ctx, gateway.ImageFetcherOption{Insecure: true}, logger)
		if err != nil {
			return err
		}
		return fetch(by, arguments[1], arguments[2])
	}
	return fmt.Errorf("called wrongly: %q", arguments)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
