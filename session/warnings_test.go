package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth/session"
)

func TestUnitPlainHTTPIsSaidOnce(t *testing.T) {
	for name, row := range map[string]struct {
		url, level, text string // text is a part of the line
	}{
		"to another machine": {"http://app.example", "WARN", "browsers do not keep this cookie"},
		"to this machine":    {"http://localhost:8000", "INFO", "Python, Java, wget and httpie do not"},
		"by https":           {"https://app.example", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, session.Config{})
			for range 3 {
				r, w := httptest.NewRequest("POST", row.url+"/session/login", nil), httptest.NewRecorder()
				r.Header.Set("X-Login", "alice")
				if s.handler.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
					t.Fatalf("the login is answered with %d, want 303", w.Code)
				}
			}
			if got := strings.Count(s.log.text(), "plain http"); row.text == "" && got != 0 ||
				row.text != "" && got != 1 {
				t.Errorf("%d lines, want one for three logins: %s", got, s.log.text())
			}
			if !strings.Contains(s.log.text(), row.text) || row.level != "" &&
				!strings.Contains(s.log.text(), "level="+row.level) {
				t.Errorf("log %q, want %s %q", s.log.text(), row.level, row.text)
			}
		})
	}
}
