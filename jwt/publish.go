package jwt

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gatewarden/auth"
)

// NewJWKSHandler publishes the public keys of a source as a JWK Set (RFC 7517
// §5): for GET and HEAD, from every origin. Symmetric keys are left out, and
// private parts. If nothing is left the set is empty. While source cannot
// tell, it answers 503.
//
// Caches may keep the answer for maxAge, in whole seconds. It must be less than
// KeyringConfig.Publish, or keys sign before everybody has them. 0 is 5 minutes,
// less than 0 is not at all.
//
// The content type is application/json, which every client takes, rather than
// application/jwk-set+json (RFC 7517 §8.5.2), which some refuse.
func NewJWKSHandler(source KeySource, maxAge time.Duration) http.Handler {
	caching := "no-store"
	if maxAge = cmp.Or(maxAge, 5*time.Minute); maxAge > 0 {
		caching = "public, max-age=" + strconv.FormatInt(int64(maxAge/time.Second), 10)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			auth.WriteProblem(w, &auth.Problem{Status: http.StatusMethodNotAllowed, Code: auth.CodeMethodNotAllowed,
				Detail: "Method not allowed."})
			return
		}
		h.Set("Access-Control-Allow-Origin", "*")
		set, err := source.Current(r.Context(), time.Now())
		if err != nil || set == nil {
			h.Set("Retry-After", "5")
			h.Set("Cache-Control", "no-store")
			auth.WriteProblem(w, &auth.Problem{Status: http.StatusServiceUnavailable, Code: auth.CodeUnavailable,
				Detail: "The keys are temporarily unavailable."})
			return
		}
		text := set.marshalPublic()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", caching)
		h.Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text)
	})
}

// marshalPublic returns the public parts of the keys as a JWK Set, and a line
// break, which people at a terminal miss.
func (s *KeySet) marshalPublic() []byte {
	keys := []json.RawMessage{}
	for _, k := range s.keys {
		if public := k.Public(); public != nil {
			if text, err := public.MarshalJWK(false); err == nil {
				keys = append(keys, text)
			}
		}
	}
	text, _ := json.Marshal(map[string]any{"keys": keys}) // of JSON
	return append(text, '\n')
}
