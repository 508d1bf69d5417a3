package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth"
)

// refusing answers every request with an error.
func refusing(err error) *backend { return speaking("Bearer", err) }

func TestAnErrorsExtensionsAreInTheAnswerButNotThoseOfAnOutage(t *testing.T) {
	extensions := map[string]any{"message": "expired", "error": "old"}
	for sentence, row := range map[string]struct {
		err            error
		status         int
		message, error any
	}{
		"a refusal":            {&auth.Error{Kind: auth.ErrInvalid, Extensions: extensions}, 401, "expired", "old"},
		"one without":          {&auth.Error{Kind: auth.ErrInvalid}, 401, nil, nil},
		"an outage":            {&auth.Error{Extensions: extensions, Cause: errors.New("down")}, 503, nil, nil},
		"one that is no Error": {errors.New("down"), 503, nil, nil},
	} {
		guard := guardOf(t, refusing(row.err))
		w := do(guard.Require()(http.NotFoundHandler()), request("GET", "/", "Authorization", "Bearer x"))
		wantStatus(t, w, row.status)
		if member(t, w, "message") != row.message || member(t, w, "error") != row.error {
			t.Errorf("%s: %s", sentence, w.Body)
		}
		w = httptest.NewRecorder()
		guard.RefuseWith(w, request("GET", "/"), row.err, map[string]any{"error": "new"})
		if member(t, w, "message") != row.message || member(t, w, "error") != "new" {
			t.Errorf("%s, with more: %s", sentence, w.Body)
		}
	}
	if extensions["error"] != "old" {
		t.Error("an error that is shared was changed")
	}
}

func TestAGuardThatRewordsSaysItInAllItsAnswers(t *testing.T) {
	plain := guardOf(t, refusing(auth.ErrInvalid))
	reworded := plain.MapProblem(func(_ *http.Request, p *auth.Problem) {
		if auth.KindOf(p.Err) == auth.ErrInvalid {
			p.Status, p.Code, p.Detail, p.Challenges = http.StatusTeapot, "tea", "In other words.", nil
		}
	})
	with, err := reworded.With(refusing(auth.ErrInvalid))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(guard *auth.Guard) *httptest.ResponseRecorder {
		return do(guard.Require()(http.NotFoundHandler()), request("GET", "/", "Authorization", "Bearer x"))
	}
	again := reworded.MapProblem(func(_ *http.Request, p *auth.Problem) { p.Status, p.Code = 500, "other" })
	for sentence, guard := range map[string]*auth.Guard{"itself": reworded, "With others": with,
		"reworded again": again} {
		w := ask(guard)
		if w.Code != http.StatusTeapot || member(t, w, "code") != "tea" || w.Header().Get("WWW-Authenticate") != "" ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", sentence, w.Code, w.Header(), w.Body)
		}
	}
	if w := ask(plain); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("the guard it came from: %d %v", w.Code, w.Header())
	}
}
