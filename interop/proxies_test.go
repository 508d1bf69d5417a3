package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

var onLoopback = auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// freePort returns an address of the loopback interface on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// runProxy starts a proxy of the system, and returns once address takes connections.
func runProxy(t *testing.T, address, name string, args ...string) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		skip(t, "no "+name+": run make proxies")
	}
	cmd, log := exec.CommandContext(t.Context(), program, args...), &lines{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			if connection.LocalAddr().String() != address { // TCP connects a port to itself if that is free
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v\n%s", name, err, log)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// recipe returns the block of a language in a page of docs/, with these addresses.
func recipe(t *testing.T, page, language, ask, service string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return strings.NewReplacer("auth.internal:8080", ask, "service.internal:8081", service).Replace(string(found[1]))
}

// asked starts the service that is asked, and the one behind, which tells what it got.
// They return the addresses.
func asked(t *testing.T, proxy auth.AskingProxy, render func(http.ResponseWriter, *http.Request,
	*auth.Problem)) (ask, service string) {
	t.Helper()
	bearer := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		_, token, err := auth.TokenFrom(r, "Bearer")
		switch {
		case err != nil:
			return nil, nil, err
		case token == "throttled":
			return nil, nil, &auth.Error{Kind: auth.ErrThrottled, RetryAfter: time.Minute, Cause: io.EOF}
		case token == "down":
			return nil, nil, io.ErrUnexpectedEOF
		case token != "good":
			return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: io.EOF}
		}
		return authtest.User("alice"), nil, nil
	})
	cookie := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		if c, err := r.Cookie("who"); err == nil {
			return authtest.User(c.Value), ambient{}, nil
		}
		return nil, nil, auth.ErrNoCredentials
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{bearer, cookie}, Proxies: onLoopback,
		Render:     render,
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: proxy}, auth.Open("GET /static/"),
		auth.Route("DELETE /users/{id}", auth.UserIs(func(u auth.User) bool { return u.UserID() == "root" })))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth", h)
	front := httptest.NewServer(mux)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s user=%q access=%q body=%q", r.Method, r.RequestURI,
			strings.Join(r.Header["X-Auth-User"], "|"),
			strings.Join(r.Header["X-Auth-Access"], "|"), body)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(behind.Close)
	return front.Listener.Addr().String(), behind.Listener.Addr().String()
}

type ambient struct{}

func (ambient) Backend() string { return "cookie" }
func (ambient) Ambient() bool   { return true }

type askedRow struct {
	name, method, path string
	header             []string
	status             int
	body               string // of a 200
	answer             string // "Name: value" of the answer
}

// rows are what holds behind every proxy. address is what a browser believes to talk to.
func rows(address string) []askedRow {
	return []askedRow{
		{"a token", "POST", "/x?a=b", []string{"Authorization", "Bearer good"}, 200,
			`POST /x?a=b user="alice" access="full" body="hello"`, ""},
		{"no credentials", "GET", "/x", nil, 401, "", "Www-Authenticate: Bearer"},
		{"a bad token", "GET", "/x", []string{"Authorization", "Bearer bad"}, 401, "", ""},
		{"a forged user", "GET", "/x", []string{"Authorization", "Bearer good", "X-Auth-User", "root",
			"X-Auth-Access", "x"}, 200, `GET /x user="alice" access="full" body="hello"`, ""},
		{"an open route", "GET", "/static/x", nil, 200, `GET /static/x user="" access="" body="hello"`, ""},
		{"an open route with a forged user", "GET", "/static/x", []string{"X-Auth-User", "root", "X-Auth-Access",
			"full"}, 200, `GET /static/x user="" access="" body="hello"`, ""},
		{"a forged question", "GET", "/x", []string{"X-Original-Uri", "/static/x", "X-Forwarded-Uri", "/static/x",
			"X-Original-Method", "GET", "X-Forwarded-Method", "GET"}, 401, "", ""},
		{"a route for others", "DELETE", "/users/7", []string{"Authorization", "Bearer good"}, 403, "", ""},
		{"its other method, forged", "DELETE", "/users/7", []string{"Authorization", "Bearer good",
			"X-Original-Method", "GET", "X-Forwarded-Method", "GET"}, 403, "", ""},
		{"a form of another origin", "POST", "/x", []string{"Cookie", "who=bob", "Origin", "http://evil.example"},
			403, "", ""},
		{"a form of another origin, with its host forged", "POST", "/x", []string{"Cookie", "who=bob", "Origin",
			"http://evil.example", "X-Forwarded-Host", "evil.example"}, 403, "", ""},
		{"a form of one's own", "POST", "/x", []string{"Cookie", "who=bob", "Origin", "http://" + address}, 200,
			`POST /x user="bob" access="limited" body="hello"`, ""},
		{"a link of another origin", "GET", "/x", []string{"Cookie", "who=bob", "Origin", "http://evil.example"},
			200, `GET /x user="bob" access="limited" body="hello"`, ""},
		{"a WebSocket of another origin", "GET", "/x", []string{"Cookie", "who=bob", "Origin", "http://evil.example",
			"Connection", "Upgrade",
			"Upgrade", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"},
			403, "", ""},
	}
}

func check(t *testing.T, address string, all []askedRow) {
	t.Helper()
	for _, row := range all {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), row.method, "http://"+address+row.path,
				strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(row.header); i += 2 {
				r.Header.Set(row.header[i], row.header[i+1])
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != row.status || row.status == 200 && string(body) != row.body {
				t.Errorf("%d %q, want %d %q", response.StatusCode, body, row.status, row.body)
			}
			if name, value, ok := strings.Cut(row.answer, ": "); ok && response.Header.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, response.Header.Get(name), value)
			}
		})
	}
}

func TestNginxAsks(t *testing.T) {
	t.Parallel()
	ask, service := asked(t, auth.AskingNginx, nil)
	address, dir := freePort(t), t.TempDir()
	config := write(t, "nginx.conf",
		"daemon off; master_process off; pid "+dir+"/pid; error_log stderr;\nevents {}\nhttp { access_log off;\n"+
			"client_body_temp_path "+dir+"/a; proxy_temp_path "+dir+"/b; fastcgi_temp_path "+dir+"/c"+
			"; uwsgi_temp_path "+dir+"/d; scgi_temp_path "+dir+"/e;\n"+
			"server { listen "+address+";\n"+recipe(t, "forward-auth.md", "nginx", ask, service)+"}}\n")
	runProxy(t, address, "nginx", "-p", dir, "-c", config)
	check(t, address, append(rows(address),
		askedRow{"malformed credentials", "GET", "/x", []string{"Authorization", "Bearer a b"}, 401, "", ""},
		askedRow{"too many tries", "GET", "/x", []string{"Authorization", "Bearer throttled"}, 429, "",
			"Retry-After: 60"},
		askedRow{"an outage", "GET", "/x", []string{"Authorization", "Bearer down"}, 503, "", "Retry-After: 5"},
		askedRow{"a page", "GET", "/x", []string{"Accept", "text/html"}, 303, "", "Location: http://" + address +
			"/login?next=/x"},
		askedRow{"a way into the question", "GET", "/_auth", []string{"Authorization", "Bearer good"}, 404, "", ""}))
}

func TestCaddyAsks(t *testing.T) {
	t.Parallel()
	ask, service := asked(t, auth.AskingCaddy, func(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
		if p.Status == 401 && r.Header.Get("Accept") == "text/html" {
			w.Header().Set("Location", "/login?next="+r.RequestURI)
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		auth.WriteProblem(w, p)
	})
	address := freePort(t)
	_, port, _ := net.SplitHostPort(address)
	config := write(t, "Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\nhttp://:"+port+" {\nbind 127.0.0.1\n"+
		recipe(t, "forward-auth.md", "caddyfile", ask, service)+"}\n")
	runProxy(t, address, "caddy", "run", "--config", config, "--adapter", "caddyfile")
	check(t, address, append(rows(address),
		askedRow{"malformed credentials", "GET", "/x", []string{"Authorization", "Bearer a b"}, 400, "", ""},
		askedRow{"too many tries", "GET", "/x", []string{"Authorization", "Bearer throttled"}, 429, "",
			"Retry-After: 60"},
		askedRow{"an outage", "GET", "/x", []string{"Authorization", "Bearer down"}, 503, "", "Retry-After: 5"},
		askedRow{"a page", "GET", "/x", []string{"Accept", "text/html"}, 303, "", "Location: /login?next=/x"}))
}
