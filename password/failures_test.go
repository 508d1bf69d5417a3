package password_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// A stored string that nothing reads locks its user out. The log says so once, and shows
// no more of it than its scheme.
func TestAStoredStringOfNoKnownFormat(t *testing.T) {
	for _, row := range []struct{ sentence, stored, scheme string }{
		{"Django's MD5, which is not allowed", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "md5$"},
		{"a scheme of another system", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd", "$y$"},
		{"a scheme of LDAP", "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3", "{SSHA}"},
		{"no passes", "$argon2id$v=19$m=4194304,t=0,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
			"$argon2id$"},
		{"a password in the clear", "correct horse battery staple", "(none)"},
		{"a password in the clear with a dollar", "hunter2$hunter2", "(none)"},
		{"a long scheme", "summer-holiday-2024-in-the-alps$0123456789abcdef", "(none)"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var log bytes.Buffer
			l := newLogin(t, func(c *password.Config) {
				c.AllowUnthrottled, c.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
				c.Account = func(context.Context, string) (auth.User, string, error) {
					return user("alice"), row.stored, nil
				}
			})
			for range 3 {
				_, _, err := l.Authenticate(byBasic("alice", "password"))
				var stated *auth.Error
				if !errors.As(err, &stated) || stated.Detail != "Invalid username/password." ||
					!strings.Contains(stated.Cause.Error(), "user alice: the stored string has no format that the "+
						"Hasher reads") {
					t.Fatalf("got %v, want \"Invalid username/password.\" and the format of alice's string as its "+
						"cause", err)
				}
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want 1: %s", n, &log)
			}
			for _, want := range []string{"user=alice", "scheme=" + row.scheme, "AllowLegacy", "pbkdf2_sha256"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q is not in %s", want, &log)
				}
			}
			if strings.Contains(log.String(), row.stored[len(row.stored)-10:]) {
				t.Errorf("the stored string is in %s", &log)
			}
		})
	}
}
