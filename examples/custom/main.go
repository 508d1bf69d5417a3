// Custom shows a backend of one's own: requests signed with a shared key, as
// webhooks are. Everything a guard needs of a backend is in signed.go.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gatewarden/auth"
)

func main() {
	key := os.Getenv("WEBHOOK_KEY")
	if len(key) < 32 {
		log.Fatal("set WEBHOOK_KEY to at least 32 random characters")
	}
	handler, err := service([]byte(key))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8006", handler))
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
