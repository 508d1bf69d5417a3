package oauth2_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
)

const resource = "https://api.example/mcp"

// source knows tokens by their text.
type source map[string]func() (*oauth2.Token, error)

func (s source) Inspect(_ context.Context, token string) (*oauth2.Token, error) {
	if inspect := s[token]; inspect != nil {
		return inspect()
	}
	return nil, auth.ErrUnrecognized
}

func good(change ...func(*oauth2.Token)) func() (*oauth2.Token, error) {
	return func() (*oauth2.Token, error) {
		t := &oauth2.Token{Issuer: "https://login.example", Subject: "alice", ClientID: "web",
			Audience: []string{resource}, Scope: []string{"read"}, Expiry: time.Now().Add(time.Hour)}
		for _, each := range change {
			each(t)
		}
		return t, nil
	}
}

func bad(err error) func() (*oauth2.Token, error) {
	return func() (*oauth2.Token, error) { return nil, err }
}

// person has no stamp.
type person string

func (p person) UserID() string { return string(p) }

func load(_ context.Context, id string) (auth.User, error) {
	switch id {
	case "gone":
		return nil, auth.ErrUserNotFound
	case "down":
		return nil, errors.New("users are down")
	case "absent":
		return nil, auth.ErrNoCredentials
	}
	return person(id), nil
}

// api is a protected API on a real connection.
type api struct {
	*testing.T
	url string
}

func serve(t *testing.T, config oauth2.Config, scopes ...string) api {
	t.Helper()
	if config.Resource == "" {
		config.Resource = resource
	}
	if config.LoadUser == nil && config.User == nil {
		config.LoadUser = load
	}
	a, err := oauth2.New(config)
	if err != nil {
		t.Fatal(err)
	}
	protect, err := a.Require(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		token, _ := auth.CredentialFrom[*oauth2.Token](r.Context())
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, user.UserID(), " ", token.ClientID, " ", token.Backend(), " ", string(body))
	})))
	t.Cleanup(s.Close)
	return api{t, s.URL}
}

type reply struct {
	status    int
	header    http.Header
	body      string
	challenge string
}

// ask sends a request; headers are pairs.
func (a api) ask(method, path, body string, headers ...string) reply {
	a.Helper()
	r, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		a.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text), strings.Join(answer.Header["Www-Authenticate"], "; ")}
}

func (a api) want(sentence string, got reply, status int, challenge string) {
	a.Helper()
	if got.status != status || got.challenge != challenge {
		a.Errorf("%s: %d %s\nwant %d %s\n%s", sentence, got.status, got.challenge, status, challenge, got.body)
	}
}

const (
	plain     = `Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource/mcp"`
	malformed = plain + `, error="invalid_request"`
	invalid   = plain + `, error="invalid_token", error_description="Invalid token."`
)

func tokens() source {
	return source{
		"good": good(), "machine": good(func(t *oauth2.Token) { t.Subject = "" }),
		"client":  good(func(t *oauth2.Token) { t.Subject = "web" }),
		"other":   good(func(t *oauth2.Token) { t.Audience = []string{"https://other.example/"} }),
		"prefix":  good(func(t *oauth2.Token) { t.Audience = []string{resource[:20]} }),
		"slash":   good(func(t *oauth2.Token) { t.Audience = []string{resource + "/"} }),
		"nobody":  good(func(t *oauth2.Token) { t.Audience = nil }),
		"both":    good(func(t *oauth2.Token) { t.Audience = []string{"https://other.example/", resource} }),
		"named":   good(func(t *oauth2.Token) { t.Audience = []string{"our-api"} }),
		"expired": good(func(t *oauth2.Token) { t.Expiry = time.Now() }), "forever": good(func(t *oauth2.Token) {
			t.Expiry = time.Time{}
		}),
		"bound": good(func(t *oauth2.Token) { t.Confirmation = map[string]string{"jkt": "x"} }),
		"dpop":  good(func(t *oauth2.Token) { t.Type = "DPoP" }), "bearer": good(func(t *oauth2.Token) {
			t.Type = "bEARER"
		}),
		"forged": good(func(t *oauth2.Token) { t.Subject = "client:web" }), "nameless": good(func(t *oauth2.Token) {
			t.Subject, t.ClientID = "", ""
		}),
		"gone": good(func(t *oauth2.Token) { t.Subject = "gone" }),
		"down": good(func(t *oauth2.Token) { t.Subject = "down" }), "absent": good(func(t *oauth2.Token) {
			t.Subject = "absent"
		}),
		"noscope": good(func(t *oauth2.Token) { t.Scope = nil }),
		"revoked": bad(fmt.Errorf("\"quoted\"\r\nX: y: %w", auth.ErrInvalid)), "outage": bad(errors.New("no answer")),
		"silent": bad(nil), "anonymous": bad(auth.ErrNoCredentials),
	}
}

func TestWhatARequestWithoutATokenIsTold(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}}, "read")
	a.want("nothing", a.ask("GET", "/", ""), 401, plain)
	a.want("Basic", a.ask("GET", "/", "", "Authorization", "Basic YTpi"), 401, plain)
	a.want("a token in the query", a.ask("GET", "/?access_token=good", ""), 401, plain)
	a.want("a token in a form", a.ask("POST", "/", "access_token=good", "Content-Type",
		"application/x-www-form-urlencoded"), 401, plain)
	first := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}, ChallengeScopes: []string{"read", "write"}},
		"write")
	first.want("what to ask for first", first.ask("GET", "/", ""), 401, plain+`, scope="read write"`)
}

func TestAGoodTokenInAnyCaseOfTheScheme(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}, Audience: []string{"our-api"}}, "read")
	for _, token := range []string{"bEaReR good", "Bearer both", "Bearer named", "Bearer forever", "Bearer  bearer "} {
		if got := a.ask("GET", "/", "", "Authorization", token); got.status != 200 || got.body != "alice web oauth2 " {
			t.Errorf("%s: %d %s", token, got.status, got.body)
		}
	}
	for _, token := range []string{"machine", "client"} {
		if got := a.ask("GET", "/", "", "Authorization", "Bearer "+token); got.status != 200 ||
			got.body != "client:web web oauth2 " {
			t.Errorf("%s: %d %s", token, got.status, got.body)
		}
	}
}

func TestWhateverIsWrongWithATokenIsOneSentence(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}}, "read")
	var bodies []string
	for _, token := range []string{"unknown", "revoked", "other", "prefix", "slash", "nobody", "named", "expired",
		"bound", "dpop", "forged", "nameless", "gone"} {
		got := a.ask("GET", "/", "", "Authorization", "Bearer "+token)
		a.want(token, got, 401, invalid)
		bodies = append(bodies, got.body)
		if got.body != bodies[0] || got.header.Get("X") != "" {
			t.Errorf("%s: %s", token, got.body)
		}
	}
}

func TestWhatIsMalformedIs400(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}}, "read")
	for sentence, headers := range map[string][]string{
		"no token":            {"Authorization", "Bearer"},
		"two tokens":          {"Authorization", "Bearer good good"},
		"a strange character": {"Authorization", "Bearer go\"od"},
		"two headers":         {"Authorization", "Bearer good", "Authorization", "Bearer good"},
	} {
		if got := a.ask("GET", "/", "", headers...); got.status != 400 ||
			!strings.HasPrefix(got.challenge, malformed) && sentence != "two headers" {
			t.Errorf("%s: %d %s", sentence, got.status, got.challenge)
		}
	}
	for _, query := range []string{"?access_token=good", "?x=1&access_token=", "?access%5Ftoken=x&access_token=y"} {
		if got := a.ask("GET", "/"+query, "", "Authorization", "Bearer good"); got.status != 400 ||
			!strings.HasPrefix(got.challenge, malformed) {
			t.Errorf("%s: %d %s", query, got.status, got.challenge)
		}
	}
	if got := a.ask("GET", "/?not_access_token=x", "", "Authorization", "Bearer good"); got.status != 200 {
		t.Errorf("another parameter: %d", got.status)
	}
}

func TestTooFewScopesAre403AndWhatIsNeededIsNamed(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}}, "read", "write")
	for _, token := range []string{"good", "noscope", "machine"} {
		a.want(token, a.ask("GET", "/", "", "Authorization", "Bearer "+token), 403,
			plain+`, error="insufficient_scope", `+
				`error_description="You do not have permission to perform this action.", `+
				`scope="read write"`)
	}
}

func TestWhatCannotBeDecidedIs503(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}}, "read")
	for _, token := range []string{"outage", "silent", "anonymous", "down", "absent"} {
		got := a.ask("GET", "/", "", "Authorization", "Bearer "+token)
		if a.want(token, got, 503, ""); got.header.Get("Retry-After") == "" || strings.Contains(got.body, "no answer") {
			t.Errorf("%s: %v %s", token, got.header, got.body)
		}
	}
	for sentence, user := range map[string]func(context.Context, *oauth2.Token) (auth.User, error){
		"a nil user":     func(context.Context, *oauth2.Token) (auth.User, error) { return nil, nil },
		"an absent user": func(context.Context, *oauth2.Token) (auth.User, error) { return nil, auth.ErrNoCredentials },
	} {
		own := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}, User: user})
		own.want(sentence, own.ask("GET", "/", "", "Authorization", "Bearer good"), 503, "")
	}
	own := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}, User: oauth2.SubjectUser, Name: "mcp"})
	own.want("a user with the name of a client", own.ask("GET", "/", "", "Authorization", "Bearer forged"),
		401, invalid)
	if got := own.ask("GET", "/", "", "Authorization", "Bearer gone"); got.status != 200 ||
		got.body != "gone web mcp " {
		t.Errorf("got %d %s, want 200 gone web mcp", got.status, got.body)
	}
}

func TestAFormTokenWhereItIsAllowed(t *testing.T) {
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}, AllowFormToken: true}, "read")
	form := func(body string, more ...string) reply {
		return a.ask("POST", "/", body, append([]string{"Content-Type", "application/x-www-form-urlencoded"},
			more...)...)
	}
	if got := form("a=b&access_token=good&c=%zz"); got.status != 200 ||
		got.body != "alice web oauth2 a=b&access_token=good&c=%zz" {
		t.Errorf("got %d %s, want 200 with the token of the form, and the form as it came", got.status, got.body)
	}
	if got := form("a=b", "Authorization", "Bearer good"); got.status != 200 || got.body != "alice web oauth2 a=b" {
		t.Errorf("got %d %s, want 200 with the token of the header", got.status, got.body)
	}
	long := "x=" + strings.Repeat("y", 70<<10)
	if got := form(long, "Authorization", "Bearer good"); got.status != 200 || got.body != "alice web oauth2 "+long {
		t.Errorf("a long one: %d, %d bytes", got.status, len(got.body))
	}
	for sentence, got := range map[string]reply{
		"in both":      form("access_token=good", "Authorization", "Bearer good"),
		"twice":        form("access_token=good&access_token=good"),
		"a bad one":    form("access_token=a%20b"),
		"an empty one": form("access_token="),
	} {
		if got.status != 400 || !strings.Contains(got.body, `"code":"invalid_request"`) {
			t.Errorf("%s: %d %s", sentence, got.status, got.body)
		}
	}
	a.want("an unknown one", form("access_token=unknown"), 401, plain)
	for sentence, got := range map[string]reply{
		"a GET": a.ask("GET", "/", "access_token=good", "Content-Type", "application/x-www-form-urlencoded"),
		"multipart": a.ask("POST", "/", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\ngood\r\n"+
			"--x--", "Content-Type", "multipart/form-data; boundary=x"),
		"JSON":     a.ask("POST", "/", `{"access_token":"good"}`, "Content-Type", "application/json"),
		"no token": form("a=b"),
	} {
		a.want(sentence, got, 401, plain)
	}
}

func TestMetadata(t *testing.T) {
	for id, row := range map[string]struct{ path, url string }{
		"https://h.example/mcp": {"/.well-known/oauth-protected-resource/mcp",
			"https://h.example/.well-known/oauth-protected-resource/mcp"},
		"https://h.example/": {"/.well-known/oauth-protected-resource",
			"https://h.example/.well-known/oauth-protected-resource"},
		"https://h.example": {"/.well-known/oauth-protected-resource",
			"https://h.example/.well-known/oauth-protected-resource"},
		"https://h.example:8443/a/": {"/.well-known/oauth-protected-resource/a/",
			"https://h.example:8443/.well-known/oauth-protected-resource/a/"},
		"http://127.0.0.1:9/x?y=z": {"/.well-known/oauth-protected-resource/x",
			"http://127.0.0.1:9/.well-known/oauth-protected-resource/x?y=z"},
	} {
		a := serve(t, oauth2.Config{Resource: id, Sources: []oauth2.Source{tokens()},
			AuthorizationServers: []string{"https://login.example"}, ScopesSupported: []string{"read"},
			ResourceName: "Näme"})
		got := a.ask("GET", row.path, "", "Host", "evil.example", "X-Forwarded-Host", "evil.example", "Origin",
			"https://spa.example")
		var m map[string]any
		if err := json.Unmarshal([]byte(got.body), &m); err != nil || got.status != 200 ||
			got.header.Get("Content-Type") != "application/json" || m["resource"] != id ||
			fmt.Sprint(m["authorization_servers"]) != "[https://login.example]" ||
			fmt.Sprint(m["bearer_methods_supported"]) != "[header]" ||
			got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s %v", id, got.status, got.body, got.header)
		}
		if challenge := a.ask("GET", "/", "", "Host",
			"evil.example").challenge; challenge != `Bearer realm="api", resource_metadata="`+row.url+`"` {
			t.Errorf("%s: %s", id, challenge)
		}
		if got := a.ask("POST", row.path, "x"); got.status != 405 || got.header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %d %v", id, got.status, got.header)
		}
		if got := a.ask("OPTIONS", row.path, ""); got.status != 204 ||
			got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", id, got.status, got.header)
		}
		if got := a.ask("HEAD", row.path, ""); got.status != 200 || got.body != "" {
			t.Errorf("%s: %d %s", id, got.status, got.body)
		}
	}
	t.Run("a path with a slash at its end is another one, and nothing below it is served", func(t *testing.T) {
		a := serve(t, oauth2.Config{Resource: "https://h.example/mcp/", Sources: []oauth2.Source{tokens()}})
		if got := a.ask("GET", "/.well-known/oauth-protected-resource/mcp/x", ""); got.status != 401 {
			t.Errorf("below it: %d", got.status)
		}
		mux := http.NewServeMux() // both can be served by one program
		for _, id := range []string{"https://h.example/mcp/", "https://h.example/mcp"} {
			api, err := oauth2.New(oauth2.Config{Resource: id, Sources: []oauth2.Source{tokens()}, LoadUser: load})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := api.MetadataURL(), strings.Replace(id, "/mcp", "/.well-known/oauth-protected-resource/mcp",
				1); got != want {
				t.Errorf("MetadataURL %s, want %s", got, want)
			}
			api.Register(mux)
		}
		for _, path := range []string{"/mcp/", "/mcp"} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource"+path, nil))
			if want := `"resource":"https://h.example` + path + `",`; !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
			}
		}
	})
	bare := serve(t, oauth2.Config{Sources: []oauth2.Source{tokens()}})
	if got := bare.ask("GET", "/.well-known/oauth-protected-resource/mcp",
		""); got.body != `{"resource":"https://api.example/mcp","bearer_methods_supported":["header"]}`+"\n" {
		t.Errorf("empty lists: %s", got.body)
	}
	mux := http.NewServeMux()
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	a.Register(mux)
	if w := httptest.NewRecorder(); true {
		mux.ServeHTTP(w, httptest.NewRequest("GET", a.MetadataURL(), nil))
		if w.Code != 200 {
			t.Errorf("got status %d, want 200", w.Code)
		}
	}
}

func TestAConfigurationThatCannotBeRightIsAnError(t *testing.T) {
	for says, change := range map[string]func(*oauth2.Config){
		"Resource is missing":     func(c *oauth2.Config) { c.Resource = "" },
		"no URL with a host":      func(c *oauth2.Config) { c.Resource = "/api" },
		"without user":            func(c *oauth2.Config) { c.Resource = "https://u@a.example/" },
		"fragment":                func(c *oauth2.Config) { c.Resource = "https://a.example/#x" },
		"must be https, or http":  func(c *oauth2.Config) { c.Resource = "http://a.example/" },
		"an Audience is empty":    func(c *oauth2.Config) { c.Audience = []string{""} },
		"Sources is empty":        func(c *oauth2.Config) { c.Sources = nil },
		"one is nil":              func(c *oauth2.Config) { c.Sources = []oauth2.Source{nil} },
		"LoadUser or User":        func(c *oauth2.Config) { c.LoadUser = nil },
		"either Config.LoadUser":  func(c *oauth2.Config) { c.User = oauth2.SubjectUser },
		"an authorization server": func(c *oauth2.Config) { c.AuthorizationServers = []string{"login"} },
		"is not a scope":          func(c *oauth2.Config) { c.ScopesSupported = []string{"a b"} },
		"offline_access":          func(c *oauth2.Config) { c.ScopesSupported = []string{"offline_access"} },
	} {
		if _, err := oauth2.New(oauth2.Config{Resource: "http://a.example/", InsecureHTTP: true,
			AuthorizationServers: []string{"http://b.example"}, Sources: []oauth2.Source{tokens()},
			LoadUser: load}); err != nil {
			t.Error(err)
		}
		c := oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()}, LoadUser: load}
		change(&c)
		if _, err := oauth2.New(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestTheFirstSourceThatKnowsATokenDecides(t *testing.T) {
	a, err := oauth2.New(
		oauth2.Config{Resource: resource, Sources: []oauth2.Source{source{"a": good(), "b": bad(auth.ErrInvalid)},
			source{"b": good(), "c": good()}}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	for token, kind := range map[string]error{"a": nil, "b": auth.ErrInvalid, "c": nil, "d": auth.ErrUnrecognized} {
		if _, _, err := a.VerifyToken(t.Context(), token); auth.KindOf(err) != kind {
			t.Errorf("%s: %v", token, err)
		}
	}
}

func TestAScopeIsNeverMoreThanTheTokens(t *testing.T) {
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	_, credential, err := a.VerifyToken(t.Context(), "noscope")
	if err != nil {
		t.Fatal(err)
	}
	if scopes, limited := credential.(auth.Scoped).Scopes(); len(scopes) != 0 || !limited {
		t.Errorf("got the scopes %v, limited %v, want none and true", scopes, limited)
	}
	if err := auth.FullAccess(nil, nil, credential); err == nil {
		t.Error("it is unlimited")
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer good", "access_token=x", "access_token=good")
	f.Add("bearer", "", "access_token=%zz&access_token=")
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()}, LoadUser: load,
		AllowFormToken: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, query, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{header}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		user, credential, err := a.Authenticate(r)
		if (err == nil) != (user != nil && credential != nil) {
			t.Errorf("got %v, %v, error %v, want a user and a credential, or an error", user, credential, err)
		}
		if rest, e := io.ReadAll(r.Body); e != nil || string(rest) != body {
			t.Errorf("the body is %q", rest)
		}
	})
}

func TestUnitEveryNameOfThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"app.localhost:8000": true, "localhost.:8000": true, "localhost": true, "127.1.2.3:8000": true,
		"[::1]:8000":        true,
		"localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "127.0.0.1.example": false,
	} {
		t.Run("the resource at "+host, func(t *testing.T) {
			_, err := oauth2.New(oauth2.Config{Resource: "http://" + host, Sources: []oauth2.Source{legacy{}},
				User: oauth2.SubjectUser})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "loopback") {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
		t.Run("an endpoint at "+host, func(t *testing.T) {
			_, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: "http://" + host, ClientID: "api",
				ClientSecret: "x"})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "https") {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
	}
}

func TestUnitALongTokenIsAskedAboutWhereTheSettingsAllowIt(t *testing.T) {
	server := authtest.NewIntrospector(t)
	long := strings.Repeat("a", 11<<10)
	server.Set(long, map[string]any{"active": true, "sub": "alice", "aud": "https://api.example", "scope": "read"})
	for sentence, row := range map[string]struct{ header, token, want int }{
		"by default it is malformed":                   {0, 0, http.StatusBadRequest},
		"with both settings it passes":                 {16 << 10, 16 << 10, http.StatusOK},
		"with that of the Guard alone it is not known": {16 << 10, 0, http.StatusUnauthorized},
	} {
		t.Run(sentence, func(t *testing.T) {
			source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: server.Endpoint(),
				ClientID:     "api",
				ClientSecret: "secret", Limits: oauth2.IntrospectionLimits{MaxLength: row.token}})
			if err != nil {
				t.Fatal(err)
			}
			resource, err := oauth2.New(oauth2.Config{Resource: "https://api.example", Sources: []oauth2.Source{source},
				User: oauth2.SubjectUser})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{resource}, MaxAuthorization: row.header})
			if err != nil {
				t.Fatal(err)
			}
			done := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			api := httptest.NewServer(guard.Require(auth.Scopes("read"))(done))
			defer api.Close()
			r, err := http.NewRequestWithContext(t.Context(), "GET", api.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+long)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != row.want {
				t.Errorf("want %d, got %d", row.want, resp.StatusCode)
			}
		})
	}
	t.Run("a ceiling out of range is an error", func(t *testing.T) {
		_, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: server.Endpoint(), ClientID: "api",
			ClientSecret: "secret", Limits: oauth2.IntrospectionLimits{MaxLength: 65 << 10}})
		if err == nil || !strings.Contains(err.Error(), "MaxLength") {
			t.Errorf("got %v", err)
		}
	})
}
