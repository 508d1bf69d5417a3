// Custom shows a backend of one's own: requests signed with a shared key, as
// webhooks are. Everything a guard needs of a backend is in signed.go.
//
//	WEBHOOK_KEY=$(openssl rand -hex 32) go run ./examples/custom [-addr 127.0.0.1:8006]
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gatewarden/auth"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8006", "address to serve")
	flag.Parse()
	key := os.Getenv("WEBHOOK_KEY")
	if len(key) < 32 {
		log.Fatal("set WEBHOOK_KEY to at least 32 random characters")
	}
	handler, err := service([]byte(key))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "Senders sign with WEBHOOK_KEY. In a shell that has it, try:\n"+
		"SIGNATURE=$(printf 'ci GET /hook' | openssl dgst -sha256 -hmac $WEBHOOK_KEY | sed 's/.* //')\n"+
		"curl -H \"Authorization: Signed ci:$SIGNATURE\" http://%s/hook\n", *addr)
	log.Fatal(http.ListenAndServe(*addr, handler))
}

func service(key []byte) (http.Handler, error) {
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{signed{key}}})
	if err != nil {
		return nil, err
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := auth.UserFrom[sender](r.Context())
		fmt.Fprintf(w, "hello, %s\n", who)
	})
	return guard.Require()(hello), nil
}
