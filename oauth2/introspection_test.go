package oauth2_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// login is an authorization server that introspects.
type login struct {
	*testing.T
	*httptest.Server
	asked   atomic.Int32
	answer  atomic.Pointer[func(w http.ResponseWriter, r *http.Request)]
	forms   chan url.Values
	headers chan http.Header
}

func newLogin(t *testing.T) *login {
	l := &login{T: t, forms: make(chan url.Values, 1000), headers: make(chan http.Header, 1000)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		_ = r.ParseForm()
		l.forms <- r.PostForm
		l.headers <- r.Header
		(*l.answer.Load())(w, r)
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q}`, l.URL, l.URL+"/introspect")
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	l.says(200, "application/json", `{"active":false}`)
	return l
}

func (l *login) says(status int, kind, body string) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	l.answer.Store(&answer)
}

// active is an answer about a good token, changed by members.
func (l *login) active(changes ...any) string {
	m := map[string]any{"active": true, "sub": "alice", "client_id": "web", "scope": "read write", "aud": resource,
		"iss": l.URL, "exp": time.Now().Add(time.Hour).Unix(), "username": "Alice"}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(m, changes[i].(string))
		} else {
			m[changes[i].(string)] = changes[i+1]
		}
	}
	text, _ := json.Marshal(m)
	return string(text)
}

func (l *login) source(change func(*oauth2.IntrospectionConfig)) *oauth2.Introspection {
	l.Helper()
	c := oauth2.IntrospectionConfig{Issuer: l.URL, ClientID: "api", ClientSecret: "s:e c",
		Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	source, err := oauth2.NewIntrospection(c)
	if err != nil {
		l.Fatal(err)
	}
	return source
}

func TestAskingTheServerAboutAToken(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json;charset=utf-8", l.active("iat", 100.5, "auth_time", 200, "amr", []string{"pwd"},
		"acr", "high", "jti", "x", "aud", []string{"a", resource}, "extra", map[string]any{"a": 1}))
	token, err := l.source(nil).Inspect(t.Context(), "tok+en/=")
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "alice" || token.ClientID != "web" || fmt.Sprint(token.Scope) != "[read write]" ||
		fmt.Sprint(token.Audience) != "[a "+resource+"]" || token.Username != "Alice" || token.ID != "x" ||
		token.IssuedAt.Unix() != 100 || token.Auth.AuthTime.Unix() != 200 || token.Auth.ACR != "high" ||
		token.Claims["extra"] == nil || token.Issuer != l.URL {
		t.Errorf("got the token %+v, want each member of the response in its field", token)
	}
	form, header := <-l.forms, <-l.headers
	r := &http.Request{Header: header}
	if id, secret, _ := r.BasicAuth(); form.Get("token") != "tok+en/=" ||
		form.Get("token_type_hint") != "access_token" || id != "api" || secret != "s%3Ae+c" ||
		form.Get("client_secret") != "" {
		t.Errorf("got the form %v and the header %v, want the token, its hint and the client by Basic", form, header)
	}
}

func TestAskingWithAKey(t *testing.T) {
	l := newLogin(t)
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	source := l.source(func(c *oauth2.IntrospectionConfig) { c.ClientSecret, c.Key = "", key })
	if _, err := source.Inspect(t.Context(), "x"); auth.KindOf(err) != auth.ErrInvalid {
		t.Fatal(err)
	}
	form, header := <-l.forms, <-l.headers
	set, err := jwt.NewKeySet(nil, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	_, claims, err := jwt.Open(set, form.Get("client_assertion"))
	var c struct {
		Iss, Sub, Aud, Jti string
		Exp, Iat           int64
	}
	if err == nil {
		err = json.Unmarshal(claims, &c)
	}
	if err != nil || c.Iss != "api" || c.Sub != "api" || c.Aud != l.URL || c.Jti == "" || c.Exp-c.Iat != 60 ||
		header.Get("Authorization") != "" ||
		form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
		form.Get("client_id") != "api" {
		t.Errorf("got the assertion %s, error %v, form %v, header %v, want an assertion of the client",
			claims, err, form, header)
	}
}

func TestAnAnswerOfYesIsRememberedUntilTheTokenExpires(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json", l.active("exp", time.Now().Add(2*time.Second).Unix()))
	source := l.source(nil)
	first, err := source.Inspect(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := source.Inspect(t.Context(), "x"); err != nil || again != first {
			t.Fatalf("got %v, error %v, want the token that is remembered", again, err)
		}
	}
	if l.asked.Load() != 1 {
		t.Errorf("asked %d times", l.asked.Load())
	}
	// What is remembered is good no longer than the token, whatever the clock of a
	// request says.
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{expired{source}}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.VerifyToken(t.Context(), "x"); auth.KindOf(err) != auth.ErrInvalid {
		t.Error(err)
	}
	never := l.source(func(c *oauth2.IntrospectionConfig) { c.Cache.TTL = -1 })
	for range 2 {
		if _, err := never.Inspect(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	}
	if l.asked.Load() != 3 {
		t.Errorf("asked %d times", l.asked.Load())
	}
}

// expired is a source of tokens that have just expired.
type expired struct{ oauth2.Source }

func (e expired) Inspect(ctx context.Context, token string) (*oauth2.Token, error) {
	found, err := e.Source.Inspect(ctx, token)
	if err != nil {
		return nil, err
	}
	over := *found
	over.Expiry = time.Now()
	return &over, nil
}

func TestAnAnswerOfNoIsRememberedToo(t *testing.T) {
	l := newLogin(t)
	source := l.source(nil)
	for range 3 {
		if _, err := source.Inspect(t.Context(), "x"); auth.KindOf(err) != auth.ErrInvalid {
			t.Error(err)
		}
	}
	never := l.source(func(c *oauth2.IntrospectionConfig) { c.Cache.NegativeTTL = -1 })
	for range 2 {
		_, _ = never.Inspect(t.Context(), "x")
	}
	if l.asked.Load() != 3 {
		t.Errorf("asked %d times", l.asked.Load())
	}
	if _, err := source.Inspect(t.Context(), strings.Repeat("x", 9000)); auth.KindOf(err) != auth.ErrUnrecognized ||
		l.asked.Load() != 3 {
		t.Errorf("a very long token: %v", err)
	}
	ours := l.source(func(c *oauth2.IntrospectionConfig) {
		c.Owns = func(token string) bool { return strings.HasPrefix(token, "at_") }
	})
	if _, err := ours.Inspect(t.Context(), "x"); auth.KindOf(err) != auth.ErrUnrecognized || l.asked.Load() != 3 {
		t.Errorf("another's token: %v", err)
	}
}

func TestWhatIsNotGoodByTheAnswerIsInvalid(t *testing.T) {
	l := newLogin(t)
	for sentence, answer := range map[string]string{
		"not active":   `{"active":false,"sub":"alice"}`,
		"another name": `{"active":false,"ACTIVE":true,"sub":"alice"}`,
		"expired":      l.active("exp", time.Now().Unix()),
		"not yet good": l.active("nbf", time.Now().Add(time.Minute).Unix()),
	} {
		l.says(200, "application/json", answer)
		if _, err := l.source(nil).Inspect(t.Context(), "x"); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	l.says(200, "application/json", l.active("aud", "https://other.example/"))
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{l.source(nil)}})
	a.want("for another API", a.ask("GET", "/", "", "Authorization", "Bearer x"), 401, invalid)
	l.says(200, "application/json", l.active("cnf", map[string]any{"jkt": "x"}))
	b := serve(t, oauth2.Config{Sources: []oauth2.Source{l.source(nil)}})
	b.want("bound to a key", b.ask("GET", "/", "", "Authorization", "Bearer x"), 401, invalid)
}

func TestTheNameOfAMemberIsExact(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json", `{"active":true,"aud":"x","sub":"alice","Sub":"admin","\u017fub":"admin"}`)
	token, err := l.source(nil).Inspect(t.Context(), "x")
	if err != nil || token.Subject != "alice" || token.Claims["Sub"] != "admin" {
		t.Errorf("got %+v, error %v, want the user alice and the claim Sub as it is", token, err)
	}
}

func TestALeewayIsOfTheWholeCheck(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	for leeway, want := range map[time.Duration]int{0: 401, time.Minute: 200} {
		source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource},
			Checks: oauth2.JWTChecks{Leeway: leeway}})
		if err != nil {
			t.Fatal(err)
		}
		a := serve(t, oauth2.Config{Sources: []oauth2.Source{source}})
		token := issuer.MintWith(map[string]any{"typ": "at+jwt"}, map[string]any{"aud": resource, "client_id": "web",
			"exp": time.Now().Add(-10 * time.Second).Unix()})
		if got := a.ask("GET", "/", "", "Authorization", "Bearer "+token); got.status != want {
			t.Errorf("%v: %d", leeway, got.status)
		}
	}
}

func TestAnAnswerThatDecidesNothingIs503AndNotRemembered(t *testing.T) {
	l := newLogin(t)
	source := l.source(nil)
	for sentence, row := range map[string]struct {
		status     int
		kind, body string
	}{
		"500":                {500, "application/json", `{"active":false}`},
		"401":                {401, "application/json", `{"active":false}`},
		"404":                {404, "application/json", `{"active":false}`},
		"a page":             {200, "text/html", `{"active":false}`},
		"no JSON":            {200, "application/json", "no"},
		"an array":           {200, "application/json", "[]"},
		"null":               {200, "application/json", "null"},
		"nothing":            {200, "application/json", ""},
		"no active":          {200, "application/json", `{"sub":"alice"}`},
		"active is a string": {200, "application/json", `{"active":"true"}`},
		"active is null":     {200, "application/json", `{"active":null}`},
		"more than 1 MiB":    {200, "application/json", `{"active":true,"x":"` + strings.Repeat("x", 1<<20) + `"}`},
	} {
		before := l.asked.Load()
		l.says(row.status, row.kind, row.body)
		for range 2 {
			if _, err := source.Inspect(t.Context(), "x"); err == nil || auth.KindOf(err) != nil {
				t.Errorf("%s: %v", sentence, err)
			}
		}
		if l.asked.Load() != before+2 {
			t.Errorf("%s: asked %d times", sentence, l.asked.Load()-before)
		}
	}
	l.Close()
	if _, err := l.source(nil).Inspect(t.Context(), "x"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("down: %v", err)
	}
}

func TestRequestsWithOneTokenWaitForOneAnswer(t *testing.T) {
	l := newLogin(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	body := l.active()
	answer := func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
	l.answer.Store(&answer)
	source := l.source(nil)
	gone, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := source.Inspect(gone, "x"); first <- err }()
	<-arrived
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || auth.KindOf(err) != nil {
		t.Errorf("who went away: %v", err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if token, err := source.Inspect(t.Context(), "x"); err != nil || token.Subject != "alice" {
				t.Errorf("got %v, error %v, want the user alice", token, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if l.asked.Load() != 1 {
		t.Errorf("asked %d times", l.asked.Load())
	}
}

func TestASecretIsNotSentElsewhere(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Error("asked elsewhere", r.Header)
	}))
	defer evil.Close()
	l := newLogin(t)
	answer := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL, http.StatusTemporaryRedirect)
	}
	l.answer.Store(&answer)
	if _, err := l.source(nil).Inspect(t.Context(), "x"); err == nil || auth.KindOf(err) != nil {
		t.Error(err)
	}
	text := fmt.Sprintf("%+v", oauth2.IntrospectionConfig{ClientSecret: "s3cret"})
	if strings.Contains(text, "s3cret") {
		t.Errorf("got %s, want it without the secret", text)
	}
}

func TestAnIntrospectionThatCannotBeRightIsAnError(t *testing.T) {
	secret, err := jwt.NewKey(jwt.HS256, []byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string]oauth2.IntrospectionConfig{
		"Issuer or Endpoint":  {ClientID: "api", ClientSecret: "x"},
		"ClientID":            {Issuer: "https://login.example", ClientSecret: "x"},
		"ClientSecret or Key": {Issuer: "https://login.example", ClientID: "api"},
		"asymmetric":          {Issuer: "https://login.example", ClientID: "api", Key: secret},
		"not https":           {Endpoint: "http://login.example/x", ClientID: "api", ClientSecret: "x"},
		"names the client": {Issuer: "https://login.example", ClientID: "api", ClientSecret: "x",
			SubjectMember: "azp"},
		"to everybody": {Issuer: "https://login.example", ClientID: "api", ClientSecret: "x",
			Profile: jwt.Google()},
		"an empty claim": {Issuer: "https://login.example", ClientID: "api", ClientSecret: "x",
			Profile: jwt.Profile{ScopeClaims: []string{""}}},
		"Concurrent": {Issuer: "https://login.example", ClientID: "api", ClientSecret: "x",
			Limits: oauth2.IntrospectionLimits{Concurrent: -1}},
		"negative": {Issuer: "https://login.example", ClientID: "api", ClientSecret: "x",
			HTTP: oauth2.IntrospectionHTTP{Timeout: -1}},
	} {
		if _, err := oauth2.NewIntrospection(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestAJWTOfAnIssuer(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}})
	if err != nil {
		t.Fatal(err)
	}
	a := serve(t, oauth2.Config{Sources: []oauth2.Source{source}, AuthorizationServers: []string{issuer.URL()}}, "read")
	mint := func(changes map[string]any) string {
		claims := map[string]any{"sub": "alice", "aud": resource, "client_id": "web", "scope": "read", "jti": "1",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(claims, changes) // nil leaves one out
		return issuer.MintWith(map[string]any{"typ": "at+jwt"}, claims)
	}
	ours := func() map[string]any { return map[string]any{"aud": resource, "client_id": "web", "scope": "read"} }
	for sentence, row := range map[string]struct {
		token  string
		status int
	}{
		"a good one":             {mint(nil), 200},
		"several audiences":      {mint(map[string]any{"aud": []string{"x", resource}}), 200},
		"another audience":       {mint(map[string]any{"aud": "https://other.example/"}), 401},
		"a prefix of ours":       {mint(map[string]any{"aud": resource[:10]}), 401},
		"an empty audience":      {mint(map[string]any{"aud": []string{}}), 401},
		"no audience":            {mint(map[string]any{"aud": nil}), 401},
		"no subject":             {mint(map[string]any{"sub": nil}), 401},
		"no client":              {mint(map[string]any{"client_id": nil}), 401},
		"no identifier":          {mint(map[string]any{"jti": nil}), 401},
		"no issue":               {mint(map[string]any{"iat": nil}), 401},
		"expired":                {mint(map[string]any{"exp": time.Now().Add(-time.Second).Unix()}), 401},
		"not yet good":           {mint(map[string]any{"nbf": time.Now().Add(time.Minute).Unix()}), 401},
		"issued in the future":   {mint(map[string]any{"iat": time.Now().Add(time.Minute).Unix()}), 401},
		"bound to a key":         {mint(map[string]any{"cnf": map[string]any{"jkt": "x"}}), 401},
		"bound to nothing":       {mint(map[string]any{"cnf": "x"}), 401},
		"typ JWT":                {issuer.MintWith(map[string]any{"typ": "JWT"}, ours()), 401},
		"no typ":                 {issuer.MintWith(map[string]any{"typ": nil}, ours()), 401},
		"typ AT+JWT":             {issuer.MintWith(map[string]any{"typ": "AT+JWT"}, ours()), 200},
		"typ application/at+jwt": {issuer.MintWith(map[string]any{"typ": "application/at+jwt"}, ours()), 200},
		"alg none":               {issuer.MintWith(map[string]any{"alg": "none"}, ours()), 401},
		"alg HS256":              {issuer.MintWith(map[string]any{"alg": "HS256"}, ours()), 401},
		"an unknown crit":        {issuer.MintWith(map[string]any{"crit": []string{"x"}, "x": 1}, ours()), 401},
		"another signature":      {issuer.Forge(ours()), 401},
		"an issuer with a slash": {mint(map[string]any{"iss": issuer.URL() + "/"}), 401},
	} {
		for range 2 { // the second one is remembered
			if got := a.ask("GET", "/", "", "Authorization", "Bearer "+row.token); got.status != row.status ||
				row.status == 401 && got.challenge[:6] != "Bearer" {
				t.Errorf("%s: %d %s", sentence, got.status, got.body)
			}
		}
	}
	for subject, want := range map[string]string{"alice": "alice web oauth2 ", "web": "client:web web oauth2 "} {
		if got := a.ask("GET", "/", "", "Authorization",
			"Bearer "+mint(map[string]any{"sub": subject})); got.body != want {
			t.Errorf("%s: %d %s", subject, got.status, got.body)
		}
	}
	if got := a.ask("GET", "/", "", "Authorization",
		"Bearer "+mint(map[string]any{"scope": "write"})); got.status != 403 {
		t.Errorf("too few scopes: %d", got.status)
	}
	if _, err := source.Inspect(t.Context(), "opaque"); auth.KindOf(err) != auth.ErrUnrecognized {
		t.Error(err)
	}
	issuer.SetDown(true)
	fresh, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Inspect(t.Context(), mint(nil)); err == nil || auth.KindOf(err) != nil ||
		fresh.Check(t.Context()) == nil {
		t.Errorf("keys that cannot be had: %v", err)
	}
}

func TestRequireBearerTokenIsAllInOneCall(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	protect, err := oauth2.RequireBearerToken(issuer.URL(), resource, "read")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[oauth2.Subject](r.Context())
		fmt.Fprint(w, user.ID)
	})))
	defer s.Close()
	a := api{t, s.URL}
	a.want("no token", a.ask("GET", "/", ""), 401, plain+`, scope="read"`)
	if got := a.ask("GET", "/.well-known/oauth-protected-resource/mcp", ""); got.status != 200 ||
		!strings.Contains(got.body, issuer.URL()) || !strings.Contains(got.body, `"scopes_supported":["read"]`) {
		t.Errorf("got %d %s, want 200 with the issuer and the scope", got.status, got.body)
	}
	token := issuer.MintWith(map[string]any{"typ": "at+jwt"}, map[string]any{"sub": "alice", "aud": resource,
		"client_id": "web", "scope": "read", "jti": "1", "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix()})
	if got := a.ask("GET", "/", "", "Authorization", "Bearer "+token); got.status != 200 || got.body != "alice" {
		t.Errorf("got %d %s, want 200 alice", got.status, got.body)
	}
	for _, config := range [][2]string{{"", resource}, {issuer.URL(), ""}, {"login", resource}} {
		if _, err := oauth2.RequireBearerToken(config[0], config[1]); err == nil {
			t.Errorf("got no error for the issuer and resource %q, want one", config)
		}
	}
}
