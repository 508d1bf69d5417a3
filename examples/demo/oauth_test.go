package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// application is a client of the authorization server, and how it asks.
type application struct {
	id, secret, redirect, verifier string
}

func newApplication(id, secret string) *application {
	return &application{id, secret, "http://127.0.0.1/callback", rand.Text() + rand.Text()}
}

// at is where it sends browsers; pairs are further parameters.
func (a *application) at(scope string, pairs ...string) string {
	sum := sha256.Sum256([]byte(a.verifier))
	query := url.Values{"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.redirect}, "scope": {scope},
		"state":          {"xyz"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return "/o/authorize/?" + query.Encode()
}

// authorize lets an application in, and returns the code.
func (v *visitor) authorize(a *application, scope string) string {
	v.t.Helper()
	page := v.get(a.at(scope))
	if page.status == 200 {
		form := url.Values{"allow": {"Allow"}}
		for _, input := range inputPattern.FindAllStringSubmatch(page.body, -1) {
			form.Set(input[1], html.UnescapeString(input[2]))
		}
		page = v.post("/o/authorize/", form)
	}
	back, err := url.Parse(page.header.Get("Location"))
	if err != nil || page.status != 303 || back.Query().Get("state") != "xyz" || back.Query().Get("code") == "" {
		v.t.Fatalf("authorize: %d %s %s", page.status, page.header.Get("Location"), page.body)
	}
	return back.Query().Get("code")
}

// granted is an answer of the token endpoint.
type granted struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string
}

// token asks the token endpoint as an application.
func (p *program) token(status int, a *application, pairs ...string) (g granted) {
	p.t.Helper()
	form := url.Values{"client_id": {a.id}}
	if a.secret != "" {
		form.Set("client_secret", a.secret)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	answer, err := http.PostForm(p.url+"/o/token/", form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&g); err != nil || answer.StatusCode != status {
		p.t.Fatalf("token %v: %d %+v, want %d", pairs, answer.StatusCode, g, status)
	}
	return g
}

func (p *program) redeem(status int, a *application, code string) granted {
	p.t.Helper()
	return p.token(status, a, "grant_type", "authorization_code", "code", code, "redirect_uri", a.redirect,
		"code_verifier", a.verifier)
}

func (p *program) renew(status int, a *application, refresh string) granted {
	p.t.Helper()
	return p.token(status, a, "grant_type", "refresh_token", "refresh_token", refresh)
}

// freePort is an address that nobody serves now: what is issued names it, so a
// program that starts again must serve the same.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// registered reads an identifier or a secret from a page.
func registered(page, id string) string {
	m := regexp.MustCompile(`<code id="` + id + `">([^<]*)</code>`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestTheTutorialOfDjangoOAuthToolkitWithAKillBetweenAllSteps(t *testing.T) {
	args := []string{"-db", "sqlite:" + filepath.Join(t.TempDir(), "demo.db"), "-addr", freePort(t)}
	p := launch(t, args...)
	kill := func() {
		t.Helper()
		p.stop(syscall.SIGKILL)
		p = launch(t, args...)
	}
	visitorOf := func(v *visitor) *visitor { return &visitor{t, p, v.cookies, v.headers} }

	bob := p.signIn(bob)
	page := bob.post("/o/applications/register/", url.Values{"name": {"Tutorial"}, "client_type": {"confidential"},
		"authorization_grant_type": {"authorization-code"},
		"redirect_uris":            {"http://127.0.0.1/callback http://127.0.0.1:8000/callback"}})
	app := newApplication(registered(page.body, "client_id"), registered(page.body, "client_secret"))
	if page.status != 200 || app.id == "" || app.secret == "" {
		t.Fatalf("register: %d %s", page.status, page.body)
	}
	kill()
	if page := visitorOf(bob).get("/o/applications/" + app.id + "/"); page.status != 200 ||
		strings.Contains(page.body, app.secret) {
		t.Errorf("the secret is shown again: %d", page.status)
	}
	alice := p.signIn(alice)
	kill()
	code := visitorOf(alice).authorize(app, "openid reports:read")
	kill()
	first := p.redeem(200, app, code)
	kill()
	if status, text := p.do("GET", "/api/me", "Bearer "+first.Access, ""); status != 200 ||
		strings.TrimSpace(
			text) != `{"user":"alice","backend":"oauth2","scopes":["openid","reports:read"],"client":"`+app.id+`"}` {
		t.Errorf("/api/me: %d %s", status, text)
	}
	p.want(200, "GET", "/api/reports", "Bearer "+first.Access)
	p.want(403, "POST", "/api/reports", "Bearer "+first.Access)
	second := p.renew(200, app, first.Refresh)
	kill()
	p.want(200, "GET", "/api/me", "Bearer "+second.Access)
	if replay := p.renew(400, app, first.Refresh); replay.Error != "invalid_grant" {
		t.Errorf("replay: %+v", replay)
	}
	kill()
	p.want(401, "GET", "/api/me", "Bearer "+second.Access)
	p.renew(400, app, second.Refresh)

	code = visitorOf(alice).authorize(app, "reports:read")
	third := p.redeem(200, app, code)
	kill()
	p.redeem(400, app, code)
	kill()
	p.want(401, "GET", "/api/me", "Bearer "+third.Access)

	fourth := p.redeem(200, app, visitorOf(alice).authorize(app, "reports:read"))
	list := visitorOf(alice).get("/o/authorized_tokens/")
	if !strings.Contains(list.body, "Tutorial") {
		t.Errorf("the application is not listed: %d %s", list.status, list.body)
	}
	kill()
	if got := visitorOf(alice).post("/o/authorized_tokens/"+app.id+"/delete/", nil); got.status != 303 {
		t.Errorf("withdraw: %d %s", got.status, got.body)
	}
	kill()
	p.want(401, "GET", "/api/me", "Bearer "+fourth.Access)
	p.renew(400, app, fourth.Refresh)

	fifth := p.redeem(200, app, visitorOf(bob).authorize(app, "reports:read"))
	p.want(204, "POST", "/api/users/bob/disable", admin)
	kill()
	p.want(401, "GET", "/api/me", "Bearer "+fifth.Access)
	p.renew(400, app, fifth.Refresh)
}

func TestOf32RedemptionsAtOnceNothingIsLeft(t *testing.T) {
	p := launch(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "demo.db"))
	app := newApplication("demo-web", "demo-web-secret")
	code := p.signIn(alice).authorize(app, "reports:read")
	form := url.Values{"client_id": {app.id}, "client_secret": {app.secret}, "grant_type": {"authorization_code"},
		"code":         {code},
		"redirect_uri": {app.redirect}, "code_verifier": {app.verifier}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var issued []string
	start := make(chan struct{})
	for range 32 {
		wg.Go(func() {
			<-start
			answer, err := http.PostForm(p.url+"/o/token/", form)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			var g granted
			if err := json.NewDecoder(answer.Body).Decode(&g); err != nil || answer.StatusCode != 200 &&
				answer.StatusCode != 400 {
				t.Errorf("token endpoint: got status %d, error %v, want JSON with status 200 or 400", answer.StatusCode,
					err)
			}
			if answer.StatusCode == 200 {
				mu.Lock()
				defer mu.Unlock()
				issued = append(issued, g.Access)
			}
		})
	}
	close(start)
	wg.Wait()
	if len(issued) > 1 {
		t.Errorf("%d redemptions succeeded", len(issued))
	}
	for _, token := range issued {
		p.want(401, "GET", "/api/me", "Bearer "+token)
	}
}

func TestSigningOutEndsWhatWasGrantedInTheSessionButNotOfflineAccess(t *testing.T) {
	p := launch(t, "-db", "memory:")
	app := newApplication("demo-web", "demo-web-secret")
	v := p.signIn(alice)
	online, offline := p.redeem(200, app, v.authorize(app, "openid reports:read")), p.redeem(200, app,
		v.authorize(app, "openid offline_access reports:read"))
	if got := v.post("/session/logout", nil); got.status != 303 {
		t.Fatalf("logout: %d", got.status)
	}
	p.want(401, "GET", "/api/me", "Bearer "+online.Access)
	p.want(200, "GET", "/api/me", "Bearer "+offline.Access)
	p.renew(200, app, offline.Refresh)
}

func TestASessionThatIsEndedFromAnotherDeviceTakesWhatWasGrantedInIt(t *testing.T) {
	p := launch(t, "-db", "memory:")
	app := newApplication("demo-web", "demo-web-secret")
	lost, here := p.signIn(alice), p.signIn(alice)
	gone, kept := p.redeem(200, app, lost.authorize(app, "reports:read")), p.redeem(200, app,
		here.authorize(app, "reports:read"))
	for _, row := range here.devices() {
		if !row.current {
			here.post("/devices", row.form)
		}
	}
	p.want(401, "GET", "/api/me", "Bearer "+gone.Access)
	p.want(200, "GET", "/api/me", "Bearer "+kept.Access)
	third := p.redeem(200, app, p.signIn(alice).authorize(app, "reports:read"))
	here.post("/devices", url.Values{"kind": {"others"}})
	p.want(401, "GET", "/api/me", "Bearer "+third.Access)
	p.want(200, "GET", "/api/me", "Bearer "+kept.Access)
	if got := here.post("/session/logoutall", nil); got.status != 303 && got.status != 204 {
		t.Fatalf("logoutall: %d", got.status)
	}
	p.want(401, "GET", "/api/me", "Bearer "+kept.Access)
}

func TestUnitSessionsTakeTheirGrants(t *testing.T) {
	p := launch(t, "-db", "memory:")
	app := newApplication("demo-web", "demo-web-secret")
	t.Run("a session that a program ends by its identifier", func(t *testing.T) {
		lost, here := p.signIn(bob), p.signIn(bob)
		gone, kept := p.redeem(200, app, lost.authorize(app, "reports:read")), p.redeem(200, app,
			here.authorize(app, "reports:read"))
		ended := 0
		for _, row := range here.devices() {
			if !row.current && row.form.Get("kind") == "session" {
				ended++
				if got := here.send("DELETE", "/session/sessions/"+row.form.Get("id"), "", ""); got.status != 204 {
					t.Fatalf("got %d %s", got.status, got.body)
				}
			}
		}
		if ended != 1 {
			t.Fatalf("got %d other sessions, want 1", ended)
		}
		p.want(401, "GET", "/api/me", "Bearer "+gone.Access)
		p.renew(400, app, gone.Refresh)
		p.want(200, "GET", "/api/me", "Bearer "+kept.Access)
	})
	t.Run("a session that the next login in the browser replaces", func(t *testing.T) {
		v := p.signIn(alice)
		gone := p.redeem(200, app, v.authorize(app, "reports:read"))
		if got := v.logIn(bob); got.status != 303 {
			t.Fatalf("got %d", got.status)
		}
		p.want(401, "GET", "/api/me", "Bearer "+gone.Access)
		p.want(200, "GET", "/api/me", "Bearer "+p.redeem(200, app, v.authorize(app, "reports:read")).Access)
	})
	t.Run("all others of one user, and no other user's", func(t *testing.T) {
		here, other, bobs := p.signIn(alice), p.signIn(alice), p.signIn(bob)
		kept, gone := p.redeem(200, app, here.authorize(app, "reports:read")), p.redeem(200, app,
			other.authorize(app, "reports:read"))
		others := p.redeem(200, app, bobs.authorize(app, "reports:read"))
		if got := here.post("/devices", url.Values{"kind": {"others"}}); got.status != 303 {
			t.Fatalf("got %d", got.status)
		}
		p.want(401, "GET", "/api/me", "Bearer "+gone.Access)
		p.want(200, "GET", "/api/me", "Bearer "+kept.Access)
		p.want(200, "GET", "/api/me", "Bearer "+others.Access)
	})
}

func TestAnIssuerOfAnotherMachineByHTTPIsWarnedOf(t *testing.T) {
	p := launch(t, "-db", "memory:", "-issuer", "http://demo.internal:8000")
	if _, text := p.do("GET", "/.well-known/oauth-authorization-server", "", ""); !strings.Contains(
		text, `"token_endpoint":"http://demo.internal:8000/o/token/"`) ||
		!strings.Contains(p.log.text(), "everybody on the way") {
		t.Errorf("metadata: got %s\nlog:\n%s\nwant the token endpoint of the issuer, and a warning about http", text,
			p.log.text())
	}
	token := p.token(200, newApplication("demo-job", "demo-job-secret"), "grant_type", "client_credentials")
	p.want(200, "GET", "/api/me", "Bearer "+token.Access)
}

// A client of a file that is refused now is not what an earlier run stored.
func TestUnitARefusedClientOfAFileIsDisabled(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "clients.json")
	args := []string{"-db", "sqlite:" + filepath.Join(dir, "demo.db"), "-clients", file}
	start := func(member string) *program {
		client := `{"client_id":"x","client_secret":"a-secret-of-24-characters","grant_types":["client_credentials"]` +
			member + `}`
		if err := os.WriteFile(file, []byte("["+client+"]"), 0o600); err != nil {
			t.Fatal(err)
		}
		return launch(t, args...)
	}
	p := start("")
	p.token(200, newApplication("x", "a-secret-of-24-characters"), "grant_type", "client_credentials")
	p.stop(syscall.SIGTERM)
	p = start(`,"dpop_bound_access_tokens":true`)
	p.token(401, newApplication("x", "a-secret-of-24-characters"), "grant_type", "client_credentials")
	if !p.log.has("the client of an earlier run is disabled") {
		t.Errorf("the log has no line about the disabled client of an earlier run:\n%s", p.log.text())
	}
	p.stop(syscall.SIGTERM)
	again := start(`,"dpop_bound_access_tokens":true`)
	if again.log.has("the client of an earlier run is disabled") {
		t.Error("it was disabled before")
	}
}

func TestClientsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clients.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`[{"client_id": "mine", "client_secret": "a-secret-of-24-characters", "client_name": "Mine",
		"grant_types": ["client_credentials"], "scope": "reports:read",
		"token_endpoint_auth_method": "client_secret_post",
		"software_id": "x"},
		{"client_id": "bare", "redirect_uris": ["http://127.0.0.1/callback"]},
		{"client_id": "tv", "redirect_uris": ["http://127.0.0.1/callback"],
			"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]},
		{"client_id": "bound", "redirect_uris": ["http://127.0.0.1/callback"], "dpop_bound_access_tokens": true},
		{"client_id": "keyed", "redirect_uris": ["http://127.0.0.1/callback"],
			"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
		{"client_id": "pairwise", "redirect_uris": ["http://127.0.0.1/callback"], "subject_type": "pairwise"},
		{"client_id": "hs", "redirect_uris": ["http://127.0.0.1/callback"], "id_token_signed_response_alg": "HS256"}]`)
	p := launch(t, "-db", "memory:", "-clients", file)
	for _, want := range []string{"client=mine members=[software_id]", "The member subject_type is not supported",
		"id_token_signed_response_alg"} {
		if !p.log.has(want) {
			t.Errorf("log %s, want %q", p.log.text(), want)
		}
	}
	mine := p.token(200, newApplication("mine", "a-secret-of-24-characters"), "grant_type", "client_credentials")
	p.want(200, "GET", "/api/reports", "Bearer "+mine.Access)
	p.want(403, "POST", "/api/reports", "Bearer "+mine.Access)
	if status, text := p.do("GET", "/api/me", "Bearer "+mine.Access, ""); status != 200 ||
		strings.TrimSpace(text) != `{"user":null,"backend":"oauth2","scopes":["reports:read"],"client":"mine"}` {
		t.Errorf("GET /api/me: got status %d, %s, want 200 and the client without a user", status, text)
	}
	bare := newApplication("bare", "")
	if got := p.redeem(200, bare, p.signIn(alice).authorize(bare, "reports:read")); got.Refresh != "" {
		t.Error("a client without that grant got a refresh token")
	}
	p.signIn(alice).authorize(newApplication("tv", ""), "reports:read")
	for _, id := range []string{"bound", "keyed", "pairwise", "hs"} {
		if got := p.signIn(alice).get(newApplication(id, "").at("reports:read")); got.status != 400 ||
			!strings.Contains(p.log.text(), id) {
			t.Errorf("%s: get: got %d, want status 400 and %q in it", id, got.status, id)
		}
	}
	write(`[{"client_id": "mine", "redirect_uris": ["javascript:alert(1)"]}]`)
	if said := refuses(t, "-db", "memory:", "-clients", file); !strings.Contains(said, `client "mine"`) ||
		!strings.Contains(said, "redirect URI") {
		t.Errorf("refuses: got %v, want %q in it and \"redirect URI\" in it", said, `client "mine"`)
	}
	write(`{`)
	refuses(t, "-db", "memory:", "-clients", file)
	refuses(t, "-db", "memory:", "-clients", file+".not")
}
