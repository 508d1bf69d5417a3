package backend_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

func TestUnitAFloodOfFailures(t *testing.T) {
	refused := auth.Event{Err: &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("unknown client")}, Status: 401}
	lines := func(events backend.Events) int {
		var text bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&text, nil))
		for range 500 {
			events.Failed(httptest.NewRequest("POST", "/token", nil), logger, refused)
		}
		return strings.Count(text.String(), "\n")
	}
	t.Run("writes a bounded number of lines with NewEvents", func(t *testing.T) {
		if n := lines(backend.NewEvents(nil, "server")); n < 100 || n > 130 {
			t.Errorf("500 failures made %d lines, want 100 and a few", n)
		}
	})
	t.Run("writes all lines with the plain struct", func(t *testing.T) {
		if n := lines(backend.Events{Backend: "server"}); n != 500 {
			t.Errorf("500 failures made %d lines", n)
		}
	})
}
