package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestAUserSeesAndEndsWhatApplicationsMayDo(t *testing.T) {
	s := newService(t, nil)
	tokens, bobs := s.tokens("alice", "scope", "openid read"), s.tokens("bob")
	pending := s.as("alice").code("scope", "openid write")
	first := s.as("alice").authorize("client_id", "first", "redirect_uri", "https://first.example/cb").location("code")
	page := s.as("alice").do("GET", "/o/authorized_tokens/", "")
	for _, text := range []string{"Web &lt;b&gt;shop", "read your reports", "write &lt;reports&gt;",
		`action="/o/authorized_tokens/web/delete/"`, `action="/o/authorized_tokens/first/delete/"`} {
		if !strings.Contains(page.body, text) {
			t.Errorf("%s is not on the page: %s", text, page.body)
		}
	}
	if strings.Contains(s.as("bob").do("GET", "/o/authorized_tokens/", "").body, "authorized_tokens/first") {
		t.Error("bob sees what is alice's")
	}
	for sentence, a := range map[string]answer{
		"from elsewhere": s.as("alice").do("POST", "/o/authorized_tokens/web/delete/", "", "Sec-Fetch-Site",
			"cross-site"),
		"by a stranger": s.stranger().do("POST", "/o/authorized_tokens/web/delete/", ""),
	} {
		if a.StatusCode != 403 {
			t.Errorf("%s: %d", sentence, a.StatusCode)
		}
	}
	if a := s.as("alice").do("GET", "/o/authorized_tokens/web/delete/", ""); a.StatusCode != 405 {
		t.Errorf("%d", a.StatusCode)
	}
	if a := s.stranger().do("GET", "/o/authorized_tokens/", ""); a.StatusCode != 303 ||
		s.logins[len(s.logins)-1].ReturnTo != "/o/authorized_tokens/" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if !s.good(tokens.text("access_token")) {
		t.Fatal("it has ended already")
	}
	if a := s.as("alice").do("POST", "/o/authorized_tokens/web/delete/", ""); a.StatusCode != 303 ||
		a.Header.Get("Location") != "/o/authorized_tokens/" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if s.good(tokens.text("access_token")) || s.refresh(tokens.text("refresh_token")).StatusCode != 400 ||
		s.redeem(pending).StatusCode != 400 {
		t.Error("something of it is good")
	}
	if !s.good(bobs.text("access_token")) {
		t.Error("bob's has ended")
	}
	if a := s.post("/o/token/", "first", "redirect_uri", "https://first.example/cb", "grant_type", "authorization_code",
		"code", first, "code_verifier", verifier); a.StatusCode != 200 {
		t.Errorf("another client's: %d %s", a.StatusCode, a.body)
	}
	if a := s.as("alice").authorize(); a.StatusCode != 200 {
		t.Errorf("the consent is remembered: %d", a.StatusCode)
	}
	limited := s.as("alice")
	limited.cookie += ":read"
	if a := limited.do("GET", "/o/authorized_tokens/", ""); a.StatusCode != 403 {
		t.Errorf("a login for less: %d", a.StatusCode)
	}
}

var code = regexp.MustCompile(`<code id="(client_id|client_secret)">([^<]*)</code>`)

// register fills in the form and returns the identifier and the secret on the page.
func (b *browser) register(pairs ...string) (a answer, id, secret string) {
	b.Helper()
	form := with(url.Values{"name": {"Mine"}, "client_type": {"confidential"},
		"authorization_grant_type": {"authorization_code", "refresh_token"},
		"redirect_uris":            {"https://mine.example/cb"}}, pairs...)
	a = b.do("POST", "/o/applications/register/", form.Encode())
	for _, m := range code.FindAllStringSubmatch(a.body, -1) {
		if m[1] == "client_id" {
			id = m[2]
		} else {
			secret = m[2]
		}
	}
	return a, id, secret
}

func TestADeveloperAndTheirApplication(t *testing.T) {
	s := newService(t, nil)
	alice := s.as("alice")
	if a := alice.do("GET", "/o/applications/register/", ""); a.StatusCode != 200 ||
		!strings.Contains(a.body, `name="client_type"`) || !strings.Contains(a.body, `name="redirect_uris"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	a, id, secret := alice.register()
	if a.StatusCode != 200 || id == "" || len(secret) != 43 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	client, err := s.server.Client(t.Context(), id)
	if err != nil || client.Owner != "alice" || client.FirstParty || !client.CheckSecret(secret) ||
		client.SecretDigest == secret {
		t.Errorf("%+v, %v", client, err)
	}
	s.secrets[id] = secret
	grant := s.as("bob").code("client_id", id, "redirect_uri", "https://mine.example/cb")
	tokens := s.post("/o/token/", id, "grant_type", "authorization_code", "code", grant, "redirect_uri",
		"https://mine.example/cb", "code_verifier", verifier)
	if tokens.StatusCode != 200 {
		t.Fatalf("%d %s", tokens.StatusCode, tokens.body)
	}
	path := "/o/applications/" + id + "/"
	for _, at := range []string{path, path + "update/", "/o/applications/"} {
		if a := alice.do("GET", at, ""); a.StatusCode != 200 || strings.Contains(a.body, secret) ||
			!strings.Contains(a.body, "Mine") {
			t.Errorf("%s: %d %s", at, a.StatusCode, a.body)
		}
	}
	changed := url.Values{"name": {`<script>alert("x")</script>`}, "client_type": {"confidential"},
		"authorization_grant_type": {"authorization_code"},
		"redirect_uris":            {"https://mine.example/cb\nhttps://mine.example/two"}}
	if a := alice.do("POST", path+"update/", changed.Encode()); a.StatusCode != 303 ||
		a.Header.Get("Location") != path {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := alice.do("GET", path, ""); strings.Contains(a.body, "<script>") ||
		!strings.Contains(a.body, "https://mine.example/two") {
		t.Error(a.body)
	}
	if client, err := s.server.Client(t.Context(), id); err != nil || !client.CheckSecret(secret) ||
		client.Allows("refresh_token") || client.Owner != "alice" {
		t.Errorf("%+v, %v", client, err)
	}
	renewed := alice.do("POST", path+"secret/", "")
	m := code.FindAllStringSubmatch(renewed.body, -1)
	if renewed.StatusCode != 200 || len(m) != 2 || m[0][2] == secret {
		t.Fatalf("%d %s", renewed.StatusCode, renewed.body)
	}
	refused(t, "the old secret", s.post("/o/introspect/", id, "token", "x"), 401, "invalid_client")
	s.secrets[id] = m[0][2]
	if a := s.post("/o/introspect/", id, "token", "x"); a.StatusCode != 200 {
		t.Errorf("the new one: %d", a.StatusCode)
	}
	if a := alice.do("POST", path+"delete/", ""); a.StatusCode != 303 || s.good(tokens.text("access_token")) {
		t.Errorf("%d, and its tokens are good", a.StatusCode)
	}
	shown(t, "after that", alice.do("GET", path, ""), 404)
}

func TestAFormAsDjangoOAuthToolkitSendsIt(t *testing.T) {
	s := newService(t, nil)
	a, id, secret := s.as("alice").register("authorization_grant_type", "authorization-code", "redirect_uris",
		"https://a.example/cb http://127.0.0.1/cb", "algorithm", "RS256", "allowed_origins", "",
		"client_secret", "chosen")
	client, err := s.server.Client(t.Context(), id)
	if a.StatusCode != 200 || err != nil || secret == "chosen" ||
		!slices.Equal(client.GrantTypes, []string{"authorization_code", "refresh_token"}) ||
		len(client.RedirectURIs) != 2 {
		t.Errorf("%d %+v %v", a.StatusCode, client, err)
	}
	a, id, secret = s.as("alice").register("client_type", "public")
	if client, err := s.server.Client(t.Context(), id); err != nil || client == nil || !client.Public() ||
		secret != "" {
		t.Errorf("%d %+v %v", a.StatusCode, client, err)
	}
}

func TestAFormThatIsNotGoodIsShownAgain(t *testing.T) {
	s := newService(t, nil)
	for sentence, pairs := range map[string][]string{
		"no type":              {"client_type", "-"},
		"an unknown type":      {"client_type", "x"},
		"no grant":             {"authorization_grant_type", "-"},
		"an unknown grant":     {"authorization_grant_type", "password"},
		"a grant not on offer": {"authorization_grant_type", "client_credentials"},
		"no address":           {"redirect_uris", ""},
		"a script":             {"redirect_uris", "javascript:alert(1)"},
		"a fragment":           {"redirect_uris", "https://a.example/#x"},
		"http elsewhere":       {"redirect_uris", "http://a.example/"},
		"a bad logout address": {"post_logout_redirect_uris", "x"},
		"too many addresses":   {"redirect_uris", strings.Repeat("https://a.example/ ", 60)},
	} {
		a, id, _ := s.as("alice").register(append(pairs, "name", `"><b>bold`)...)
		if a.StatusCode != 400 || id != "" || !strings.Contains(a.body, `role="alert"`) ||
			!strings.Contains(a.body, "&#34;&gt;&lt;b&gt;bold") || strings.Contains(a.body, "<b>bold") {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	if a, _, _ := s.as("alice").register("name", "a\x00b"); a.StatusCode != 400 {
		t.Errorf("a NUL: %d", a.StatusCode)
	}
	if a := s.as("alice").do("POST", "/o/applications/register/", "{}", "Content-Type",
		"application/json"); a.StatusCode != 400 {
		t.Errorf("JSON: %d", a.StatusCode)
	}
	if found, _, err := s.server.Clients(t.Context(), "alice", backend.Page{}); len(found) != 0 || err != nil {
		t.Errorf("%v %v", found, err)
	}
}

func TestAnApplicationIsItsOwnersAlone(t *testing.T) {
	s := newService(t, nil)
	_, id, secret := s.as("alice").register()
	for _, path := range []string{id + "/", id + "/update/", "web/", "none/"} {
		shown(t, path, s.as("bob").do("GET", "/o/applications/"+path, ""), 404)
	}
	for _, action := range []string{"update", "secret", "delete"} {
		shown(t, action, s.as("bob").do("POST", "/o/applications/"+id+"/"+action+"/", "name=evil&client_type=public"),
			404)
		if a := s.as("alice").do("POST", "/o/applications/"+id+"/"+action+"/", "name=x", "Sec-Fetch-Site",
			"cross-site"); a.StatusCode != 403 {
			t.Errorf("%s from elsewhere: %d", action, a.StatusCode)
		}
		if a := s.as("alice").do("PUT", "/o/applications/"+id+"/"+action+"/", ""); a.StatusCode != 405 {
			t.Errorf("%s: %d", action, a.StatusCode)
		}
	}
	if client, err := s.server.Client(t.Context(), id); err != nil || client == nil || !client.CheckSecret(secret) {
		t.Errorf("%+v %v", client, err)
	}
	if a := s.as("bob").do("GET", "/o/applications/", ""); strings.Contains(a.body, id) {
		t.Error("bob sees it")
	}
	no := newService(t, func(c *server.Config) {
		c.Clients.Developers = func(_ *http.Request, u auth.User, _ auth.Credential) error {
			if u.UserID() == "alice" {
				return nil
			}
			return auth.ErrInsufficient
		}
	})
	shown(t, "who may not", no.as("bob").do("GET", "/o/applications/", ""), 403)
	if a := no.as("alice").do("GET", "/o/applications/", ""); a.StatusCode != 200 {
		t.Errorf("who may: %d", a.StatusCode)
	}
	off := newService(t, func(c *server.Config) { c.Clients.Developers = nil })
	if a := off.as("alice").do("GET", "/o/applications/", ""); a.StatusCode != 404 {
		t.Errorf("nobody may: %d", a.StatusCode)
	}
}

func TestWhatAClientCannotBeRegisteredWith(t *testing.T) {
	s := newService(t, nil)
	uri := []string{"https://a.example/cb"}
	for sentence, r := range map[string]server.Registration{
		"an identifier with a line":    {ClientID: "a\nb", RedirectURIs: uri},
		"an identifier with an umlaut": {ClientID: "aüb", RedirectURIs: uri},
		"an identifier of a machine":   {ClientID: "client:a", RedirectURIs: uri},
		"a long identifier":            {ClientID: strings.Repeat("a", 201), RedirectURIs: uri},
		"no redirect URI":              {},
		"a bad redirect URI":           {RedirectURIs: []string{"javascript:x"}},
		"a bad logout URI":             {RedirectURIs: uri, PostLogoutRedirectURIs: []string{"x"}},
		"an unknown grant":             {RedirectURIs: uri, GrantTypes: []string{"password"}},
		"no grant":                     {RedirectURIs: uri, GrantTypes: []string{}},
		"an unknown response type":     {RedirectURIs: uri, ResponseTypes: []string{"token"}},
		"an unknown method":            {RedirectURIs: uri, TokenEndpointAuthMethod: "private_key_jwt"},
		"a public one with a secret":   {RedirectURIs: uri, TokenEndpointAuthMethod: "none", ClientSecret: "x"},
		"a public one for itself":      {GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "none"},
		"a public one without PKCE":    {RedirectURIs: uri, TokenEndpointAuthMethod: "none", AllowWithoutPKCE: true},
		"tokens bound to a key":        {RedirectURIs: uri, DPoPBoundAccessTokens: true},
		"pushed requests alone":        {RedirectURIs: uri, RequirePushedRequests: true},
		"an unknown scope":             {RedirectURIs: uri, Scope: "read admin"},
		"an unknown resource":          {RedirectURIs: uri, Resources: []string{"https://x.example/"}},
		"a resource that it cannot be": {RedirectURIs: uri, ResourceServer: []string{"https://x.example/"}},
	} {
		_, _, err := s.server.NewClient(r)
		var e *server.Error
		if !errors.As(err, &e) || e.Code != "invalid_client_metadata" && e.Code != "invalid_redirect_uri" {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	c, secret, err := s.server.NewClient(server.Registration{RedirectURIs: uri, ClientName: "a\u202eb\n"})
	if err != nil || c.ID == "" || c.Name != "ab" || !slices.Equal(c.GrantTypes, []string{"authorization_code"}) ||
		!c.CheckSecret(secret.Reveal()) || c.CheckSecret("") {
		t.Errorf("%+v, %v", c, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", secret, server.Registration{ClientSecret: secret},
		server.Registration{ClientSecret: secret}); strings.Contains(text, secret.Reveal()) {
		t.Error(text)
	}
	_, _, err = s.server.AddClient(t.Context(), server.Registration{ClientID: "web", RedirectURIs: uri})
	if !errors.Is(err, server.ErrClientExists) {
		t.Error(err)
	}
}

func TestAClientOfAFileIsWhatTheFileSays(t *testing.T) {
	s := newService(t, nil)
	all, err := server.ParseRegistrations(
		[]byte(
			`[{"client_id":"f","client_secret":"one of 16 bytes…","redirect_uris":["https://a.example/"],"unknown":{"a":1}}]`))
	s.must(err)
	first, err := s.server.EnsureClient(t.Context(), all[0])
	s.must(err)
	if !first.CheckSecret("one of 16 bytes…") {
		t.Error("the secret")
	}
	_, err = s.server.DisableClient(t.Context(), first, true)
	s.must(err)
	all[0].ClientSecret, all[0].ClientName = "", "Named"
	again, err := s.server.EnsureClient(t.Context(), all[0])
	if err != nil || again.Name != "Named" || !again.CheckSecret("one of 16 bytes…") || !again.Disabled ||
		!again.Created.Equal(first.Created) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := s.server.EnsureClient(t.Context(),
		server.Registration{RedirectURIs: []string{"https://a.example/"}}); err == nil {
		t.Error("without an identifier")
	}
	if bound, err := server.ParseRegistrations(
		[]byte(
			`[{"client_id":"b","redirect_uris":["https://a.example/"],"dpop_bound_access_tokens":true}]`)); err != nil || len(bound) != 1 {
		t.Error(err)
	} else if _, err := s.server.EnsureClient(t.Context(), bound[0]); !errors.Is(err, server.ErrUnsupported) {
		t.Error(err)
	}
	for _, text := range []string{"", "{}", `[{"redirect_uris":"x"}]`, `[{"client_secret":1}]`, "[}"} {
		if _, err := server.ParseRegistrations([]byte(text)); err == nil {
			t.Errorf("%q", text)
		}
	}
}

func FuzzRegistrations(f *testing.F) {
	f.Add(
		[]byte(
			`[{"client_id":"f","client_secret":"one","redirect_uris":["https://a.example/"],"grant_types":["refresh_token"],"scope":"read"}]`))
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		f.Fatal(err)
	}
	s, err := server.New(server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(), Keys: keys,
		Tokens:   server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}},
		LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := server.ParseRegistrations(text)
		if err != nil {
			return
		}
		for _, r := range all {
			c, _, err := s.NewClient(r)
			if err != nil {
				continue
			}
			for _, uri := range c.RedirectURIs {
				if server.CheckRedirectURI(uri) != nil {
					t.Errorf("%q", uri)
				}
			}
		}
	})
}

func TestAChangeThatDoesNotKnowTheLastOneIsNotMade(t *testing.T) {
	s := newService(t, nil)
	was, err := s.server.Client(t.Context(), "web")
	s.must(err)
	now, _, err := s.server.RenewSecret(t.Context(), was)
	s.must(err)
	for _, err := range []error{
		func() error { _, err := s.server.DisableClient(t.Context(), was, true); return err }(),
		func() error { _, _, err := s.server.RenewSecret(t.Context(), was); return err }(),
		func() error {
			_, err := s.server.ChangeClient(t.Context(), was, server.Registration{RedirectURIs: was.RedirectURIs})
			return err
		}(),
	} {
		if !errors.Is(err, server.ErrClientChanged) {
			t.Error(err)
		}
	}
	if found, err := s.server.Client(t.Context(), "web"); err != nil || found.SecretDigest != now.SecretDigest ||
		found.Disabled {
		t.Errorf("%+v, %v", found, err)
	}
	app, err := s.server.Client(t.Context(), "app")
	s.must(err)
	if _, _, err := s.server.RenewSecret(t.Context(), app); err == nil {
		t.Error("a secret for a public client")
	}
}

// voucher is a grant of the application's own.
type voucher struct{}

func (voucher) Name() string { return "urn:example:voucher" }

func (voucher) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse, error) {
	if r.Form.Get("voucher") == "" {
		return nil, &server.Error{Code: server.CodeInvalidRequest, Description: "The voucher is missing."}
	}
	return s.Issue(ctx, server.Issuance{Client: r.Client, Type: "urn:example:voucher", UserID: r.Form.Get("voucher"),
		Scopes: []string{"read"}, Refresh: true})
}

func TestAGrantOfOnesOwn(t *testing.T) {
	s := newService(t, func(c *server.Config) {
		c.Tokens.Grants = []server.GrantType{server.AuthorizationCode{}, server.RefreshToken{},
			server.ClientCredentials{}, voucher{}}
	})
	s.add(server.Registration{ClientID: "till", GrantTypes: []string{"urn:example:voucher", "refresh_token"},
		Scope: "read"})
	redeem := func(v string) answer {
		return s.post("/o/token/", "till", "grant_type", "urn:example:voucher", "voucher", v)
	}
	a := redeem("alice")
	if a.StatusCode != 200 || a.text("scope") != "read" || !s.good(a.text("access_token")) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if next := s.post("/o/token/", "till", "grant_type", "refresh_token", "refresh_token",
		a.text("refresh_token")); next.StatusCode != 200 {
		t.Errorf("%d %s", next.StatusCode, next.body)
	}
	refused(t, "nobody", redeem("nobody"), 400, "invalid_grant")
	refused(t, "no voucher", redeem(""), 400, "invalid_request")
	refused(t, "a client without it", s.post("/o/token/", "web", "grant_type", "urn:example:voucher"), 400,
		"unauthorized_client")
	m := s.stranger().do("GET", "/.well-known/oauth-authorization-server", "")
	if !strings.Contains(m.body, `"urn:example:voucher"`) {
		t.Error(m.body)
	}
}

func TestWrongWiringFailsAtNew(t *testing.T) {
	s := newService(t, nil)
	for says, change := range map[string]func(*server.Config){
		"Issuer is missing":      func(c *server.Config) { c.Issuer = "" },
		"no URL":                 func(c *server.Config) { c.Issuer = "https://a.example/?x" },
		"without user, query":    func(c *server.Config) { c.Issuer = "https://a.example/#x" },
		"neither https nor http": func(c *server.Config) { c.Issuer = "http://a.example" },
		"issuer \"ftp:": func(c *server.Config) {
			c.Issuer, c.Endpoints.InsecureHTTP = "ftp://a.example", true
		},
		"Store is missing":    func(c *server.Config) { c.Store = nil },
		"LoadUser is missing": func(c *server.Config) { c.LoadUser = nil },
		"need Config.SignIn":  func(c *server.Config) { c.SignIn = nil },
		"pages for people": func(c *server.Config) {
			c.Tokens.Grants, c.SignIn = []server.GrantType{server.ClientCredentials{}}, nil
		},
		"Grace":                 func(c *server.Config) { c.Tokens.Grace = time.Hour },
		"Prefix":                func(c *server.Config) { c.Tokens.Prefix = "too long" },
		"Path":                  func(c *server.Config) { c.Endpoints.Path = "o" },
		"lifetime":              func(c *server.Config) { c.Tokens.Lifetimes.Code = time.Hour },
		"shorter than a second": func(c *server.Config) { c.Tokens.Lifetimes.Access = time.Millisecond },
		"no absolute URL":       func(c *server.Config) { c.Resources = []server.Resource{{ID: "/x"}} },
		"two resources": func(c *server.Config) {
			c.Resources = []server.Resource{{ID: "https://a.example"}, {ID: "https://a.example"}}
		},
		"wants JWTs":     func(c *server.Config) { c.Keys = nil },
		"is not a scope": func(c *server.Config) { c.Scopes = []server.Scope{{Name: "a b"}} },
		"two scopes":     func(c *server.Config) { c.Scopes = []server.Scope{{Name: "a"}, {Name: "a"}} },
		"is there twice": func(c *server.Config) {
			c.Tokens.Grants = []server.GrantType{server.ClientCredentials{}, server.ClientCredentials{}}
		},
		"DeveloperGrants": func(c *server.Config) { c.Clients.DeveloperGrants = []string{"x"} },
	} {
		c := s.config
		change(&c)
		if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestAnAuditNamesWhatIsWeaker(t *testing.T) {
	strict := server.Config{Issuer: "https://a.example"}
	find := func(c server.Config, clients ...*server.Client) string {
		var all []string
		for _, f := range server.Audit(c, clients...) {
			all = append(all, f.String())
		}
		return strings.Join(all, "\n")
	}
	if got := find(strict); strings.Count(got, "\n") != 0 || !strings.Contains(got, "RFC 9700 §2.2.1") {
		t.Errorf("a strict one: %s", got)
	}
	for says, change := range map[string]func(*server.Config){
		"§2.6: Issuer":                    func(c *server.Config) { c.Issuer = "http://127.0.0.1" },
		"§4.14.2: Tokens.Grace":           func(c *server.Config) { c.Tokens.Grace = time.Minute },
		"§4.9.3: Tokens.Lifetimes.Access": func(c *server.Config) { c.Tokens.Lifetimes.Access = 2 * time.Hour },
		"§4.9.3: Resource.JWT": func(c *server.Config) {
			c.Resources = []server.Resource{{ID: "x", JWT: true}}
		},
		"§4.2.4: Tokens.Lifetimes.Code": func(c *server.Config) { c.Tokens.Lifetimes.Code = 5 * time.Minute },
		"§4.14.2: Tokens.Lifetimes.RefreshId": func(c *server.Config) {
			c.Tokens.Lifetimes.RefreshIdle = 90 * 24 * time.Hour
		},
		"§2.3: Resources": func(c *server.Config) {
			c.Resources = []server.Resource{{ID: "x"}, {ID: "y"}}
		},
		"§2.3: Resource.Scopes of y": func(c *server.Config) {
			c.Resources = []server.Resource{{ID: "x", Scopes: []string{}}, {ID: "y"}}
		},
	} {
		c := strict
		if change(&c); !strings.Contains(find(c), says) || strings.Contains(find(strict), says) {
			t.Errorf("%s: %s", says, find(c))
		}
	}
	for says, client := range map[string]*server.Client{
		"RFC 8252 §8.6: client x": {ID: "x", AuthMethod: "none", FirstParty: true,
			RedirectURIs: []string{"http://127.0.0.1/"}},
		"RFC 8252 §8.3: client x":   {ID: "x", AuthMethod: "none", RedirectURIs: []string{"http://localhost/"}},
		"§2.1.1: client x":          {ID: "x", AllowWithoutPKCE: true},
		"RFC 6749 §2.3.1: client x": {ID: "x", AuthMethod: "client_secret_post"},
		"§2.5: client x":            {ID: "x"},
		"§2.2.2: client x":          {ID: "x", AuthMethod: "none", GrantTypes: []string{"refresh_token"}},
	} {
		if got := find(strict, client); !strings.Contains(got, says) {
			t.Errorf("%s: %s", says, got)
		}
	}
	if got := find(
		strict,
		&server.Client{ID: "x", AuthMethod: "none", RedirectURIs: []string{"https://a.example/"}}); strings.Contains(
		got, "client x") {
		t.Error(got)
	}
}

func TestNoSecretIsInALogOrAnEvent(t *testing.T) {
	var log bytes.Buffer
	broken := &failing{}
	s := newService(t, func(c *server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		broken.Store, c.Store = c.Store, broken
	})
	code := s.as("alice").code()
	var secrets []string
	use := func(a answer) {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token := a.text(name); token != "" {
				secrets = append(secrets, token)
			}
		}
	}
	secrets = append(secrets, code, verifier, s.secrets["web"], "wrong-secret")
	for nth := int32(1); nth < 6; nth++ {
		broken.fail(nth)
		s.redeem(code, "code_verifier", verifier)
	}
	broken.fail(0)
	use(s.redeem(code))
	s.redeem(code)
	tokens := s.tokens("alice")
	use(tokens)
	s.refresh(tokens.text("refresh_token"))
	s.refresh(tokens.text("refresh_token"))
	s.stranger().do("POST", "/o/token/", "grant_type=refresh_token&refresh_token=x", "Authorization",
		basic("web", "wrong-secret"))
	text := log.String() + fmt.Sprintf("%+v %+v", s.events.all, s.config)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s is told", secret)
		}
	}
	if !strings.Contains(log.String(), "broken") {
		t.Error("nothing was logged")
	}
}

func FuzzEveryEndpoint(f *testing.F) {
	f.Add("/o/token/", "grant_type=authorization_code&code=ac_x&client_id=web&client_secret=x", "Basic d2ViOng=",
		"application/x-www-form-urlencoded")
	f.Add("/o/introspect/", "token=%00", "Bearer x", "text/plain")
	f.Add("/o/userinfo/", "access_token=x&access_token=y", "Bearer", "application/x-www-form-urlencoded;charset=x")
	f.Add("/o/authorize/", query().Encode(), "", "application/x-www-form-urlencoded")
	f.Add("/o/token/", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n"+
		"--x--\r\n",
		"Basic d2ViOng=", "multipart/form-data; boundary=x")
	f.Add("/o/logout/", "id_token_hint=a.b.c&client_id=web", "", "application/x-www-form-urlencoded")
	paths := []string{"/o/token/", "/o/introspect/", "/o/revoke_token/", "/o/userinfo/", "/o/authorize/", "/o/logout/",
		"/o/applications/register/", "/o/authorized_tokens/x/delete/"}
	var s *service
	f.Fuzz(func(t *testing.T, path, body, authorization, kind string) {
		if s == nil {
			s = newService(t, nil)
		}
		handler := s.handlers()
		for i, p := range paths {
			if path != p && i > 0 {
				continue
			}
			for _, method := range []string{"POST", "GET"} {
				target := p
				if method == "GET" {
					target += "?" + (&url.URL{RawQuery: body}).Query().Encode()
				}
				r, err := http.NewRequest(method, target, strings.NewReader(body))
				if err != nil {
					return
				}
				r.Header["Authorization"], r.Header["Content-Type"] = []string{authorization}, []string{kind}
				r.Header.Set("Cookie", "login=alice:s:1")
				w := &recorder{header: http.Header{}}
				handler.ServeHTTP(w, r)
				if w.status >= 500 || w.status == 0 {
					t.Errorf("%s %s: %d %s", method, p, w.status, w.body.String())
				}
				for _, line := range w.header["Location"] {
					if strings.ContainsAny(line, "\r\n") {
						t.Errorf("%q", line)
					}
				}
			}
		}
	})
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(200)
	return r.body.Write(p)
}

func TestUnitPurge(t *testing.T) {
	store := &failing{Store: server.NewMemoryStore()}
	s := newService(t, func(c *server.Config) { c.Store = store })
	past := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	for i := range 3 {
		if _, err := store.PutOnce(t.Context(), fmt.Sprint("key", i), past, past.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("interaction", i)
		s.must(store.AddInteraction(t.Context(), &server.Interaction{ID: id, Digest: id, Created: past, ExpiresAt: past,
			Data: []byte("{}")}, 0))
	}
	good := s.tokens("alice").text("access_token")
	t.Run("a batch has at most limit records of all kinds together", func(t *testing.T) {
		for i, want := range []int{4, 2, 0} {
			if n, err := s.server.Purge(t.Context(), 4); n != want || err != nil {
				t.Errorf("batch %d: got %d, %v, want %d", i, n, err, want)
			}
		}
		if !s.good(good) {
			t.Error("got a token purged that is good")
		}
	})
	t.Run("a store that fails is an outage", func(t *testing.T) {
		store.fail(1)
		if n, err := s.server.Purge(t.Context(), 4); n != 0 || !errors.Is(err, errBroken) || auth.KindOf(err) != nil {
			t.Errorf("got %d, %v, want the store's error without a kind", n, err)
		}
	})
	t.Run("the purger has the name that events have, as in the log of auth.PurgeEvery", func(t *testing.T) {
		store.fail(1)
		_, err := auth.PurgeAll(t.Context(), s.server)
		if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "oauth2: ") {
			t.Errorf("got %v, want the store's error after the name oauth2", err)
		}
	})
}
