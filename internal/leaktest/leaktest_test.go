package leaktest_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/internal/redact"
)

const secret = "recognizable-secret"

var secrets = []string{secret}

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failed bool
}

func (*recorder) Helper()                 {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

type plain struct{ s string }
type exported struct{ S auth.Secret }
type formatted struct{ s string }
type closed struct{ s redact.Secret }

func (formatted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "formatted") }

func TestUnitLeaksAreFound(t *testing.T) {
	for sentence, row := range map[string]struct {
		check func(testing.TB)
		leaks bool
	}{
		"a string": {func(t testing.TB) { leaktest.CheckExported(t, secrets, plain{secret}) }, true},
		// by %s of a pointer
		"a Secret": {func(t testing.TB) { leaktest.CheckExported(t, secrets, exported{secret}) }, true},
		"bytes": {func(t testing.TB) {
			leaktest.CheckExported(t, secrets, struct{ B []byte }{[]byte(secret)})
		}, true},
		"a method Format": {func(t testing.TB) {
			leaktest.CheckExported(t, secrets, formatted{secret})
		}, false},
		"the same in unexported ones": {func(t testing.TB) {
			leaktest.CheckAllFields(t, secrets, formatted{secret})
		}, true},
		"a closure": {func(t testing.TB) {
			leaktest.CheckAllFields(t, secrets, closed{redact.New(secret)})
		}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &recorder{TB: t}
			row.check(r)
			if r.failed != row.leaks {
				t.Errorf("a leak: want %v, got %v", row.leaks, r.failed)
			}
		})
	}
}
