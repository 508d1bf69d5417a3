package jwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/fetch"
)

// discover finds out where an issuer publishes its keys.
func (k *RemoteKeys) discover(ctx context.Context, issuer string) (jwksURL string, err error) {
	metadata, err := fetch.Discover(ctx, k.client, issuer)
	if fetch.IsMissing(err) {
		// A service of New that publishes its keys alone is one of these.
		err = fmt.Errorf("%w; if it publishes only its keys, set RemoteKeysConfig.URL to their URL", err)
	}
	if err != nil {
		return "", err
	}
	return metadata.URL("jwks_uri")
}

// get fetches keys. The age is how long they may be kept, less than 0 if the answer
// does not say.
func (k *RemoteKeys) get(ctx context.Context, from string) (set *KeySet, maxAge time.Duration, err error) {
	answer, err := fetch.Document(ctx, k.client, from)
	if err != nil {
		return nil, 0, err
	}
	set, said, err := readJWKS(answer.Body)
	if err == nil && len(set.keys) == 0 {
		// Such a set checks no token, so it decides nothing.
		err = errors.New("a JWK Set without a key for us")
		if left := said.leftOut.String(); left != "" {
			err = fmt.Errorf("%w: %s", err, left)
		}
	}
	if err != nil {
		place, _, _ := strings.Cut(from, "?")
		return nil, 0, fmt.Errorf("%s: %w", place, answer.Unread(err))
	}
	set.said = said
	return set, maxAgeOf(answer.Header), nil
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
