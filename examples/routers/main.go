// Routers shows one guard with four routers: chi, gin, echo, and a ServeMux that
// another ServeMux is mounted in. Each has the same routes.
//
//	go run ./examples/routers [-with chi|gin|echo|servemux] [-addr 127.0.0.1:8007]
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
)

func main() {
	with := flag.String("with", "servemux", "`router`: chi, gin, echo or servemux")
	addr := flag.String("addr", "127.0.0.1:8007", "address to serve")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode)
	s, err := newService()
	if err != nil {
		log.Fatal(err)
	}
	handler, err := s.router(*with)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr,
		"Its users are alice and ada, who is an admin. The password is in examples/README.md. Try:\n"+
			"curl -d 'username=alice&password=…' http://%[1]s/auth/login/\n"+
			"curl -H 'Authorization: Token …' http://%[1]s/reports/7\n", *addr)
	server := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func (s *service) router(name string) (http.Handler, error) {
	switch name {
	case "chi":
		return s.chi(), nil
	case "gin":
		return s.gin(), nil
	case "echo":
		return s.echo(), nil
	case "servemux":
		return s.serveMux()
	}
	return nil, fmt.Errorf("there is no router %q", name)
}
