package issue_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/issue"
)

// credential has every optional interface that matters here.
type credential struct {
	primary, limited bool
	scopes           []string
	ends             time.Time
}

func (credential) Backend() string             { return "test" }
func (c credential) Primary() bool             { return c.primary }
func (c credential) Scopes() ([]string, bool)  { return c.scopes, c.limited }
func (c credential) ExpiresAt() time.Time      { return c.ends }
func (c credential) LoginInfo() auth.LoginInfo { return auth.LoginInfo{ACR: "high"} }
func (c credential) String() string            { return "credential" }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestATokenIssuesNothingUnlessAllowedAndNothingBeyondItself(t *testing.T) {
	for _, none := range []auth.Credential{nil, credential{}} {
		if _, err := issue.TermsOf(none, false); auth.Kind(err) != auth.ErrInsufficient {
			t.Errorf("%v: %v", none, err)
		}
	}
	terms, err := issue.TermsOf(credential{ends: noon, limited: true, scopes: []string{"a"}}, true)
	if err != nil || !terms.Ends.Equal(noon) || !terms.Limited || terms.Login.ACR != "high" {
		t.Errorf("%+v, %v", terms, err)
	}
	// What a primary credential proves outlives it: a session's end is not a token's.
	if terms, err = issue.TermsOf(credential{primary: true, ends: noon}, false); err != nil || !terms.Ends.IsZero() || terms.Limited {
		t.Errorf("%+v, %v", terms, err)
	}
}

func TestScopesNeverGrow(t *testing.T) {
	limited := issue.Terms{Limited: true, Scopes: []string{"a", "b"}}
	for sentence, row := range map[string]struct {
		terms       issue.Terms
		asked       []string
		askedLimit  bool
		want        []string
		wantLimited bool
		refused     bool
	}{
		"no limit, nothing asked":             {issue.Terms{}, nil, false, nil, false, false},
		"no limit, some asked":                {issue.Terms{}, []string{"x"}, true, []string{"x"}, true, false},
		"a limit, nothing asked":              {limited, nil, false, []string{"a", "b"}, true, false},
		"a limit, fewer asked":                {limited, []string{"b"}, false, []string{"b"}, true, false},
		"a limit, none at all asked":          {limited, nil, true, nil, true, false},
		"a limit, more asked":                 {limited, []string{"a", "c"}, true, nil, true, true},
		"limited to nothing, nothing asked":   {issue.Terms{Limited: true}, nil, false, nil, true, false},
		"limited to nothing, something asked": {issue.Terms{Limited: true}, []string{"a"}, false, nil, true, true},
	} {
		scopes, isLimited, err := row.terms.Narrow(row.asked, row.askedLimit)
		if refused := errors.Is(err, auth.ErrInsufficient); refused != row.refused || !slices.Equal(scopes, row.want) || isLimited != row.wantLimited {
			t.Errorf("%s: %v, %v, %v", sentence, scopes, isLimited, err)
		}
	}
}

type stamped string

func (stamped) UserID() string      { return "alice" }
func (s stamped) AuthStamp() string { return string(s) }

func TestAStampIsTheIssuersOwnAndHidesTheUsers(t *testing.T) {
	a := issue.Stamp("knox", stamped("secret"))
	if a == issue.Stamp("session", stamped("secret")) || a == issue.Stamp("knox", stamped("other")) || strings.Contains(a, "secret") {
		t.Error("not of its own")
	}
	if !issue.SameStamp(a, issue.Stamp("knox", stamped("secret"))) || issue.SameStamp(a, "") {
		t.Error("compared wrong")
	}
	if issue.Stamp("knox", stamped("")) == "" {
		t.Error("an empty stamp is one all the same")
	}
	if got := issue.Stamp("knox", auth.Machine{ID: "a"}); got != "" {
		t.Errorf("%q of a user without", got)
	}
}

func TestEarlierTakesZeroForNever(t *testing.T) {
	later := noon.Add(time.Hour)
	for _, row := range [][3]time.Time{{noon, later, noon}, {later, noon, noon}, {{}, noon, noon}, {noon, {}, noon}, {{}, {}, {}}} {
		if got := issue.Earlier(row[0], row[1]); !got.Equal(row[2]) {
			t.Errorf("%v of %v and %v", got, row[0], row[1])
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("my phöne\x00\u202e\u0085", 8)
	f.Fuzz(func(t *testing.T, text string, max int) {
		max = 1 + max&0xff
		got := issue.Clean(text, max)
		if len(got) > max || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\x1b\x7f\u0085\u202e\u2066") {
			t.Errorf("%q", got)
		}
	})
}
