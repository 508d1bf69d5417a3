package header_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// A header that is not believed or not well formed says why, for the log.
func TestRefusalsOfAHeader(t *testing.T) {
	bySecret := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	for _, row := range []struct {
		sentence, peer string
		trust          header.Trust
		headers        []string
		kind           error
		cause          string
	}{
		{"another address", outside, proxy, []string{"X-Username", "alice"}, auth.ErrNoCredentials,
			"the address of the connection is not in Trust.Proxies"},
		{"no secret", inside, bySecret, []string{"X-Username", "alice"}, auth.ErrNoCredentials,
			"Trust.SecretHeader did not come exactly once"},
		{"a wrong secret", inside, bySecret, []string{"X-Username", "alice", "X-Proxy-Secret", "fedcba9876543210"},
			auth.ErrNoCredentials, "the value of Trust.SecretHeader is not Trust.Secret"},
		{"twice", inside, proxy, []string{"X-Username", "alice", "X-Username", "bob"}, auth.ErrMalformed,
			"X-Username came more than once"},
		{"too long", inside, proxy, []string{"X-Username", strings.Repeat("a", 257)}, auth.ErrMalformed,
			"X-Username is longer than 256 bytes"},
		{"nobody of that name", inside, proxy, []string{"X-Username", "mallory"}, auth.ErrInvalid,
			`identifier "mallory": `},
		{"a very long name", inside, proxy, []string{"X-Username", strings.Repeat("m", 250)}, auth.ErrInvalid,
			`identifier "` + strings.Repeat("m", 200) + `": `},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			h := newHeader(t, newPeople("alice"), row.trust)
			r := request(row.peer)
			for i := 0; i < len(row.headers); i += 2 {
				r.Header.Add(row.headers[i], row.headers[i+1])
			}
			_, _, err := h.Authenticate(r)
			if auth.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.cause) {
				t.Errorf("error %v, want %v and %q", err, row.kind, row.cause)
			}
			if strings.Contains(err.Error(), "fedcba9876543210") || strings.Contains(err.Error(), secret) {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}
