package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// clientFlags are what an application is registered with.
type clientFlags struct {
	id          string
	name        string
	owner       string
	scopes      string
	method      string
	algorithm   string
	redirects   lines
	afterLogout lines
	grants      lines
	resources   lines
	public      bool
	firstParty  bool
	withoutPKCE bool
	idClaims    bool
	asJSON      bool // how clients are printed
}

// lines is a flag that may be repeated.
type lines []string

func (l *lines) String() string        { return strings.Join(*l, " ") }
func (l *lines) Set(text string) error { *l = append(*l, text); return nil }

func (c *call) clientFlags() *clientFlags {
	f := &clientFlags{}
	c.flags.StringVar(&f.id, "id", "", "its `client_id`; empty makes one")
	c.flags.StringVar(&f.name, "name", "", "what users are shown")
	c.flags.StringVar(&f.owner, "owner", "", "the `user` who may change it on a page")
	c.flags.StringVar(&f.scopes, "scopes", "", "what it may ask for, separated by spaces; empty is everything")
	c.flags.StringVar(&f.method, "auth", "", "client_secret_basic or client_secret_post; empty is both")
	c.flags.StringVar(&f.algorithm, "id-token-alg", "", "what signs its ID tokens, such as ES256; empty is the "+
		"server's default")
	c.flags.Var(&f.redirects, "redirect", "a redirect `URI`; may be repeated")
	c.flags.Var(&f.afterLogout, "logout-redirect", "a `URI` to go to after a logout; may be repeated")
	c.flags.Var(&f.grants, "grant", "authorization_code, refresh_token or client_credentials; may be repeated "+
		"(default: the first two)")
	c.flags.Var(&f.resources, "is-resource", "a resource `URI` that it is, whose tokens it may introspect; may be "+
		"repeated")
	c.flags.BoolVar(&f.public, "public", false, "it cannot keep a secret")
	c.flags.BoolVar(&f.firstParty, "first-party", false, "it is ours: users are not asked whether they agree")
	c.flags.BoolVar(&f.idClaims, "claims-in-id-token", false, "its ID tokens have name and e-mail address, too")
	c.flags.BoolVar(&f.withoutPKCE, "allow-without-pkce", false, "it may leave out PKCE where it asks for openid and "+
		"sends a nonce")
	c.flags.BoolVar(&f.asJSON, "json", false, "for programs: the names of RFC 7591, never a secret")
	return f
}

// applyTo copies the flags that are set into a registration.
func (f *clientFlags) applyTo(c *call, r *server.Registration) {
	set := func(name string, put func()) {
		if c.isSet(name) {
			put()
		}
	}
	set("name", func() { r.ClientName = f.name })
	set("owner", func() { r.Owner = f.owner })
	set("scopes", func() { r.Scope = f.scopes })
	set("auth", func() { r.TokenEndpointAuthMethod = f.method })
	set("id-token-alg", func() { r.IDTokenAlgorithm = jwt.Algorithm(f.algorithm) })
	set("redirect", func() { r.RedirectURIs = f.redirects })
	set("logout-redirect", func() { r.PostLogoutRedirectURIs = f.afterLogout })
	set("grant", func() { r.GrantTypes = f.grants })
	set("is-resource", func() { r.ResourceServer = f.resources })
	set("first-party", func() { r.FirstParty = f.firstParty })
	set("claims-in-id-token", func() { r.ClaimsInIDToken = f.idClaims })
	set("allow-without-pkce", func() { r.AllowWithoutPKCE = f.withoutPKCE })
	set("public", func() {
		switch {
		case f.public:
			r.TokenEndpointAuthMethod = server.AuthNone
		case r.TokenEndpointAuthMethod == server.AuthNone:
			r.TokenEndpointAuthMethod = ""
		}
	})
}

// clients manages the applications of the authorization server.
func clients(ctx context.Context, c *call) error {
	f := c.clientFlags()
	if err := c.parse(1, 2); err != nil {
		return err
	}
	do, id := c.args[0], ""
	if len(c.args) == 2 {
		id = c.args[1]
	}
	if alone := slices.Contains([]string{"list", "add", "audit"}, do); alone != (id == "") {
		return usageErrorf("want list, add, audit, or show, change, secret, disable, enable or delete and an ID")
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	switch do {
	case "list":
		return listClients(ctx, c, s, f.asJSON)
	case "add":
		return addClient(ctx, c, s, f)
	case "audit":
		return auditClients(ctx, c, s)
	}
	client, err := s.oauth.Client(ctx, id)
	switch {
	case err != nil:
		return err
	case client == nil:
		return fmt.Errorf("there is no client %q", id)
	}
	switch do {
	case "show":
		return showClients(c.stdout, f.asJSON, client)
	case "change":
		return changeClient(ctx, c, s, f, client)
	case "secret":
		return renewSecret(ctx, c, s, client)
	case "disable", "enable":
		if client, err = s.oauth.DisableClient(ctx, client, do == "disable"); err != nil {
			return err
		}
		return showClients(c.stdout, f.asJSON, client)
	case "delete":
		return deleteClient(ctx, c, s, id)
	}
	return usageErrorf("there is no %q for clients", do)
}

// changeClient changes a client by the flags that are given. A client that was public gets a secret.
func changeClient(ctx context.Context, c *call, s *service, f *clientFlags, client *server.Client) error {
	r := client.Registration()
	f.applyTo(c, &r)
	changed, err := s.oauth.ChangeClient(ctx, client, r)
	if err != nil {
		return err
	}
	if client.Public() && !changed.Public() {
		return renewSecret(ctx, c, s, changed)
	}
	return showClients(c.stdout, f.asJSON, changed)
}

func deleteClient(ctx context.Context, c *call, s *service, id string) error {
	if _, err := s.oauth.RemoveClient(ctx, id); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "client %s is deleted, and all it had has ended\n", id)
	return nil
}

// addClient registers a client. Its secret, and nothing else, goes to stdout.
func addClient(ctx context.Context, c *call, s *service, f *clientFlags) error {
	r := server.Registration{ClientID: f.id, GrantTypes: []string{server.GrantAuthorizationCode,
		server.GrantRefreshToken}}
	f.applyTo(c, &r)
	client, secret, err := s.oauth.AddClient(ctx, r)
	if err != nil {
		return err
	}
	if secret != "" {
		if _, err := fmt.Fprintln(c.stdout, secret.Reveal()); err != nil {
			_, e := s.oauth.RemoveClient(context.WithoutCancel(ctx), client.ID)
			return errors.Join(fmt.Errorf("nobody could read the secret, so the client is deleted: %w", err), e)
		}
	}
	fmt.Fprintf(c.stderr, "client %s: %s\n", client.ID, printable(client.Name))
	return nil
}

func renewSecret(ctx context.Context, c *call, s *service, client *server.Client) error {
	client, secret, err := s.oauth.RenewSecret(ctx, client)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "client %s has another secret; the old one is worth nothing\n", client.ID)
	_, err = fmt.Fprintln(c.stdout, secret.Reveal())
	return err
}

// allClients returns every client there is.
func allClients(ctx context.Context, s *service) ([]*server.Client, error) {
	var all []*server.Client
	for client, err := range backend.AllRows(func(page backend.Page) ([]*server.Client, string, error) {
		return s.oauth.Clients(ctx, "", page)
	}) {
		if err != nil {
			return nil, err
		}
		all = append(all, client)
	}
	return all, nil
}

func listClients(ctx context.Context, c *call, s *service, asJSON bool) error {
	all, err := allClients(ctx, s)
	if err != nil {
		return err
	}
	return showClients(c.stdout, asJSON, all...)
}

func showClients(w io.Writer, asJSON bool, all ...*server.Client) error {
	if asJSON {
		shown := make([]server.Registration, 0, len(all))
		for _, client := range all {
			shown = append(shown, client.Registration())
		}
		return writeJSON(w, shown)
	}
	table := [][]string{{"ID", "NAME", "KIND", "GRANTS", "OWNER", "CREATED", "REDIRECT URIS"}}
	for _, client := range all {
		kind := "confidential"
		if client.Public() {
			kind = "public"
		}
		if client.FirstParty {
			kind += ", first-party"
		}
		if client.Disabled {
			kind += ", disabled"
		}
		table = append(table, []string{client.ID, client.Name, kind, strings.Join(client.GrantTypes, " "),
			dash(client.Owner), when(&client.Created), dash(strings.Join(client.RedirectURIs, " "))})
	}
	return writeTable(w, table)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// auditClients prints what is weaker than RFC 9700 recommends.
func auditClients(ctx context.Context, c *call, s *service) error {
	all, err := allClients(ctx, s)
	if err != nil {
		return err
	}
	for _, finding := range server.Audit(s.oauthConfig, all...) {
		if _, err := fmt.Fprintln(c.stdout, printable(finding.String())); err != nil {
			return err
		}
	}
	return nil
}

// rowOfGrant is what an application may do in the name of a user.
func rowOfGrant(g *server.Grant) row {
	scopes := append([]string{}, g.Permissions.Scopes()...)
	info := recordInfo{"grant", g.ID, g.ClientID, "", "", scopes, g.Created, instant(g.LastUsed)}
	return row{info, instant(g.ExpiresAt), g.Permissions}
}

// revokeGrant ends a grant of a user.
func (s *service) revokeGrant(ctx context.Context, userID, id string) (bool, error) {
	grant, err := s.oauthConfig.Store.Grant(ctx, id)
	if err != nil || grant == nil || grant.UserID != userID {
		return false, err
	}
	return s.oauth.Revoke(ctx, id)
}
