// Package fetch asks other services, which may be slow, large, or lie: what the
// keys of an issuer and introspection share.
package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// ErrNotThere is a 404.
var ErrNotThere = errors.New("404 Not Found")

const (
	maxHeader = 64 << 10 // the longest header of an answer that is read, in bytes
	maxBody   = 1 << 20  // the longest body
	maxURL    = 2 << 10  // the longest URL of metadata that is followed
)

// Client returns a client without cookies that follows redirects within a host
// only. A nil one is http.DefaultClient with a bound on headers.
func Client(client *http.Client) *http.Client {
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

// Answer is what a server answered.
type Answer struct {
	Status    int
	MediaType string // without parameters, in lower case; "" if it is none
	Header    http.Header
	Body      []byte
}

// IsJSON reports a JSON type (RFC 6839 §3.1).
func (a *Answer) IsJSON() bool {
	return a.MediaType == "application/json" || strings.HasPrefix(a.MediaType, "application/") && strings.HasSuffix(a.MediaType, "+json")
}

// Do sends a request and reads the answer, of whatever status, of at most 1 MiB.
func Do(client *http.Client, r *http.Request) (*Answer, error) {
	resp, err := client.Do(r)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // which does not repeat the URL: it may have a secret
		}
		return nil, fmt.Errorf("%s: %w", Place(r.URL), err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Place(r.URL), err)
	}
	if len(text) > maxBody {
		return nil, fmt.Errorf("%s: the answer is longer than 1 MiB", Place(r.URL))
	}
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}
	if mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		a.MediaType = mediaType
	}
	return a, nil
}

// Place returns a URL for a log, without user and query, which may have secrets.
func Place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// JSON sends a request and returns the body of its answer, which must be 200, of a
// JSON type and at most 1 MiB. A 404 is ErrNotThere.
func JSON(client *http.Client, r *http.Request) (text []byte, header http.Header, err error) {
	a, err := Do(client, r)
	switch {
	case err != nil:
		return nil, nil, err
	case a.Status == http.StatusNotFound:
		return nil, nil, fmt.Errorf("%s: %w", Place(r.URL), ErrNotThere)
	case a.Status != http.StatusOK:
		return nil, nil, fmt.Errorf("%s: status %d", Place(r.URL), a.Status)
	case !a.IsJSON():
		return nil, nil, fmt.Errorf("%s: the answer is of the type %s and not of a JSON type", Place(r.URL),
			cause.Quote(a.MediaType))
	}
	return a.Body, a.Header, nil
}

// Get is JSON of a GET.
func Get(ctx context.Context, client *http.Client, from string) (text []byte, header http.Header, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	return JSON(client, r)
}

// Metadata is what an issuer publishes of itself.
type Metadata struct {
	issuer  string
	members map[string]json.RawMessage
}

// Discover gets the metadata of an issuer, by OpenID Connect Discovery §4 or, if
// there is nothing, by RFC 8414 §3.
func Discover(ctx context.Context, client *http.Client, issuer string) (*Metadata, error) {
	var missing []error
	for _, from := range metadataURLs(issuer) {
		text, _, err := Get(ctx, client, from)
		if errors.Is(err, ErrNotThere) {
			missing = append(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := ParseMetadata(text, issuer)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		return m, nil
	}
	return nil, fmt.Errorf("the issuer has no metadata: %w", errors.Join(missing...))
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

// ParseMetadata reads metadata (RFC 8414 §3.3): it must be of the issuer that was
// asked for, because another issuer could otherwise pass its keys off as those of this
// one. The error shows both issuers, without user and query.
func ParseMetadata(text []byte, issuer string) (*Metadata, error) {
	m := &Metadata{issuer: issuer}
	if err := json.Unmarshal(text, &m.members); err != nil {
		return nil, errors.New("metadata is no JSON object")
	}
	var named string
	if json.Unmarshal(m.members["issuer"], &named) != nil || named != issuer {
		if u, err := url.Parse(named); err == nil {
			named = Place(u)
		}
		return nil, fmt.Errorf("metadata is of another issuer (RFC 8414 §3.3): it says %s, and the setting is %s",
			cause.Quote(named), cause.Quote(issuer))
	}
	return m, nil
}

// URL returns a member that is a URL, which an issuer by https must have by https.
func (m *Metadata) URL(name string) (string, error) {
	var text string
	if json.Unmarshal(m.members[name], &text) != nil || text == "" || len(text) > maxURL {
		return "", fmt.Errorf("metadata of %s has no %s, or a very long one", m.issuer, name)
	}
	if of, err := url.Parse(m.issuer); err != nil || of.Scheme == "https" && !strings.HasPrefix(text, "https:") {
		// http is for tests on one machine: nobody elsewhere names a place there.
		return "", fmt.Errorf("metadata of %s: %s is not https", m.issuer, name)
	}
	if err := CheckURL(text); err != nil {
		return "", fmt.Errorf("metadata of %s: %s %w", m.issuer, name, err)
	}
	return text, nil
}

// Flag returns a member that is true.
func (m *Metadata) Flag(name string) bool {
	var flag bool
	return json.Unmarshal(m.members[name], &flag) == nil && flag
}

// List returns a member that is an array of strings, or nil.
func (m *Metadata) List(name string) []string {
	var list []string
	if json.Unmarshal(m.members[name], &list) != nil {
		return nil
	}
	return list
}

// Has reports a member that is there, and not null.
func (m *Metadata) Has(name string) bool {
	return len(m.members[name]) > 0 && string(m.members[name]) != "null"
}

// CheckURL refuses URLs that must not be fetched. Its error does not repeat them: a
// password may be in there.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsRune(text, '#'):
		return errors.New("is no URL with a host, without a user and a fragment")
	case u.Scheme == "https", u.Scheme == "http" && backend.IsLoopback(u.Hostname()):
		return nil
	}
	return errors.New("is not https")
}
