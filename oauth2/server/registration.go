package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/jwt"
)

// Registration describes a client in the names of RFC 7591 §2, and a few of our
// own. A member that is left out is as it says there or, if it does not, empty.
//
// Its fields are not grouped, because they are the members of the flat JSON object of RFC 7591 §2.
type Registration struct {
	ClientID     string      `json:"client_id,omitempty"` // "" makes one
	ClientSecret auth.Secret `json:"-"`                   // at least 16 random bytes, "" makes one
	// ClientSecretHash is a secret in place of ClientSecret, as another system hashed it.
	// Config.Clients.SecretHashes reads it. The first request with the right secret replaces it by a digest, in the
	// store.
	ClientSecretHash        auth.Secret `json:"-"`
	ClientName              string      `json:"client_name,omitempty"`
	RedirectURIs            []string    `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs  []string    `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes              []string    `json:"grant_types,omitempty"` // nil is authorization_code
	ResponseTypes           []string    `json:"response_types,omitempty"`
	Scope                   string      `json:"scope,omitempty"` // "" is every scope of the server, see NoScope
	TokenEndpointAuthMethod string      `json:"token_endpoint_auth_method,omitempty"`
	// IDTokenAlgorithm is one of those that Config.Keys sign by. "" is Config.OpenID.IDTokenAlgorithm.
	IDTokenAlgorithm jwt.Algorithm `json:"id_token_signed_response_alg,omitempty"`
	// What these want is not there yet: a client that relies on it is refused with
	// [ErrUnsupported], for without it it would be less safe than it says.
	DPoPBoundAccessTokens bool `json:"dpop_bound_access_tokens,omitempty"`              // RFC 9449 §5.2
	RequirePushedRequests bool `json:"require_pushed_authorization_requests,omitempty"` // RFC 9126 §6

	// Members are further members by their names, as JSON. One that asks for something is refused
	// with [ErrUnsupported], such as "subject_type":"pairwise". Others are ignored.
	// [ParseRegistrations] fills it.
	Members map[string]json.RawMessage `json:"-"`

	Owner            string   `json:"owner,omitempty"`
	Resources        []string `json:"resources,omitempty"`
	ResourceServer   []string `json:"resource_server,omitempty"`
	FirstParty       bool     `json:"first_party,omitempty"`
	RefreshGrace     int      `json:"refresh_token_grace,omitempty"` // see Client.RefreshGrace
	AllowWithoutPKCE bool     `json:"allow_without_pkce,omitempty"`
	AllowShortSecret bool     `json:"allow_short_secret,omitempty"` // see Client.AllowShortSecret
	ClaimsInIDToken  bool     `json:"id_token_claims,omitempty"`    // see Client.ClaimsInIDToken

	IgnoreUnknownScopes        bool `json:"ignore_unknown_scopes,omitempty"`          // see Client.IgnoreUnknownScopes
	RevokeGrantWithAccessToken bool `json:"revoke_grant_with_access_token,omitempty"` // see Client
}

// NoScope is the Registration.Scope of a client that may ask for no scope. One that is left out is
// every scope (RFC 7591 §2).
const NoScope = " "

// Format shows nothing of a Registration, since a verb that does not fit makes
// package fmt print an [auth.Secret] that it finds by a pointer.
func (r Registration) Format(f fmt.State, _ rune) { redact.WriteType(f, "server.Registration") }

// ParseRegistrations reads a JSON array of clients, of which each may have a
// "client_secret" or "client_secret_hash". Members that have no field are in Registration.Members. No member may be
// of another type.
//
// It is an error if a member comes twice in one client, or if its name differs from one of ours in
// the case of letters alone (RFC 8259 §4).
func ParseRegistrations(text []byte) ([]Registration, error) {
	var all []struct {
		Registration
		Secret string `json:"client_secret"`
		Hash   string `json:"client_secret_hash"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("oauth2/server: clients: %w", err)
	}
	members, err := clientMembers(text)
	if err != nil {
		return nil, fmt.Errorf("oauth2/server: clients: %w", err)
	}
	registrations := make([]Registration, len(all))
	for i, each := range all {
		registrations[i] = each.Registration
		registrations[i].ClientSecret, registrations[i].ClientSecretHash = auth.Secret(each.Secret),
			auth.Secret(each.Hash)
		registrations[i].Members = furtherMembers(members[i])
	}
	return registrations, nil
}

// ErrUnsupported is among the causes of the *[Error] about a registration that wants what
// this server does not have, though others do.
var ErrUnsupported = errors.New("oauth2/server: not supported")

// unsupported refuses a registration for want of something.
func unsupported(description, failed, value string, want ...string) *Error {
	return metadataError(description, &cause.Reason{Check: failed, Came: value, Want: want, Err: ErrUnsupported})
}

// ErrClientExists is returned when there is a client with that identifier.
var ErrClientExists = errors.New("oauth2/server: there is a client with this identifier")

// NewClient checks a registration and returns the client, which no store knows
// yet, and its secret, which is nowhere else, or "" for a public one. The errors
// are *[Error], with the codes of RFC 7591 §3.2.2.
func (s *Server) NewClient(r Registration) (*Client, auth.Secret, error) {
	at := now()
	c := &Client{ID: cmp.Or(r.ClientID, NewClientID()), Created: at, Updated: at}
	if err := s.applyRegistration(c, r); err != nil {
		return nil, "", err
	}
	secret, err := s.setSecret(c, r)
	if err != nil {
		return nil, "", err
	}
	return c, secret, nil
}

// AddClient is NewClient, and stores the client. It is [ErrClientExists] if there
// is one with its identifier. The cause is [ErrDeveloperLimit] if it has an owner with
// as many clients as Config.Clients.DeveloperLimit.
func (s *Server) AddClient(ctx context.Context, r Registration) (*Client, auth.Secret, error) {
	limit := s.config.Clients.DeveloperLimit
	if r.Owner == "" {
		limit = 0
	}
	return s.addClient(ctx, r, limit)
}

func (s *Server) addClient(ctx context.Context, r Registration, limit int) (*Client, auth.Secret, error) {
	c, secret, err := s.NewClient(r)
	if err != nil {
		return nil, "", err
	}
	added, err := s.config.Store.AddClient(ctx, c, limit)
	switch {
	case err != nil:
		return nil, "", err
	case added.Refused:
		return nil, "", ErrClientExists
	case added.OverLimit:
		return nil, "", &Error{Code: CodeAccessDenied, Status: http.StatusForbidden, Cause: ErrDeveloperLimit,
			Description: "You have as many applications as one may have. Delete one first."}
	}
	return c, secret, nil
}

// EnsureClient makes a client what a registration says, whether or not it is there:
// for clients of a configuration file. Config.Clients.DeveloperLimit is not for them. A registration without a secret
// leaves one that is there, and a client that was disabled stays so. The grants of a confidential client that becomes
// public end, as by [Server.ChangeClient]. Its RefreshGrace is what r says, at this call as at each later one. It needs
// a ClientID.
//
// Another secret in the registration takes the place of the one that is there. A secret or a hash that
// [Server.RenewSecret] retired does not: the client keeps what it has, and the log warns. To use such a secret all
// the same, remove the client first.
func (s *Server) EnsureClient(ctx context.Context, r Registration) (*Client, error) {
	switch {
	case r.ClientID == "":
		return nil, metadataError("The client_id is missing.", errNoClientID)
	case !validClientID(r.ClientID):
		return nil, errClientIDForm(r.ClientID)
	}
	for range 10 { // others may be about the same
		c, err := s.ensureOnce(ctx, r)
		if c != nil || err != nil {
			return c, err
		}
	}
	return nil, errors.New("oauth2/server: the client is changed by others all the time")
}

// ensureOnce adds or changes a client. It returns nil and nil if somebody else did at the same
// time.
func (s *Server) ensureOnce(ctx context.Context, r Registration) (*Client, error) {
	before, err := s.config.Store.Client(ctx, r.ClientID)
	if err != nil {
		return nil, err
	}
	if before == nil {
		c, _, err := s.addClient(ctx, r, 0)
		if errors.Is(err, ErrClientExists) {
			return nil, nil
		}
		return c, err
	}
	c, _, err := s.NewClient(r)
	if err != nil {
		return nil, err
	}
	s.keepSecret(ctx, c, before, r)
	c.Created, c.Disabled = before.Created, before.Disabled
	c.Updated = after(before)
	changed, ended, err := s.config.Store.ChangeClient(ctx, c, before.Updated)
	if err != nil || !changed {
		return nil, err
	}
	s.reportEnded(ctx, ended)
	return c, nil
}

// Client returns a client, or nil if it is unknown.
func (s *Server) Client(ctx context.Context, id string) (*Client, error) {
	if !validClientID(id) {
		return nil, nil
	}
	return s.config.Store.Client(ctx, id)
}

// Clients returns a page of the clients of owner or, if that is "", of all, in order of
// ID, and the cursor of the next page, or "". A page that cannot be meant is
// auth.ErrMalformed.
func (s *Server) Clients(ctx context.Context, owner string, page backend.Page) (clients []*Client, next string,
	err error) {
	if page, err = byClient(page); err != nil {
		return nil, "", err
	}
	if owner != "" && !backend.ValidUserID(owner) { // which no client has
		return nil, "", nil
	}
	clients, next, err = backend.ReadPage(page, func(after string, limit int) ([]*Client, error) {
		return s.config.Store.Clients(ctx, owner, after, limit)
	}, func(c *Client) string { return c.ID }, every)
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	return clients, next, nil
}

// ErrClientChanged is returned when a client is gone, or was changed by somebody
// else meanwhile.
var ErrClientChanged = errors.New("oauth2/server: the client is gone or was changed meanwhile")

// ChangeClient puts what a registration says into a client as it was loaded. The client may keep
// what it has, such as a scope, also where the server has that no longer. Its identifier, its
// secret and its grants stay. One that becomes confidential needs a secret: see
// [Server.RenewSecret].
//
// A confidential client that becomes public loses its secret and its RefreshGrace, also if r has
// one: give it another grace in a second change, if it must have one. Its grants end, since their
// refresh tokens were bound to a client that authenticates (RFC 6749 §6, §10.4).
func (s *Server) ChangeClient(ctx context.Context, client *Client, r Registration) (*Client, error) {
	changed := *client
	if err := s.applyRegistration(&changed, r); err != nil {
		return nil, err
	}
	changed.losesSecret(client)
	return s.replaceClient(ctx, client, changed)
}

// RenewSecret gives a confidential client another secret. The old one is worth nothing from then on, also if a
// registration still has it or its hash when [Server.EnsureClient] is called again.
func (s *Server) RenewSecret(ctx context.Context, client *Client) (*Client, auth.Secret, error) {
	if client.Public() {
		return nil, "", metadataError("A public client has no secret.", errPublicSecret)
	}
	changed := *client
	changed.retireSecret()
	var secret auth.Secret
	secret, changed.SecretDigest = NewSecret()
	changed.SecretHash, changed.SecretReplaces = "", ""
	c, err := s.replaceClient(ctx, client, changed)
	if err != nil {
		return nil, "", err
	}
	return c, secret, nil
}

// DisableClient disables a client, which ends all that it has, or enables it again.
func (s *Server) DisableClient(ctx context.Context, client *Client, disabled bool) (*Client, error) {
	changed := *client
	changed.Disabled = disabled
	return s.replaceClient(ctx, client, changed)
}

func (s *Server) replaceClient(ctx context.Context, was *Client, changed Client) (*Client, error) {
	changed.Updated = after(was)
	ok, ended, err := s.config.Store.ChangeClient(ctx, &changed, was.Updated)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrClientChanged
	}
	s.reportEnded(ctx, ended)
	return &changed, nil
}

// after is when a client is changed: at another instant than it was before, by which
// a store tells one change from the next.
func after(was *Client) time.Time { return latest(now(), was.Updated.Add(time.Microsecond)) }

// RemoveClient removes a client with all it had, and reports whether there was one.
func (s *Server) RemoveClient(ctx context.Context, id string) (bool, error) {
	if !validClientID(id) {
		return false, nil
	}
	removed, ended, err := s.config.Store.RemoveClient(ctx, id, now())
	if err != nil {
		return false, err
	}
	s.reportEnded(ctx, ended)
	return removed, nil
}

func metadataError(description string, cause error) *Error {
	return refuse("invalid_client_metadata", description, cause)
}

var errPublicSecret = errors.New("the client is public (token_endpoint_auth_method none), and is to have a secret")
