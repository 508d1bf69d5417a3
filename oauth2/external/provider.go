package external

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/fetch"
)

// Provider is where people can have their accounts: [OIDC], [OAuth2], or one of
// [Google], [GitHub], [Microsoft], [Apple], [Facebook] and [GitLab], which are those
// two with what is particular about them.
type Provider interface {
	provider(env environment) (*provider, error)
}

// environment is what all providers have.
type environment struct {
	client  *http.Client
	timeout time.Duration
	logger  *slog.Logger
}

// provider is a Provider made ready.
type provider struct {
	environment
	name, label string
	key         string // what tells it from others: its issuer
	clientID    string
	clients     []string // those that native apps have ID tokens of; nil where there are none
	scopes      []string
	params      map[string]string // of the authorization request, besides
	domains     []string          // in lower case
	formPost    bool              // the answer comes by POST
	nonce       bool              // there is an ID token, which must have ours
	maxAge      bool              // it knows max_age
	fragment    bool              // the browser comes back with a fragment of the provider's
	lenient     bool              // token answers may be forms, and errors have status 200

	endpoints func(ctx context.Context, now time.Time) (*endpoints, error)
	// isIssuer reports what may be "iss" in an answer (RFC 9207); nil is that it may
	// not be there.
	isIssuer func(iss string) bool
	iss      string // what isIssuer wants, for the log
	// authenticate adds the client's authentication to a request of the token endpoint
	// or of those that are like it.
	authenticate func(e *endpoints, form url.Values, header http.Header) error
	// prolong exchanges tokens for ones that live longer; nil is not.
	prolong func(ctx context.Context, e *endpoints, tokens *Tokens, now time.Time) (*Tokens, error)
	// issuedHere checks that an access token is of this client; nil is that nobody can
	// tell.
	issuedHere func(ctx context.Context, token auth.Secret) error
	// profile says who it is.
	profile func(ctx context.Context, a *answer) (*Profile, error)
}

// answer is what a login has come to when the tokens are there.
type answer struct {
	endpoints *endpoints
	tokens    *Tokens
	attempt   *attempt
	clients   []string   // whom the ID token may be for
	form      url.Values // of the callback
	now       time.Time
}

// endpoints are where a provider is asked.
type endpoints struct {
	authorize, token      string
	userInfo, revoke, end string // "" if there is none
	issuerInAnswers       bool   // RFC 9207 §3
	post                  bool   // the secret goes into the body
	keys                  string
}

// base is what the kinds of provider have in common.
func base(env environment, kind, name, label, clientID string, domains []string) (*provider, error) {
	p := &provider{environment: env, name: name, label: cmp.Or(label, name), clientID: clientID}
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}):
		return nil, fmt.Errorf("oauth2/external: %s.Name %q is empty, or has other characters than a-z, 0-9, - and _", kind, name)
	case clientID == "":
		return nil, fmt.Errorf("oauth2/external: %s.ClientID is missing", kind)
	}
	for _, domain := range domains {
		if domainOf("x@"+domain) == "" {
			return nil, fmt.Errorf("oauth2/external: %s.Domains: %q is no domain", kind, domain)
		}
		p.domains = append(p.domains, strings.ToLower(domain))
	}
	return p, nil
}

// Method is how a client authenticates at the token endpoint (OpenID Connect Core §9).
type Method string

// The methods with a secret. A key in its place is private_key_jwt.
const (
	ClientSecretBasic Method = "client_secret_basic"
	ClientSecretPost  Method = "client_secret_post"
)

// bySecret returns how a client authenticates that has this secret, or none. An empty
// method is the one the provider's metadata names.
func (p *provider) bySecret(secret auth.Secret, method Method) func(*endpoints, url.Values, http.Header) error {
	return func(e *endpoints, form url.Values, header http.Header) error {
		post := method == ClientSecretPost || method == "" && e.post
		switch {
		case secret == "" || post:
			form.Set("client_id", p.clientID)
			if secret != "" {
				form.Set("client_secret", secret.Reveal())
			}
		default: // RFC 6749 §2.3.1
			r := http.Request{Header: header}
			r.SetBasicAuth(url.QueryEscape(p.clientID), url.QueryEscape(secret.Reveal()))
		}
		return nil
	}
}

// fixed returns endpoints that are known beforehand.
func fixed(e endpoints) func(context.Context, time.Time) (*endpoints, error) {
	return func(context.Context, time.Time) (*endpoints, error) { return &e, nil }
}

// discovery finds the endpoints of an issuer by its metadata (OpenID Connect Discovery
// §4), and remembers them.
type discovery struct {
	environment
	issuer string // as the metadata names it
	from   string // where it is; "" is where the specification says

	turn  chan struct{} // of one: who may ask
	mu    sync.Mutex
	found *endpoints
	asked time.Time // when it was found
	next  time.Time // not to be asked before
	err   error
}

const (
	metadataFresh = time.Hour
	metadataStale = 24 * time.Hour // for how long it serves while the provider is down
	metadataPause = 5 * time.Second
)

func (d *discovery) known(now time.Time) (*endpoints, error, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.found != nil && now.Sub(d.asked) < metadataFresh:
		return d.found, nil, true
	case !now.Before(d.next):
		return nil, nil, false
	case d.found != nil && now.Sub(d.asked) < metadataStale:
		return d.found, nil, true
	}
	return nil, d.err, true
}

// endpoints returns them. The only errors are that the provider is down or says what it
// should not, and that ctx ended.
func (d *discovery) endpoints(ctx context.Context, now time.Time) (*endpoints, error) {
	if e, err, ok := d.known(now); ok {
		return e, err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Others may wait for the answer, too, so it comes even if ctx ends.
	var e *endpoints
	var err error
	done := make(chan struct{})
	go func() {
		defer func() { close(done); <-d.turn }()
		e, err = d.renewed(context.WithoutCancel(ctx), now)
	}()
	select {
	case <-done:
		return e, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// renewed asks for the endpoints, unless another request has just done so.
func (d *discovery) renewed(ctx context.Context, now time.Time) (*endpoints, error) {
	if e, err, ok := d.known(now); ok {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	e, err := d.ask(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	if err == nil {
		d.found, d.asked = e, now
		return e, nil
	}
	d.next = now.Add(metadataPause)
	d.logger.WarnContext(ctx, "oauth2/external: metadata could not be fetched", "issuer", d.issuer, "error", err)
	if d.found != nil && now.Sub(d.asked) < metadataStale {
		return d.found, nil
	}
	return nil, err
}

func (d *discovery) ask(ctx context.Context) (*endpoints, error) {
	m, err := d.metadata(ctx)
	if err != nil {
		return nil, err
	}
	e := &endpoints{issuerInAnswers: m.Flag("authorization_response_iss_parameter_supported")}
	for name, to := range map[string]*string{"authorization_endpoint": &e.authorize, "token_endpoint": &e.token, "jwks_uri": &e.keys,
		"userinfo_endpoint": &e.userInfo, "revocation_endpoint": &e.revoke, "end_session_endpoint": &e.end} {
		required := to == &e.authorize || to == &e.token || to == &e.keys
		if !required && !m.Has(name) {
			continue
		}
		if *to, err = m.URL(name); err != nil {
			return nil, err
		}
	}
	if methods := m.List("token_endpoint_auth_methods_supported"); len(methods) > 0 {
		e.post = !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post")
	}
	return e, nil
}

func (d *discovery) metadata(ctx context.Context) (*fetch.Metadata, error) {
	if d.from == "" {
		return fetch.Discover(ctx, d.client, d.issuer)
	}
	text, _, err := fetch.Get(ctx, d.client, d.from)
	if err != nil {
		return nil, err
	}
	m, err := fetch.ParseMetadata(text, d.issuer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.from, err)
	}
	return m, nil
}
