package oauth2

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/hidden"
	"github.com/gatewarden/auth/internal/loglimit"
	"github.com/gatewarden/auth/internal/remember"
	"github.com/gatewarden/auth/jwt"
)

// IntrospectionConfig is the configuration of an [Introspection]. Issuer or
// Endpoint, ClientID, and ClientSecret or Key are required.
type IntrospectionConfig struct {
	// Issuer is the authorization server. Its metadata says where to ask, unless
	// Endpoint does, and answers that name another issuer are refused.
	Issuer string
	// Endpoint is where to ask: https, or http of a loopback host.
	Endpoint string

	// ClientID and ClientSecret are what the server knows this API by: they are sent
	// by Basic (RFC 6749 §2.3.1).
	ClientID     string
	ClientSecret auth.Secret
	// Key signs an assertion in place of a secret (private_key_jwt, RFC 7523 §2.2):
	// an asymmetric one.
	Key *jwt.Key

	// TTL is how long the server's yes is remembered, at most until the token
	// expires; 0 is 30 seconds, less than 0 is not at all. So long a token that was
	// revoked stays good.
	TTL time.Duration
	// NegativeTTL is how long its no is remembered; 0 is 10 seconds, less than 0 is
	// not at all.
	NegativeTTL time.Duration
	// CacheSize is how many answers of either kind are remembered; 0 is 10,000.
	CacheSize int

	// Owns tells the tokens of this server by their look, such as a prefix, so that
	// those of others are not sent to it. Nil is every token.
	Owns func(token string) bool

	// Client does the requests, as in jwt.RemoteKeysConfig. Timeout is how long one
	// may take; 0 is 5 seconds.
	Client  *http.Client
	Timeout time.Duration
	// Logger is told of requests that fail. Nil is slog.Default.
	Logger *slog.Logger
}

// Format shows nothing of it, since a verb that does not fit makes package fmt print
// an [auth.Secret] that it finds by a pointer.
func (IntrospectionConfig) Format(f fmt.State, _ rune) {
	hidden.Write(f, "oauth2.IntrospectionConfig")
}

// Introspection is a [Source] that asks the server which issued a token (RFC 7662).
// While the server is down, tokens that are not remembered are answered with 503. It
// is safe for concurrent use; requests with the same token wait for one answer.
type Introspection struct {
	config   IntrospectionConfig // without ClientSecret and Key
	secret   hidden.String
	assert   func(claims any) (string, error) // signs with Key, nil with a secret
	client   *http.Client
	good     *remember.Tokens[answered]
	bad      *remember.Tokens[error] // why, apart: strangers must not push out good ones
	endpoint struct {
		sync.Mutex
		url   string
		until time.Time
	}
	mu      sync.Mutex
	flights map[remember.Key]*flight
	lines   loglimit.Limit // of outages: each made-up token would write one
}

// answered is a token that the server said is active.
type answered struct {
	*Token
	plain bool // all characters are those of a token, so that a header may have had it
}

// flight is a question that several wait for.
type flight struct {
	done  chan struct{}
	token *Token
	err   error
}

var (
	_ Source   = (*Introspection)(nil)
	_ Recaller = (*Introspection)(nil)
)

// NewIntrospection returns an Introspection, or an error that tells of each setting
// that is missing, out of range or contradicts another. It sends no request.
func NewIntrospection(config IntrospectionConfig) (*Introspection, error) {
	c := config
	c.TTL, c.NegativeTTL = cmp.Or(c.TTL, 30*time.Second), cmp.Or(c.NegativeTTL, 10*time.Second)
	c.CacheSize, c.Timeout = cmp.Or(c.CacheSize, 10_000), cmp.Or(c.Timeout, 5*time.Second)
	s := backend.Settings{Package: "oauth2"}
	s.Refuse(c.Issuer == "" && c.Endpoint == "", "IntrospectionConfig.Issuer or Endpoint is missing")
	s.Need("IntrospectionConfig.ClientID", c.ClientID)
	s.Refuse((c.ClientSecret == "") == (c.Key == nil), "either IntrospectionConfig.ClientSecret or Key must be set")
	s.Refuse(c.Key != nil && (!c.Key.CanSign() || c.Key.Public() == nil),
		"IntrospectionConfig.Key must be asymmetric and have its private part")
	s.Refuse(c.Timeout < 0 || c.CacheSize < 0, "Timeout or CacheSize is negative")
	for _, setting := range [][2]string{{"Issuer", c.Issuer}, {"Endpoint", c.Endpoint}} {
		if err := fetch.CheckURL(setting[1]); err != nil && setting[1] != "" {
			s.Refuse(true, "IntrospectionConfig.%s %w", setting[0], err)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	i := &Introspection{client: fetch.Client(c.Client), good: remember.New[answered](c.CacheSize),
		bad:     remember.New[error](c.CacheSize),
		flights: make(map[remember.Key]*flight)}
	if key := c.Key; key != nil {
		i.assert = func(claims any) (string, error) { return jwt.Sign(key, "JWT", claims) }
	} else {
		i.secret = hidden.Of(c.ClientSecret.Reveal())
	}
	c.ClientSecret, c.Key = "", nil
	i.config = c
	return i, nil
}

// Recaller implements [Recaller].
func (i *Introspection) Recaller(source Source) Recall {
	if source != Source(i) {
		return nil
	}
	return i.recallOrAsk
}

// recallOrAsk is a [Recall]. It asks the server about a token that is not remembered, so that
// the token is hashed once. Only a token with the characters of one reaches Owns and the server.
func (i *Introspection) recallOrAsk(ctx context.Context, token string, now time.Time) (*Token, error) {
	checked := i.config.Owns != nil
	if checked && !isToken(token) {
		return nil, nil
	}
	key, found, err := i.recall(token, now)
	switch {
	case err != nil:
		return nil, err
	case found.Token != nil && found.plain:
		return found.Token, nil
	case found.Token != nil || !checked && !isToken(token):
		return nil, nil
	}
	return i.wait(ctx, key, token)
}

// recall returns the key of a token, and what is remembered of it.
func (i *Introspection) recall(token string, now time.Time) (key remember.Key, found answered, err error) {
	switch {
	case token == "" || len(token) > auth.MaxAuthorization:
		return key, found, errNoToken
	case i.config.Owns != nil && !i.config.Owns(token):
		return key, found, errNotOwned
	}
	key = i.good.Key(token)
	if found, ok := i.good.Get(key, now); ok {
		return key, found, nil
	}
	why, _ := i.bad.Get(key, now)
	return key, found, why
}

// Inspect implements [Source].
func (i *Introspection) Inspect(ctx context.Context, token string) (*Token, error) {
	key, found, err := i.recall(token, time.Now())
	if found.Token != nil || err != nil {
		return found.Token, err
	}
	return i.wait(ctx, key, token)
}

// wait asks about a token, and waits for the answer.
func (i *Introspection) wait(ctx context.Context, key remember.Key, token string) (*Token, error) {
	f := i.ask(ctx, key, token)
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, backend.Outage(ctx.Err())
	}
}

// ask starts a question, or joins the one that is under way. It goes on if who asked
// first goes away: others may wait.
func (i *Introspection) ask(ctx context.Context, key remember.Key, token string) *flight {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.flights[key]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	i.flights[key] = f
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.config.Timeout)
		defer cancel()
		f.token, f.err = i.answer(ctx, key, token)
		i.mu.Lock()
		delete(i.flights, key)
		i.mu.Unlock()
		close(f.done)
	}()
	return f
}

// answer asks, and remembers what the server said. What it could not say is not
// remembered.
func (i *Introspection) answer(ctx context.Context, key remember.Key, token string) (*Token, error) {
	text, err := i.request(ctx, token)
	asked := time.Now()
	var found *Token
	if err == nil {
		found, err = parseIntrospection(text, i.config.Issuer, asked)
		if auth.KindOf(err) == auth.ErrInvalid {
			i.bad.Put(key, err, asked.Add(i.config.NegativeTTL), asked)
			return nil, err
		}
	}
	if err != nil {
		err = fmt.Errorf("oauth2: introspection: %w", err)
		i.logOutage(ctx, err, asked)
		return nil, backend.Outage(err)
	}
	i.good.Put(key, answered{found, isToken(token)}, backend.Earlier(found.Expiry, asked.Add(i.config.TTL)), asked)
	return found, nil
}

// logOutage writes that the server could not be asked, within the bound of such lines.
func (i *Introspection) logOutage(ctx context.Context, err error, now time.Time) {
	ok, leftOut := i.lines.Take(loglimit.Key{Backend: "introspection", Status: http.StatusServiceUnavailable}, now)
	if !ok {
		return
	}
	log := i.logger()
	if leftOut > 0 {
		log = log.With("left_out", leftOut)
	}
	log.ErrorContext(ctx, "oauth2: cannot ask about a token", "error", err)
}

func (i *Introspection) logger() *slog.Logger { return cmp.Or(i.config.Logger, slog.Default()) }

// request sends the request of RFC 7662 §2.1.
func (i *Introspection) request(ctx context.Context, token string) ([]byte, error) {
	endpoint, err := i.where(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if i.assert != nil {
		assertion, err := i.assertion(endpoint)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", i.config.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if i.assert == nil {
		r.SetBasicAuth(url.QueryEscape(i.config.ClientID), url.QueryEscape(i.secret.Reveal()))
	}
	text, _, err := fetch.JSON(i.client, r)
	if err != nil {
		i.forget(endpoint) // it may have moved
	}
	return text, err
}

// assertion is a JWT by which the client authenticates (RFC 7523 §3), for the issuer
// or, if that is not known, the endpoint.
func (i *Introspection) assertion(endpoint string) (string, error) {
	now := time.Now()
	return i.assert(map[string]any{"iss": i.config.ClientID, "sub": i.config.ClientID,
		"aud": cmp.Or(i.config.Issuer, endpoint),
		"jti": backend.NewID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
}

// locatedFor is how long the endpoint of the metadata is asked before it is looked
// for again.
const locatedFor = time.Hour

// where returns the endpoint.
func (i *Introspection) where(ctx context.Context) (string, error) {
	if i.config.Endpoint != "" {
		return i.config.Endpoint, nil
	}
	e := &i.endpoint
	e.Lock()
	known, until := e.url, e.until
	e.Unlock()
	if known != "" && time.Now().Before(until) {
		return known, nil
	}
	metadata, err := fetch.Discover(ctx, i.client, i.config.Issuer)
	if err != nil {
		return "", err
	}
	found, err := metadata.URL("introspection_endpoint")
	if err != nil {
		return "", err
	}
	e.Lock()
	e.url, e.until = found, time.Now().Add(locatedFor)
	e.Unlock()
	return found, nil
}

func (i *Introspection) forget(endpoint string) {
	e := &i.endpoint
	e.Lock()
	defer e.Unlock()
	if e.url == endpoint {
		e.url = ""
	}
}

// parseIntrospection reads an answer (RFC 7662 §2.2). It is ErrInvalid for a token that is
// not good. Any other error is an answer that decides nothing.
func parseIntrospection(answer []byte, issuer string, now time.Time) (*Token, error) {
	var a struct {
		Active    *bool    `json:"active"`
		Scope     string   `json:"scope"`
		ClientID  string   `json:"client_id"`
		Username  string   `json:"username"`
		TokenType string   `json:"token_type"`
		Expires   *float64 `json:"exp"`
		Issued    *float64 `json:"iat"`
		NotBefore *float64 `json:"nbf"`
		Subject   string   `json:"sub"`
		Audience  names    `json:"aud"`
		Issuer    string   `json:"iss"`
		ID        string   `json:"jti"`
		AuthTime  *float64 `json:"auth_time"`
		ACR       string   `json:"acr"`
		AMR       names    `json:"amr"`
	}
	text, err := exactNames(answer)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return nil, errors.New("an answer that is no JSON object of the right types")
	}
	switch {
	case a.Active == nil:
		return nil, errors.New("an answer without active")
	case !*a.Active:
		return nil, errInactive
	case issuer != "" && a.Issuer != "" && a.Issuer != issuer:
		return nil, &cause.Check{Name: "iss of the answer", Came: []string{a.Issuer}, Want: []string{issuer},
			Owner: "IntrospectionConfig", Setting: "Issuer"}
	}
	t := SharedToken(Token{Issuer: cmp.Or(a.Issuer, issuer), Subject: a.Subject, ClientID: a.ClientID, Username: a.Username, Audience: a.Audience, Scope: strings.Fields(a.Scope),
		ID: a.ID, Type: a.TokenType, Auth: auth.AuthInfo{ACR: a.ACR, AMR: a.AMR}})
	instant := func(seconds *float64) time.Time {
		if seconds == nil {
			return time.Time{}
		}
		if !(*seconds >= 0 && *seconds < 1<<40) {
			err = errors.New("an answer with an instant out of range")
			return time.Time{}
		}
		return time.Unix(int64(*seconds), 0).UTC()
	}
	t.Expiry, t.IssuedAt, t.Auth.AuthTime = instant(a.Expires), instant(a.Issued), instant(a.AuthTime)
	notBefore := instant(a.NotBefore)
	if err == nil {
		err = json.Unmarshal(answer, &t.Claims)
	}
	if err == nil {
		t.Confirmation, err = confirmationOf(t.Claims["cnf"])
	}
	if err != nil {
		return nil, err
	}
	// What a server says is active it should know; but its clock is not ours.
	switch {
	case !t.Expiry.IsZero() && !now.Before(t.Expiry):
		return nil, offBy("exp", "of an active token is past, so a clock may be wrong,", now.Sub(t.Expiry))
	case notBefore.After(now.Add(maxEarly)):
		return nil, offBy("nbf", "of an active token is ahead of our clock", notBefore.Sub(now))
	}
	return t, nil
}

// offBy refuses a token by an instant in the answer.
func offBy(name, problem string, d time.Duration) error {
	return invalid(&cause.Check{Name: name, Problem: problem, By: max(d.Truncate(time.Second), time.Second)})
}

// exactNames leaves out the members of an object whose names package json would
// take for others: it does not tell "Active" from "active", and RFC 8259 does.
func exactNames(text []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
		return strings.ContainsFunc(name, func(c rune) bool { return c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' })
	})
	return json.Marshal(members)
}

// maxEarly is how far the server's clock may be ahead.
const maxEarly = 5 * time.Second

// names are a string or an array of strings, as "aud".
type names []string

// UnmarshalJSON reads either.
func (n *names) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}
