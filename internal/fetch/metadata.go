package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth/internal/cause"
)

const (
	maxURL    = 2 << 10 // the longest URL of metadata that is followed
	maxValues = 1000    // the most values of a list
)

// Metadata is what an issuer publishes of itself. It is not safe for concurrent use.
//
// An optional member that is null is absent. So is one of another type than it must have,
// and Ignored names it.
type Metadata struct {
	issuer  string
	members map[string]json.RawMessage
	ignored []string
}

// Discover gets the metadata of an issuer. The first place that has a document of exactly
// this issuer decides: OpenID Connect Discovery §4, RFC 8414 §3.1, or RFC 8414 §5. A server
// that is down is not asked for the others. The error names each place that was asked, and
// why it has no such document.
func Discover(ctx context.Context, client *http.Client, issuer string) (*Metadata, error) {
	var faults missing
	for _, from := range metadataURLs(issuer) {
		m, err := MetadataAt(ctx, client, from, issuer)
		if err == nil {
			return m, nil
		}
		if errors.As(err, new(down)) {
			return nil, err // and the other places are on the same host
		}
		faults = append(faults, err)
	}
	return nil, faults
}

// IsMissing reports an error of Discover about an issuer that answers and has no metadata at any place.
func IsMissing(err error) bool { return errors.As(err, new(missing)) }

// missing is why no place has metadata.
type missing []error

func (m missing) Error() string {
	var all []string
	for _, err := range m {
		all = append(all, err.Error())
	}
	return "the issuer has no metadata: " + strings.Join(all, "; ")
}

// Unwrap returns the error of each place.
func (m missing) Unwrap() []error { return m }

// MetadataAt gets the metadata of an issuer that is at this place. The media type of the
// answer does not count: no document names this issuer by chance.
func MetadataAt(ctx context.Context, client *http.Client, from, issuer string) (*Metadata, error) {
	a, err := Document(ctx, client, from)
	if err != nil {
		return nil, err
	}
	m, err := ParseMetadata(a.Body, issuer)
	if err != nil {
		if u, parsed := url.Parse(from); parsed == nil {
			from = Place(u)
		}
		return nil, fmt.Errorf("%s: %w", from, a.Unread(err))
	}
	return m, nil
}

// metadataURLs are where metadata can be: after the issuer (OpenID Connect Discovery §4),
// and between its host and its path (RFC 8414 §3.1), where OpenID providers may have theirs,
// too (RFC 8414 §5).
func metadataURLs(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	const openID, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	host, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	all := []string{strings.TrimSuffix(issuer, "/") + openID, host + oauth + path}
	if path != "" {
		all = append(all, host+openID+path)
	}
	return all
}

// ParseMetadata reads metadata (RFC 8414 §3.3): it must be of the issuer that was
// asked for, because another issuer could otherwise pass its keys off as those of this
// one. The error shows both issuers, without user and query.
func ParseMetadata(text []byte, issuer string) (*Metadata, error) {
	m := &Metadata{issuer: issuer}
	if err := json.Unmarshal(text, &m.members); err != nil || m.members == nil {
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
		// http is for tests on one machine: other hosts cannot name a place there.
		return "", fmt.Errorf("metadata of %s: %s is not https", m.issuer, name)
	}
	if err := CheckURL(text); err != nil {
		return "", fmt.Errorf("metadata of %s: %s %w", m.issuer, name, err)
	}
	return text, nil
}

// OptionalURL returns URL of an optional member, or "".
func (m *Metadata) OptionalURL(name string) string {
	if !m.Has(name) {
		return ""
	}
	text, err := m.URL(name)
	if err != nil {
		m.ignored = append(m.ignored, name)
	}
	return text
}

// Flag returns a member that is true.
func (m *Metadata) Flag(name string) bool {
	var flag bool
	m.optional(name, &flag)
	return flag
}

// List returns the strings of a member that is an array, or nil.
func (m *Metadata) List(name string) []string {
	var all []json.RawMessage
	m.optional(name, &all)
	var list []string
	for _, each := range all[:min(len(all), maxValues)] {
		var text *string
		if json.Unmarshal(each, &text) == nil && text != nil {
			list = append(list, *text)
		}
	}
	return list
}

// optional reads an optional member into what to points to.
func (m *Metadata) optional(name string, to any) {
	if m.Has(name) && json.Unmarshal(m.members[name], to) != nil {
		m.ignored = append(m.ignored, name)
	}
}

// Has reports a member that is there, and not null.
func (m *Metadata) Has(name string) bool {
	return len(m.members[name]) > 0 && string(m.members[name]) != "null"
}

// Ignored returns the names of members that count as absent, though they are there and not
// null. They are for one line in a log.
func (m *Metadata) Ignored() []string { return m.ignored }
