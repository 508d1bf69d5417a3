// Oauth2-resource is an API that shares nothing with the authorization server but
// its URL: it takes the access tokens of the demo.
//
//	go run ./examples/demo -clients examples/oauth2-resource/clients.json
//	go run ./examples/oauth2-resource -by jwt            # http://127.0.0.1:8001/
//	go run ./examples/oauth2-resource -by introspection  # http://127.0.0.1:8002/
//
// By JWT it checks tokens with the published keys and asks no server. By introspection
// it asks the server about each token, and remembers the answer for a few seconds.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oauth2-resource:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("oauth2-resource", flag.ContinueOnError)
	issuer := flags.String("issuer", "http://127.0.0.1:8000", "`URL` of the authorization server")
	by := flags.String("by", "jwt", "jwt or introspection")
	addr := flags.String("addr", "", "address to serve (default: 127.0.0.1:8001 for jwt, :8002 for introspection)")
	resource := flags.String("resource", "", "`URL` that tokens must be for (default: the one of the demo)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var source oauth2.Source
	var err error
	switch *by {
	case "jwt":
		*addr, *resource = cmp.Or(*addr, "127.0.0.1:8001"), cmp.Or(*resource, "http://127.0.0.1:8001/")
		source, err = oauth2.NewJWT(oauth2.JWTConfig{Issuer: *issuer, Audience: []string{*resource}})
	case "introspection":
		*addr, *resource = cmp.Or(*addr, "127.0.0.1:8002"), cmp.Or(*resource, "http://127.0.0.1:8002/")
		source, err = oauth2.NewIntrospection(oauth2.IntrospectionConfig{Issuer: *issuer, ClientID: "demo-api",
			ClientSecret: "demo-api-secret-of-32-characters", Cache: oauth2.IntrospectionCache{TTL: 5 * time.Second}})
	default:
		return fmt.Errorf("-by %s: want jwt or introspection", *by)
	}
	if err != nil {
		return err
	}
	handler, err := serve(*issuer, *resource, source)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	fmt.Fprintf(os.Stderr, "It takes access tokens of %s for the resource %s. Try:\n"+
		"curl -H 'Authorization: Bearer …' http://%s/reports\n", *issuer, *resource, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serve is all that an API has to do.
func serve(issuer, resource string, source oauth2.Source) (http.Handler, error) {
	api, err := oauth2.New(oauth2.Config{
		Resource: resource, Sources: []oauth2.Source{source}, AuthorizationServers: []string{issuer},
		ScopesSupported: []string{"reports:read", "reports:write"},
		User:            oauth2.SubjectUser, // this API has no users of its own
	})
	if err != nil {
		return nil, err
	}
	guard, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{api}, Observer: auth.SlogObserver(slog.Default())})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	api.Register(mux) // says which server to ask for tokens (RFC 9728)
	mux.Handle("GET /reports", guard.Require(auth.AllowMachines, auth.Scopes("reports:read"))(
		http.HandlerFunc(reports)))
	mux.Handle("POST /reports", guard.Require(auth.AllowMachines, auth.Scopes("reports:write"))(
		http.HandlerFunc(reports)))
	return mux, nil
}

// reports tells which user asked.
func reports(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFrom[auth.User](r.Context())
	token, _ := auth.CredentialFrom[*oauth2.Token](r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"user": user.UserID(), "client": token.ClientID,
		"scopes": token.Scope})
}
