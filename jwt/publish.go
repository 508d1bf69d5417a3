package jwt

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gatewarden/auth"
)

// NewJWKSHandler publishes the public keys of a source as a JWK Set (RFC 7517
// §5): for GET and HEAD, from every origin. Symmetric keys are left out, and
// private parts. Caches may keep the answer for maxAge, which must be less than
// KeyringConfig.Publish; 0 is 5 minutes. While source cannot tell, it answers
// 503.
//
// The content type is application/json, which every client takes, rather than
// application/jwk-set+json (RFC 7517 §8.5.2).
func NewJWKSHandler(source KeySource, maxAge time.Duration) http.Handler {
	caching := "public, max-age=" + strconv.Itoa(int(or(maxAge, 5*time.Minute)/time.Second))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			auth.WriteProblem(w, &auth.Problem{Status: http.StatusMethodNotAllowed, Code: auth.CodeMethodNotAllowed, Detail: "Method not allowed."})
			return
		}
		h.Set("Access-Control-Allow-Origin", "*")
		set, err := source.Current(r.Context(), time.Now())
		if err != nil {
			h.Set("Retry-After", "5")
			h.Set("Cache-Control", "no-store")
			auth.WriteProblem(w, &auth.Problem{Status: http.StatusServiceUnavailable, Code: auth.CodeUnavailable, Detail: "The keys are temporarily unavailable."})
			return
		}
		keys := []json.RawMessage{}
		for _, k := range set.keys {
			if public := k.Public(); public != nil {
				if text, err := public.MarshalJWK(false); err == nil {
					keys = append(keys, text)
				}
			}
		}
		text, _ := json.Marshal(map[string]any{"keys": keys}) // of JSON
		text = append(text, '\n')
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", caching)
		h.Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text)
	})
}
