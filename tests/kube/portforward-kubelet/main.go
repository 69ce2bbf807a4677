// Command portforward-kubelet is as much of a kubelet as port-forward needs: an API server connects to it as to any
// node's, and it serves /portForward/NAMESPACE/POD with the package that container runtimes serve it with, for
// WebSockets as for SPDY.
//
// What listens in a pod is the business of whoever runs the pods, who listens at a Unix socket. Each connection to a
// port of a pod is a connection there, which begins with a line `NAMESPACE/POD:PORT`. The answer is a line as well:
// empty, and bytes follow in both directions, or why nobody can be reached at that port.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
)

const (
	// As kubelet has it (streamingConnectionIdleTimeout).
	idleTimeout = 4 * time.Hour
	// As container runtimes have it.
	creationTimeout = 30 * time.Second
)

// pods reaches the pods of one namespace.
type pods struct {
	namespace string
	socket    string
}

// PortForward carries bytes between a stream and a port of a pod until that side has no more.
func (p pods) PortForward(_ context.Context, name string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	connection, err := net.Dial("unix", p.socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := fmt.Fprintf(connection, "%s/%s:%d\n", p.namespace, name, port); err != nil {
		return err
	}
	// What is read beyond the line belongs to the stream.
	reader := bufio.NewReader(connection)
	answer, err := reader.ReadString('\n')
	if err != nil {
		return fmt.Errorf("nobody runs pods: %w", err)
	}
	if reason := strings.TrimSpace(answer); reason != "" {
		return errors.New(reason)
	}
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(stream, reader)
	return err
}

func main() {
	listen := flag.String("listen", "", "`ADDRESS:PORT` of this kubelet, as its Node has them")
	certificate := flag.String("certificate", "", "`FILE` with its serving certificate")
	key := flag.String("key", "", "`FILE` with the key of that")
	authority := flag.String("client-authority", "", "`FILE` with the authority of those who may connect")
	socket := flag.String("pods", "", "`SOCKET` of whoever runs the pods")
	flag.Parse()

	trusted := x509.NewCertPool()
	text, err := os.ReadFile(*authority)
	if err != nil {
		log.Fatal(err)
	}
	if !trusted.AppendCertsFromPEM(text) {
		log.Fatalf("%s holds no certificate", *authority)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/portForward/{namespace}/{pod}", func(answer http.ResponseWriter, request *http.Request) {
		options, err := portforward.NewV4Options(request)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		reached := pods{namespace: request.PathValue("namespace"), socket: *socket}
		portforward.ServePortForward(answer, request, reached, request.PathValue("pod"), "", options,
			idleTimeout, creationTimeout, portforward.SupportedProtocols)
	})
	server := http.Server{
		Addr:    *listen,
		Handler: routes,
		TLSConfig: &tls.Config{
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  trusted,
			// A connection of HTTP/2 cannot be upgraded.
			NextProtos: []string{"http/1.1"},
		},
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}
