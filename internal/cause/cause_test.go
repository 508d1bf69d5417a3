package cause_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/cause"
)

func TestUnitCheck(t *testing.T) {
	for _, row := range []struct {
		sentence string
		cause    cause.Check
		want     string
	}{
		{"one value and one that is accepted",
			cause.Check{Name: "aud", Came: []string{"other"}, Want: []string{"api"}, Owner: "Issuer",
				Setting: "Audience"},
			`aud is "other", want "api"; see Issuer.Audience`},
		{"several values", cause.Check{Name: "aud", Came: []string{"a", "b"}, Want: []string{"c", "d"}},
			`aud is ["a", "b"], want one of ["c", "d"]`},
		{"an empty list", cause.Check{Name: "aud", Came: []string{}, Want: []string{"c"}}, `aud is [], want "c"`},
		{"an instant that is off", cause.Check{Name: "exp", Problem: "is past", By: time.Minute},
			"exp is past by 1m0s"},
		{"an error of the application", cause.Check{Name: "claims", Problem: "are refused", Err: errors.New("no role")},
			"claims are refused: no role"},
		{"a problem with a value", cause.Check{Name: "scope", Came: []string{"a"}, Problem: "is unknown"},
			`scope "a" is unknown`},
		{"control characters are escaped", cause.Check{Name: "typ", Came: []string{"a\nlevel=INFO \x1b[31m"}},
			`typ is "a\nlevel=INFO \x1b[31m"`},
		{"a long value is cut", cause.Check{Name: "typ", Came: []string{strings.Repeat("x", 201)}},
			`typ is "` + strings.Repeat("x", 200) + `"…`},
		{"a long list is cut", cause.Check{Name: "aud", Came: strings.Split(strings.Repeat("x", 12), "")},
			`aud is [` + strings.Repeat(`"x", `, 10) + `and 2 more]`},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if got := row.cause.Error(); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestUnitUnder(t *testing.T) {
	inner := errors.New("inner")
	c := &cause.Check{Name: "aud", Problem: "is missing", Owner: "Issuer", Setting: "AllowNoAudience", Err: inner}
	t.Run("the setting is that of the package outside", func(t *testing.T) {
		if got, want := c.Under("JWTConfig", "Audience").Error(),
			"aud is missing; see JWTConfig.Audience: inner"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("no setting", func(t *testing.T) {
		if got, want := c.Under("JWTConfig", "").Error(), "aud is missing: inner"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("the cause itself is not changed, and what it wraps is found", func(t *testing.T) {
		if c.Owner != "Issuer" || !errors.Is(c, inner) {
			t.Errorf("got %v", c)
		}
	})
}
