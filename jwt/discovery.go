package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// errNotThere is a 404.
var errNotThere = errors.New("404 Not Found")

// discover finds out where an issuer publishes its keys, by OpenID Connect
// Discovery §4 or, if there is nothing, by RFC 8414 §3.
func (k *RemoteKeys) discover(ctx context.Context, issuer string) (jwksURL string, err error) {
	for _, metadata := range metadataURLs(issuer) {
		text, _, err := k.get(ctx, metadata)
		if errors.Is(err, errNotThere) {
			continue
		}
		if err != nil {
			return "", err
		}
		return parseMetadata(text, issuer)
	}
	return "", errors.New("the issuer has no metadata")
}

// metadataURLs are where metadata can be: after the issuer (OpenID), and between
// its host and its path (RFC 8414 §3.1).
func metadataURLs(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return []string{
		strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration",
		u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + path,
	}
}

// maxJWKSURL is the longest jwks_uri that is followed, in bytes.
const maxJWKSURL = 2 << 10

// parseMetadata reads metadata (RFC 8414 §3.3): it must be of the issuer that
// was asked for, or somebody could hand out their keys as another's. Errors say
// nothing of what it reads: they are logged.
func parseMetadata(text []byte, issuer string) (jwksURL string, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return "", errors.New("metadata is no JSON object")
	}
	var named string
	if json.Unmarshal(members["issuer"], &named) != nil || named != issuer {
		return "", errors.New("metadata is of another issuer (RFC 8414 §3.3)")
	}
	if json.Unmarshal(members["jwks_uri"], &jwksURL) != nil || jwksURL == "" || len(jwksURL) > maxJWKSURL {
		return "", errors.New("metadata has no jwks_uri, or a very long one")
	}
	if of, err := url.Parse(issuer); err != nil || of.Scheme == "https" && !strings.HasPrefix(jwksURL, "https:") {
		// http is for tests on one machine: nobody elsewhere names a place there.
		return "", errors.New("jwks_uri is not https")
	}
	if err := checkURL(jwksURL); err != nil {
		return "", fmt.Errorf("jwks_uri %w", err)
	}
	return jwksURL, nil
}

// checkURL refuses URLs that must not be fetched. Its error does not repeat
// them: a password may be in there.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsRune(text, '#'):
		return errors.New("is no URL with a host, without a user and a fragment")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("is not https")
}

// maxHeader is the longest header of an answer that is read, in bytes.
const maxHeader = 64 << 10

// hardened returns a client without cookies that follows redirects within a
// host only.
func hardened(client *http.Client) *http.Client {
	c := http.Client{}
	if client != nil {
		c = *client
	}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok && c.Transport == nil {
		own := standard.Clone()
		own.MaxResponseHeaderBytes = maxHeader
		c.Transport = own
	}
	c.Jar = nil
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || r.URL.Scheme != via[0].URL.Scheme || r.URL.Host != via[0].URL.Host {
			return errors.New("redirected elsewhere, or too often")
		}
		return nil
	}
	return &c
}

// get fetches JSON of at most 1 MiB. The age is how long the answer may be kept,
// less than 0 if it does not say.
func (k *RemoteKeys) get(ctx context.Context, from string) (text []byte, maxAge time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	resp, err := k.client.Do(r)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // which does not repeat the URL: it may have a secret
		}
		return nil, 0, fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, 0, errNotThere
	}
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" && !(strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")) {
		return nil, 0, errors.New("the answer is not of a JSON type")
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, 0, err
	}
	if len(text) > maxJWKS {
		return nil, 0, errors.New("the answer is longer than 1 MiB")
	}
	return text, maxAgeOf(resp.Header), nil
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

// isLoopback reports a host that is this machine (Secure Contexts §3.1).
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
