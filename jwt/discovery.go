package jwt

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/fetch"
)

// discover finds out where an issuer publishes its keys.
func (k *RemoteKeys) discover(ctx context.Context, issuer string) (jwksURL string, err error) {
	metadata, err := fetch.Discover(ctx, k.client, issuer)
	if err != nil {
		return "", err
	}
	return metadata.URL("jwks_uri")
}

// get fetches JSON. The age is how long the answer may be kept, less than 0 if it
// does not say.
func (k *RemoteKeys) get(ctx context.Context, from string) (text []byte, maxAge time.Duration, err error) {
	text, header, err := fetch.Get(ctx, k.client, from)
	if err != nil {
		return nil, 0, err
	}
	return text, maxAgeOf(header), nil
}

// maxAgeOf reads Cache-Control (RFC 9111 §5.2.2): -1 is nothing said. What must
// not be kept at all has no age.
func maxAgeOf(h http.Header) time.Duration {
	age := time.Duration(-1)
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					age = time.Duration(n) * time.Second
				}
			}
		}
	}
	return age
}
