package backend_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

func TestUnitAFailureIsOneLineAndOneEvent(t *testing.T) {
	var text bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&text, nil))
	var seen []auth.Event
	tell := auth.ObserverFunc(func(_ context.Context, e auth.Event) { seen = append(seen, e) })
	report := func(observer auth.Observer, event auth.Event) {
		text.Reset()
		seen = nil
		mux := http.NewServeMux()
		mux.HandleFunc("POST /x/{id}", func(_ http.ResponseWriter, r *http.Request) {
			backend.Events{Observer: observer, Backend: "test"}.Failed(r, logger, event)
		})
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/x/1", nil))
	}
	refused := &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("it has expired")}
	for sentence, observer := range map[string]auth.Observer{"no observer": nil, "another observer": tell,
		"an observer that writes to this logger": auth.SlogObserver(logger)} {
		t.Run(sentence, func(t *testing.T) {
			report(observer, auth.Event{Err: refused, Status: 401})
			if got := strings.Count(text.String(), "\n"); got != 1 {
				t.Errorf("want one line, got %d: %s", got, text.String())
			}
			for _, want := range []string{"level=INFO", `msg="auth failure"`, "backend=test", "client_ip=192.0.2.1",
				`route="POST /x/{id}"`, "status=401", "it has expired"} {
				if !strings.Contains(text.String(), want) {
					t.Errorf("want %s in %s", want, text.String())
				}
			}
		})
	}
	t.Run("an observer of one's own gets the event once", func(t *testing.T) {
		report(tell, auth.Event{Kind: auth.EventReuse, Err: refused, Status: 400})
		if len(seen) != 1 || seen[0].Kind != auth.EventReuse || seen[0].Route != "POST /x/{id}" ||
			seen[0].Time.IsZero() {
			t.Errorf("want one event of reuse, got %+v", seen)
		}
		if !strings.Contains(text.String(), "level=WARN") {
			t.Errorf("want a warning, got %s", text.String())
		}
	})
	t.Run("a request without credentials is no failure", func(t *testing.T) {
		report(tell, auth.Event{Err: auth.ErrNoCredentials, Status: 401})
		if len(seen) != 0 || text.Len() != 0 {
			t.Errorf("want nothing, got %v and %s", seen, text.String())
		}
	})
}
