package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestEveryProofAndRefusalIsOneEvent(t *testing.T) {
	proved := speaking("Token", nil)
	proved.answer = func(*http.Request) (auth.User, auth.Credential, error) {
		return user("alice"), authtest.Credential{TokenID: "t1"}, nil
	}
	origin := speaking("Session", nil)
	origin.ambient = true
	for name, row := range map[string]struct {
		backend *backend
		policy  []auth.Policy
		want    []auth.Event // of which Time, Err, Method and Route are not compared
		kind    error
	}{
		"a proof": {proved, nil,
			[]auth.Event{{Kind: "success", Backend: "token", UserID: "alice", CredentialID: "t1"}}, nil},
		"nothing presented": {speaking("Token", auth.ErrNoCredentials), nil, nil, nil},
		"a bad credential": {speaking("Token", auth.ErrInvalid), nil,
			[]auth.Event{{Kind: "failure", Backend: "token", Status: 401}}, auth.ErrInvalid},
		"an unrecognized one": {speaking("Token", auth.ErrUnrecognized), nil,
			[]auth.Event{{Kind: "failure", Backend: "token", Status: 401}}, auth.ErrUnrecognized},
		"another origin": {origin, nil, []auth.Event{{Kind: "failure", Backend: "session", Status: 403}},
			auth.ErrCrossOrigin},
		"an outage": {speaking("Token", errors.New("down")), nil,
			[]auth.Event{{Kind: "failure", Backend: "token", Status: 503}}, nil},
		"a proof but not enough": {proved, []auth.Policy{auth.Scopes("x")},
			[]auth.Event{{Kind: "success", Backend: "token", UserID: "alice", CredentialID: "t1"},
				{Kind: "failure", Backend: "token", UserID: "alice", Status: 403}}, auth.ErrInsufficient},
	} {
		t.Run(name, func(t *testing.T) {
			var events recorder
			g := newGuard(t, auth.Config{Backends: []auth.Authenticator{row.backend}, Observer: &events,
				Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
			before := time.Now()
			r := request("POST", "/reports", "X-Forwarded-For", "203.0.113.9", "Sec-Fetch-Site", "cross-site")
			inside, outside := http.NewServeMux(), http.NewServeMux()
			inside.Handle("POST /reports", whoami)
			outside.Handle("POST /reports", g.Require(row.policy...)(whoami))
			protected := g.Protect(inside, auth.Route("/reports", row.policy...))
			do(protected, r)
			do(outside, r.Clone(t.Context()))
			got := events.take()
			if len(got) != 2*len(row.want) {
				t.Fatalf("events %v, want twice %v", got, row.want)
			}
			for i, e := range got {
				if e.Time.Before(before) || e.Time.After(time.Now()) {
					t.Errorf("time %v", e.Time)
				}
				if e.ClientIP != netip.MustParseAddr("203.0.113.9") {
					t.Errorf("client %v", e.ClientIP)
				}
				if e.Kind == auth.EventFailure && (e.Err == nil || auth.KindOf(e.Err) != row.kind) {
					t.Errorf("error %v, want of kind %v", e.Err, row.kind)
				}
				if e.Kind == auth.EventSuccess && e.Err != nil {
					t.Errorf("error %v of a success", e.Err)
				}
				if e.Method != "POST" || e.Route != "POST /reports" {
					t.Errorf("method %q and route %q", e.Method, e.Route)
				}
				e.Time, e.Err, e.ClientIP, e.Method, e.Route = time.Time{}, nil, netip.Addr{}, "", ""
				if e != row.want[i%len(row.want)] {
					t.Errorf("event %+v, want %+v", e, row.want[i%len(row.want)])
				}
			}
		})
	}
}

func TestSlogObserverHasALevelForEachKind(t *testing.T) {
	bug := func() error { // as a Guard reports it
		var events recorder
		get(newGuard(t, auth.Config{Backends: []auth.Authenticator{proving(nil)}, Observer: &events}).Require()(whoami))
		return events.take()[0].Err
	}()
	for name, row := range map[string]struct {
		event auth.Event
		level string
	}{
		"success":      {auth.Event{Kind: auth.EventSuccess}, "DEBUG"},
		"a refusal":    {auth.Event{Kind: auth.EventFailure, Err: auth.ErrInvalid}, "INFO"},
		"an outage":    {auth.Event{Kind: auth.EventFailure, Err: errors.New("down")}, "ERROR"},
		"a bug":        {auth.Event{Kind: auth.EventFailure, Err: bug}, "ERROR"},
		"reuse":        {auth.Event{Kind: auth.EventReuse}, "WARN"},
		"a login":      {auth.Event{Kind: auth.EventLogin}, "INFO"},
		"a logout":     {auth.Event{Kind: auth.EventLogout}, "INFO"},
		"an issue":     {auth.Event{Kind: auth.EventIssued}, "INFO"},
		"an expiry":    {auth.Event{Kind: auth.EventExpired}, "INFO"},
		"a refresh":    {auth.Event{Kind: auth.EventRefreshed}, "INFO"},
		"a revocation": {auth.Event{Kind: auth.EventRevoked}, "INFO"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			row.event.Backend, row.event.UserID, row.event.CredentialID = "knox", "alice", "t1"
			row.event.ClientIP = netip.MustParseAddr("203.0.113.9")
			auth.SlogObserver(
				slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))).Observe(
				t.Context(), row.event)
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line["level"] != row.level || line["msg"] != "auth "+string(row.event.Kind) ||
				line["backend"] != "knox" ||
				line["user"] != "alice" || line["credential"] != "t1" || line["client_ip"] != "203.0.113.9" {
				t.Errorf("%s, want level %s", log.String(), row.level)
			}
			if _, has := line["error"]; has != (row.event.Err != nil) {
				t.Errorf("%s", log.String())
			}
		})
	}
}

func TestASecretDoesNotShowItself(t *testing.T) {
	const hidden = "hunter2"
	secret := auth.Secret(hidden)
	holder := struct{ Password auth.Secret }{secret}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%e",
		"%08b", "%10.3s", "%T"} {
		for _, v := range []any{secret, &secret, holder, &holder, []auth.Secret{secret},
			map[string]auth.Secret{"a": secret}, map[auth.Secret]int{secret: 1}} {
			_, _ = fmt.Fprintf(&out, verb, v)
		}
	}
	_, _ = fmt.Fprint(&out, fmt.Sprint(secret), fmt.Sprintln(secret), fmt.Errorf("wrap %v", secret), secret.String(),
		secret.GoString())
	for _, v := range []any{secret, &secret, holder, []auth.Secret{secret}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(text)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("login", "password", secret, "holder", holder, "list", []auth.Secret{secret})
	}
	for _, leak := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden),
		fmt.Sprintf("% x", hidden)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q in %s", leak, out.String())
		}
	}
	if secret.Reveal() != hidden {
		t.Error("Reveal does not")
	}
	var got auth.Secret
	if err := json.Unmarshal([]byte(`"hunter2"`), &got); err != nil || got != secret {
		t.Error("a secret cannot be read", err)
	}
}
