package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/sqlstore"
)

// members sends JSON and returns the members of the answer.
func (p *program) members(status int, path string, body map[string]string) map[string]any {
	p.t.Helper()
	text, _ := json.Marshal(body)
	got, answer := p.do("POST", "/api/token/"+path, "", string(text))
	var members map[string]any
	if err := json.Unmarshal([]byte(answer), &members); got != status || err != nil {
		p.t.Fatalf("%s: %d %s, want %d", path, got, answer, status)
	}
	return members
}

// pair is an access and a refresh token.
type pair struct{ access, refresh string }

func (p *program) pair(credentials string) pair {
	p.t.Helper()
	user, password, _ := strings.Cut(credentials, ":")
	return pairOf(p.members(200, "", map[string]string{"username": user, "password": password}))
}

func pairOf(members map[string]any) pair {
	return pair{members["access"].(string), members["refresh"].(string)}
}

func (p *program) refresh(status int, token string) map[string]any {
	p.t.Helper()
	return p.members(status, "refresh/", map[string]string{"refresh": token})
}

func TestAPairIsObtainedUsedRefreshedAndEnded(t *testing.T) {
	p := launch(t, "-db", "memory:")
	first := p.pair(alice)
	status, text := p.do("GET", "/api/me", "Bearer "+first.access, "")
	if status != 200 || !strings.Contains(text, `"user":"alice"`) || !strings.Contains(text, `"backend":"jwt"`) ||
		strings.Contains(text, "scopes") {
		t.Errorf("do: got %d, %s, want status 200 and %q in it and %q in it and no \"scopes\"", status, text,
			`"user":"alice"`, `"backend":"jwt"`)
	}
	p.want(200, "POST", "/api/reports", "bearer "+first.access)
	p.want(401, "GET", "/api/me", "Bearer "+first.refresh)
	p.want(401, "GET", "/api/me", "Token "+first.access)
	second := pairOf(p.refresh(200, first.refresh))
	p.want(200, "GET", "/api/me", "Bearer "+second.access)
	for _, token := range []string{second.access, second.refresh} {
		p.members(200, "verify/", map[string]string{"token": token})
	}
	if answer := p.refresh(401, first.refresh); answer["code"] != "token_not_valid" ||
		answer["detail"] != "Token is blacklisted" {
		t.Errorf("refresh: got %v, want code token_not_valid and detail \"Token is blacklisted\"", answer)
	}
	p.refresh(401, second.refresh) // the family is dead
	p.want(401, "GET", "/api/me", "Bearer "+second.access)
	p.members(401, "verify/", map[string]string{"token": second.access})

	third, other := p.pair(alice), p.pair(alice)
	p.members(200, "blacklist/", map[string]string{"refresh": third.refresh})
	p.members(401, "blacklist/", map[string]string{"refresh": third.refresh})
	p.want(401, "GET", "/api/me", "Bearer "+third.access)
	p.want(200, "GET", "/api/me", "Bearer "+other.access)
	p.want(204, "POST", "/api/token/logoutall/", "Bearer "+other.access)
	p.want(401, "GET", "/api/me", "Bearer "+other.access)

	sliding := p.members(200, "sliding/",
		map[string]string{"username": "alice", "password": "correct-horse-battery"})["token"].(string)
	p.want(200, "GET", "/api/me", "Bearer "+sliding)
	next := p.members(200, "sliding/refresh/", map[string]string{"token": sliding})["token"].(string)
	p.want(200, "GET", "/api/me", "Bearer "+next)
	p.want(401, "GET", "/api/me", "Bearer "+sliding)
	p.members(401, "", map[string]string{"username": "carol", "password": "closed-account-99"})
}

func TestOf32RefreshesAtOnceOneSucceedsAtMost(t *testing.T) {
	for _, db := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "demo.db")} {
		p := launch(t, "-db", db)
		login := p.pair(alice)
		var good atomic.Int32
		var group sync.WaitGroup
		for range 32 {
			group.Go(func() {
				switch status, text := p.do("POST", "/api/token/refresh/", "",
					`{"refresh":"`+login.refresh+`"}`); status {
				case 200:
					good.Add(1)
				case 401:
				default:
					t.Errorf("refresh with %s: got status %d, %s, want 200 or 401", db, status, text)
				}
			})
		}
		group.Wait()
		if good.Load() > 1 {
			t.Errorf("%s: %d succeeded", db, good.Load())
		}
		p.want(401, "GET", "/api/me", "Bearer "+login.access)
	}
}

func TestADisabledUsersJWTIsOutAtOnceAndAChangedPasswordEndsOthers(t *testing.T) {
	p := launch(t, "-db", "memory:")
	login := p.pair(bob)
	p.want(204, "POST", "/api/users/bob/disable", admin)
	p.want(401, "GET", "/api/me", "Bearer "+login.access)
	p.refresh(401, login.refresh)
	p.want(204, "POST", "/api/users/bob/enable", admin)
	p.want(200, "GET", "/api/me", "Bearer "+login.access)
	login = pairOf(p.refresh(200, login.refresh))

	browser := p.signIn(bob)
	if rows := browser.devices(); len(rows) != 2 {
		t.Errorf("%d devices, want the browser and the login", len(rows))
	}
	if got := browser.post("/session/password", map[string][]string{"old": {"staple-tractor-lamp"},
		"new": {"a lamp, a ladder and rain"}}); got.status != 303 {
		t.Fatalf("post: got %d, %s, want status 303", got.status, got.body)
	}
	p.want(401, "GET", "/api/me", "Bearer "+login.access)
	p.refresh(401, login.refresh)
	browser.want(200, "bob")
}

func TestALoginByJWTIsEndedOnTheDevicesPage(t *testing.T) {
	p := launch(t, "-db", "memory:")
	login, browser := p.pair(alice), p.signIn(alice)
	for _, row := range browser.devices() {
		if row.form.Get("kind") == "login" {
			browser.post("/devices", row.form)
		}
	}
	p.want(401, "GET", "/api/me", "Bearer "+login.access)
	p.refresh(401, login.refresh)
	login = p.pair(alice)
	browser.post("/devices", map[string][]string{"kind": {"others"}})
	p.want(401, "GET", "/api/me", "Bearer "+login.access)
	browser.want(200, "alice")
}

func TestPairsAndKeysOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	db := "sqlite:" + filepath.Join(dir, "demo.db")
	args := []string{"-db", db, "-issuer", "https://demo.example/"}
	p := launch(t, args...)
	login := p.pair(alice)
	_, keys := p.do("GET", "/.well-known/jwks.json", "", "")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.stop(signal)
		p = launch(t, args...)
		p.want(200, "GET", "/api/me", "Bearer "+login.access)
		login = pairOf(p.refresh(200, login.refresh))
		if _, again := p.do("GET", "/.well-known/jwks.json", "", ""); again != keys {
			t.Errorf("other keys: %s", again)
		}
	}
	p.stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(dir, "demo.db.key")); err != nil {
		t.Fatal(err)
	}
	if text := refuses(t, args...); !strings.Contains(text, "opens the key") {
		t.Errorf("with another application key: %s", text)
	}
}

func TestTheIssuersNameIsThatOfTheFlag(t *testing.T) {
	p := launch(t, "-db", "memory:", "-issuer", "https://demo.example", "-jwt-access-ttl", "48h")
	local := launch(t, "-db", "memory:")
	for program, issuer := range map[*program]string{p: "https://demo.example", local: local.url} {
		claims := claimsOf(t, program.pair(alice).access)
		if claims["iss"] != issuer+"/api/token" || claims["aud"] != issuer {
			t.Errorf("claimsOf: got %v, want iss %v and aud %v", claims, issuer+"/api/token", issuer)
		}
		want := map[string]float64{"https://demo.example": 48 * 3600, local.url: 300}[issuer]
		if life := claims["exp"].(float64) - claims["iat"].(float64); life != want {
			t.Errorf("lives %v s, want %v", life, want)
		}
	}
	p.want(401, "GET", "/api/me", "Bearer "+local.pair(alice).access)
	for _, issuer := range []string{"demo.example", "ftp://demo.example", "https://demo.example?x", "https://"} {
		refuses(t, "-db", "memory:", "-issuer", issuer)
	}
}

// claimsOf and headerOf read what a token says; they prove nothing.
func claimsOf(t *testing.T, token string) map[string]any { return partOf(t, token, 1) }
func headerOf(t *testing.T, token string) map[string]any { return partOf(t, token, 0) }

func partOf(t *testing.T, token string, i int) (members map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		t.Fatal(err)
	}
	return members
}

func TestNoRequestFailsWhileKeysAreReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	p := launch(t, "-db", "sqlite:"+path)
	login := p.pair(alice)

	// Another instance of the service, on the same file and key.
	ctx := t.Context()
	db, err := sqlstore.OpenSQLite(ctx, "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.JWTKeys(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	logins, err := sqlstore.JWT(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := applicationKeys(path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := jwt.NewKeyring(ctx, jwt.KeyringConfig{Store: store, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	us := &sqlUsers{db.Reader(), db.Update, database.SQLite}
	other, err := jwt.New(jwt.Config{Issuer: p.url + "/api/token", Audience: []string{p.url}, Keys: ring, Store: logins,
		LoadUser: newUsers(us).load})
	if err != nil {
		t.Fatal(err)
	}

	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		requests := 0
		defer func() { ended <- requests }()
		for {
			select {
			case <-stop:
				return
			default:
				p.want(200, "GET", "/api/me", "Bearer "+login.access)
				requests++
			}
		}
	}()
	for range 3 {
		if err := ring.Rotate(ctx, time.Now(), jwt.ES256); err != nil {
			t.Fatal(err)
		}
		infos, err := ring.List(ctx, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		newest := infos[len(infos)-1].ID
		if err := ring.Promote(ctx, newest, time.Now()); err != nil {
			t.Fatal(err)
		}
		issued, err := other.Issue(ctx, "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if header := headerOf(t, issued.Access.Reveal()); header["kid"] != newest {
			t.Errorf("signed by %v, want %s", header, newest)
		}
		// The demo has never seen this key; it asks its store, every 5 seconds.
		deadline := time.Now().Add(20 * time.Second)
		for {
			if status, _ := p.do("GET", "/api/me", "Bearer "+issued.Access.Reveal(), ""); status == 200 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("a new key is never found")
			}
		}
		login2 := pairOf(p.refresh(200, issued.Refresh.Reveal()))
		p.want(200, "GET", "/api/me", "Bearer "+login2.access)
	}
	close(stop)
	if requests := <-ended; requests < 10 {
		t.Errorf("%d requests only", requests)
	}
	p.refresh(200, login.refresh) // signed by a key that signs no more
}
