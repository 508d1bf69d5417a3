package auth

import "net/http"

// Mux is what handlers register with: *[net/http.ServeMux], chi.Router, and
// everything else that has this method.
type Mux interface {
	Handle(pattern string, handler http.Handler)
}
