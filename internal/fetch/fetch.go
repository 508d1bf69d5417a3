// Package fetch gets documents from other services, such as the metadata and the keys of an issuer.
// It limits time, size and redirects, because such a service may be slow or hostile.
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

var errRedirected = errors.New("redirected elsewhere, or too often")

// down is why a server does not answer as it would at another time.
type down struct{ error }

func (d down) Unwrap() error { return d.error }

const (
	maxHeader = 64 << 10 // the longest header of an answer that is read, in bytes
	maxBody   = 1 << 20  // the longest body
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
			return errRedirected
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
	return a.MediaType == "application/json" ||
		strings.HasPrefix(a.MediaType, "application/") && strings.HasSuffix(a.MediaType, "+json")
}

// Do sends a request and reads the answer, of whatever status, of at most 1 MiB.
func Do(client *http.Client, r *http.Request) (*Answer, error) {
	resp, err := client.Do(r)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // which does not repeat the URL: it may have a secret
		}
		err = fmt.Errorf("%s: %w", Place(r.URL), err)
		if !errors.Is(err, errRedirected) {
			err = down{err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, down{fmt.Errorf("%s: %w", Place(r.URL), err)}
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
	if err != nil {
		return nil, nil, err
	}
	if err := a.ok(r); err != nil {
		return nil, nil, err
	}
	if err := a.notJSON(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", Place(r.URL), err)
	}
	return a.Body, a.Header, nil
}

// Document gets JSON whatever media type the server names, for what its content proves to
// be what was asked for. Many publish keys from a store of files, as text/plain or
// binary/octet-stream, and RFC 7517 §5 asks for no type. The status must be 200. A 404 is
// ErrNotThere.
func Document(ctx context.Context, client *http.Client, from string) (*Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	a, err := Do(client, r)
	if err != nil {
		return nil, err
	}
	return a, a.ok(r)
}

// ok refuses an answer that is not 200.
func (a *Answer) ok(r *http.Request) error {
	switch a.Status {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w", Place(r.URL), ErrNotThere)
	}
	err := fmt.Errorf("%s: status %d", Place(r.URL), a.Status)
	if a.Status >= 500 || a.Status == http.StatusTooManyRequests {
		return down{err}
	}
	return err
}

// notJSON is that the answer has another media type.
func (a *Answer) notJSON() error {
	if a.IsJSON() {
		return nil
	}
	return fmt.Errorf("the answer is of the type %s and not of a JSON type", cause.Quote(a.MediaType))
}

// Unread returns why a [Document] could not be read, with its media type if it is no JSON
// and likely a page.
func (a *Answer) Unread(why error) error {
	if other := a.notJSON(); other != nil && !json.Valid(a.Body) {
		return fmt.Errorf("%w: %w", other, why)
	}
	return why
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
