package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// badge is a feature of a test: machines wear badges. It has a grant, a client authentication,
// clients of its own, a request parameter, a metadata member, a route, a claim, an audit line,
// a rule of registration and a purge, and changes no file of the server.
type badge struct{ purged int }

const (
	badgeGrant  = "urn:example:badge"
	badgeMethod = "badge"
	badgeClient = "https://badges.example/7"
)

func (b *badge) register(r *registry) {
	s := r.server
	r.addScope(Scope{Name: "doors:open", Text: "open doors"})
	r.addGrant(badgeGrant, func(ctx context.Context, s *Server, t *TokenRequest) (*TokenResponse, error) {
		return s.Issue(ctx, Issuance{Client: t.Client, Type: badgeGrant, Scopes: []string{"doors:open"},
			Extra: map[string]string{"door": t.Form.Get("door")}})
	})
	r.addClientAuthentication(clientAuthentication{method: badgeMethod,
		read: func(r *http.Request, form Form) (*clientCredentials, error) {
			if r.Header.Get("Badge") == "" {
				return nil, nil
			}
			return &clientCredentials{clientID: form.Get("client_id"), secret: r.Header.Get("Badge")}, nil
		},
		check: func(_ context.Context, client *Client, c *clientCredentials) (cause, err error) {
			if c.secret != "badge of "+client.ID {
				return errors.New("the badge is of another client"), nil
			}
			return nil, nil
		}})
	r.addClientSource(clientSource{
		owns: func(id string) bool { return strings.HasPrefix(id, "https://badges.example/") },
		find: func(ctx context.Context, id string) (*Client, error) {
			return s.EnsureClient(ctx, Registration{ClientID: id, GrantTypes: []string{badgeGrant},
				TokenEndpointAuthMethod: badgeMethod})
		}})
	r.addParameters(requestParameters{names: []string{"door"},
		read: func(_ context.Context, form Form, _ *Client, a *authorization) error {
			if form.Get("door") == "closed" {
				return refuse(CodeInvalidRequest, "The door is closed.", failedCheck("the door is closed"))
			}
			a.Extra = map[string]string{"door": form.Get("door")}
			return nil
		}})
	r.addRegistration(func(_ *Registration, c *Client) error {
		if c.AuthMethod == badgeMethod && !c.Allows(badgeGrant) {
			return metadataError("A badge is for its own grant.", failedCheck("the client has not the grant of badges"))
		}
		return nil
	})
	r.addClaims(func(_ context.Context, c *claimsRequest) (map[string]any, error) {
		return map[string]any{"cnf": map[string]string{"badge": c.grant.ClientID}, "sub": "evil",
			"door": c.grant.Extra["door"]}, nil
	})
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["badge_endpoint"] = s.url("/badge/")
		return nil
	})
	r.addRoutes(func(h *handler, to router) {
		to.handle("/badge", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, http.StatusOK, map[string]string{"badge": "yes"})
		}))
	})
	r.addAudit(func(a *auditor) { a.add("example", "badges", "a badge can be copied") })
	r.addPurge(func(_ context.Context, _ time.Time, limit int) (int, error) {
		b.purged = limit
		return 3, nil
	})
}

// badges returns a server with the feature, its store, and its endpoints.
func badges(t *testing.T) (*Server, *badge, func(method, path, body string, headers ...string) (int, map[string]any)) {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Issuer: "https://login.example", Store: NewMemoryStore(), Keys: keys,
		Tokens:    TokenConfig{Grants: []GrantType{ClientCredentials{}}},
		Resources: []Resource{{ID: "https://jwt.example/", JWT: true}},
		LoadUser:  func(context.Context, string) (auth.User, error) { return nil, auth.ErrInvalid }}
	b := new(badge)
	s, err := newServer(config, append(config.features(), b))
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, b, func(method, path, body string, headers ...string) (int, map[string]any) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		handlers.ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: got %d %q, want JSON", method, path, w.Code, w.Body)
		}
		return w.Code, answer
	}
}

// claimsOf reads the claims of a JWT.
func claimsOf(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want a JWT", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestUnitFeatureTokens(t *testing.T) {
	grant := url.Values{"grant_type": {badgeGrant}, "client_id": {badgeClient}}.Encode()
	t.Run("a client from elsewhere gets a token by a grant and an authentication of its own", func(t *testing.T) {
		s, _, do := badges(t)
		status, answer := do("POST", "/o/token/", grant, "Badge", "badge of "+badgeClient)
		if status != http.StatusOK || answer["scope"] != "doors:open" {
			t.Fatalf("got %d %v, want a token with doors:open", status, answer)
		}
		token, err := s.Inspect(t.Context(), answer["access_token"].(string))
		if err != nil || token.ClientID != badgeClient {
			t.Errorf("got %+v, %v, want a token of %s", token, err, badgeClient)
		}
	})
	t.Run("a claim is in the token, and replaces none of the server", func(t *testing.T) {
		_, _, do := badges(t)
		_, answer := do("POST", "/o/token/", grant, "Badge", "badge of "+badgeClient)
		claims := claimsOf(t, answer["access_token"].(string))
		if cnf, _ := claims["cnf"].(map[string]any); cnf["badge"] != badgeClient || claims["sub"] != badgeClient {
			t.Errorf("got cnf %v and sub %v, want the client in both", claims["cnf"], claims["sub"])
		}
	})
	t.Run("what a feature keeps with the grant is in the token", func(t *testing.T) {
		_, _, do := badges(t)
		_, answer := do("POST", "/o/token/", grant+"&door=7", "Badge", "badge of "+badgeClient)
		if claims := claimsOf(t, answer["access_token"].(string)); claims["door"] != "7" {
			t.Errorf("got the door %v, want 7", claims["door"])
		}
	})
	t.Run("the claim is told by introspection", func(t *testing.T) {
		s, _, do := badges(t)
		_, secret, err := s.AddClient(t.Context(),
			Registration{ClientID: "api", GrantTypes: []string{GrantClientCredentials},
				ResourceServer: []string{"https://jwt.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		_, answer := do("POST", "/o/token/", grant, "Badge", "badge of "+badgeClient)
		body := url.Values{"token": {answer["access_token"].(string)}, "client_id": {"api"},
			"client_secret": {secret.Reveal()}}.Encode()
		status, told := do("POST", "/o/introspect/", body)
		if cnf, _ := told["cnf"].(map[string]any); status != 200 || cnf["badge"] != badgeClient ||
			told["sub"] != badgeClient {
			t.Errorf("got %d %v, want cnf and sub of the client", status, told)
		}
	})
}

func TestUnitFeatureClientAuthentication(t *testing.T) {
	grant := url.Values{"grant_type": {badgeGrant}, "client_id": {badgeClient}}.Encode()
	t.Run("a badge of another client is refused", func(t *testing.T) {
		_, _, do := badges(t)
		if status, answer := do("POST", "/o/token/", grant, "Badge", "badge of x"); status != 401 ||
			answer["error"] != "invalid_client" {
			t.Errorf("got %d %v, want 401 invalid_client", status, answer)
		}
	})
	t.Run("a badge beside a secret is refused", func(t *testing.T) {
		_, _, do := badges(t)
		status, answer := do("POST", "/o/token/", grant+"&client_secret=x", "Badge", "badge of "+badgeClient)
		if status != 400 || answer["error"] != "invalid_request" {
			t.Errorf("got %d %v, want 400 invalid_request", status, answer)
		}
	})
	t.Run("a client with a secret may not use a badge unless it is registered so", func(t *testing.T) {
		s, _, do := badges(t)
		if _, _, err := s.AddClient(t.Context(),
			Registration{ClientID: "web", GrantTypes: []string{badgeGrant}}); err != nil {
			t.Fatal(err)
		}
		body := url.Values{"grant_type": {badgeGrant}, "client_id": {"web"}}.Encode()
		if status, answer := do("POST", "/o/token/", body, "Badge", "badge of web"); status != 401 {
			t.Errorf("got %d %v, want 401", status, answer)
		}
	})
}

func TestUnitFeatureEndpoints(t *testing.T) {
	t.Run("metadata names the endpoint, the grant and the method", func(t *testing.T) {
		_, _, do := badges(t)
		_, m := do("GET", "/.well-known/oauth-authorization-server", "")
		for name, want := range map[string]string{"badge_endpoint": "https://login.example/o/badge/",
			"grant_types_supported": badgeGrant, "token_endpoint_auth_methods_supported": badgeMethod,
			"scopes_supported": "doors:open"} {
			if text, _ := json.Marshal(m[name]); !strings.Contains(string(text), want) {
				t.Errorf("%s: got %s, want %s in it", name, text, want)
			}
		}
	})
	t.Run("the route answers", func(t *testing.T) {
		_, _, do := badges(t)
		if status, answer := do("GET", "/o/badge/", ""); status != 200 || answer["badge"] != "yes" {
			t.Errorf("got %d %v, want 200", status, answer)
		}
	})
}

func TestUnitFeatureHooks(t *testing.T) {
	t.Run("a registration is checked", func(t *testing.T) {
		s, _, _ := badges(t)
		_, _, err := s.NewClient(Registration{GrantTypes: []string{GrantClientCredentials},
			TokenEndpointAuthMethod: badgeMethod})
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "invalid_client_metadata" {
			t.Errorf("got %v, want invalid_client_metadata", err)
		}
	})
	t.Run("a purge gets what is left of the limit", func(t *testing.T) {
		s, b, _ := badges(t)
		if n, err := s.Purge(t.Context(), 10); n != 3 || err != nil || b.purged != 10 {
			t.Errorf("got %d, %v and a limit of %d, want 3, nil and 10", n, err, b.purged)
		}
	})
	t.Run("an audit line is there", func(t *testing.T) {
		r := newRegistry(new(Server), nil, []feature{new(badge)})
		a := new(auditor)
		r.audits[0](a)
		if len(a.found) != 1 || a.found[0].Setting != "badges" {
			t.Errorf("got %v, want the line about badges", a.found)
		}
	})
}

// signedOut is a backend without a signed-in user.
type signedOut struct{}

func (signedOut) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return nil, nil, auth.ErrNoCredentials
}

func TestUnitFeatureParameters(t *testing.T) {
	config := Config{Issuer: "https://login.example", Store: NewMemoryStore(),
		LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrInvalid },
		SignIn: func(w http.ResponseWriter, _ *http.Request, _ SignInRequest) {
			w.WriteHeader(http.StatusTeapot)
		}}
	s, err := newServer(config, append(config.features(), new(badge)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddClient(t.Context(),
		Registration{ClientID: "web", RedirectURIs: []string{"https://web.example/"}}); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{signedOut{}},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		query  string
		status int
		error  string
	}{
		"a good one goes on":      {"&door=7", http.StatusTeapot, ""},
		"a bad one is refused":    {"&door=closed", http.StatusSeeOther, "invalid_request"},
		"one twice is refused":    {"&door=7&door=8", http.StatusSeeOther, "invalid_request"},
		"another twice is nought": {"&window=7&window=8", http.StatusTeapot, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/o/authorize/?client_id=web&response_type=code&code_challenge_method=S256"+
				"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"+row.query, nil)
			w := httptest.NewRecorder()
			handlers.ServeHTTP(w, r)
			to, _ := url.Parse(w.Header().Get("Location"))
			if w.Code != row.status || to.Query().Get("error") != row.error {
				t.Errorf("got %d %s, want %d and the error %q", w.Code, to, row.status, row.error)
			}
		})
	}
}
