// Orders is a service that checks tokens of another, package login beside it,
// by the keys that it publishes. It shares nothing with it but its URL.
//
//	go run ./examples/microservices/orders [-addr 127.0.0.1:8005] [-issuer http://127.0.0.1:8004]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8005", "address to serve; port 0 is any free one")
	issuer := flag.String("issuer", "http://127.0.0.1:8004", "`URL` of the service that issues tokens")
	refresh := flag.Duration("refresh", 5*time.Minute, "how often its keys are fetched")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *issuer, *refresh); err != nil {
		log.Fatal("orders: ", err)
	}
}

func run(ctx context.Context, addr, issuer string, refresh time.Duration) error {
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: issuer, Refresh: refresh,
		CoolDown: min(refresh, 10*time.Second)})
	if err != nil {
		return err
	}
	go keys.Run(ctx)
	tokens, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
		Issuer: issuer, Audience: []string{"https://orders.example"}, Keys: keys,
		Profile: jwt.Gatewarden(), // the issuer is a service of ours
		User:    jwt.SubjectUser,  // nothing is known of users here but what tokens say
	}}})
	if err != nil {
		return err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := keys.Check(r.Context()); err != nil {
			http.Error(w, "no keys", http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /orders", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[jwt.Subject](r.Context())
		fmt.Fprintln(w, "orders of", user.ID)
	})))
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Println("listening on http://" + listener.Addr().String())
	fmt.Fprintf(os.Stderr, "It takes access tokens of %s. Try:\n"+
		"curl -H 'Authorization: Bearer …' http://%s/orders\n", issuer, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
