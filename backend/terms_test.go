package backend_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// credential has every optional interface that matters here.
type credential struct {
	primary, limited bool
	scopes           []string
	ends             time.Time
}

func (credential) Backend() string            { return "test" }
func (c credential) Primary() bool            { return c.primary }
func (c credential) Scopes() ([]string, bool) { return c.scopes, c.limited }
func (c credential) ExpiresAt() time.Time     { return c.ends }
func (c credential) AuthInfo() auth.AuthInfo  { return auth.AuthInfo{ACR: "high"} }
func (c credential) String() string           { return "credential" }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestATokenIssuesNothingUnlessAllowedAndNothingBeyondItself(t *testing.T) {
	for _, none := range []auth.Credential{nil, credential{}} {
		if _, err := backend.TermsOf(none, false, time.Now()); auth.KindOf(err) != auth.ErrInsufficient {
			t.Errorf("%v: %v", none, err)
		}
	}
	terms, err := backend.TermsOf(credential{ends: noon, limited: true, scopes: []string{"a"}}, true, time.Now())
	if err != nil || !terms.MaxExpiresAt.Equal(noon) || !terms.Limited || terms.AuthInfo.ACR != "high" {
		t.Errorf("%+v, %v", terms, err)
	}
	// What a primary credential proves outlives it: a session's end is not a token's.
	if terms, err = backend.TermsOf(credential{primary: true, ends: noon}, false, time.Now()); err != nil ||
		!terms.MaxExpiresAt.IsZero() || terms.Limited {
		t.Errorf("%+v, %v", terms, err)
	}
}

func TestScopesNeverGrow(t *testing.T) {
	limited := backend.Terms{Limited: true, Scopes: []string{"a", "b"}}
	for sentence, row := range map[string]struct {
		terms       backend.Terms
		asked       []string
		askedLimit  bool
		want        []string
		wantLimited bool
		refused     bool
	}{
		"no limit, nothing asked":             {backend.Terms{}, nil, false, nil, false, false},
		"no limit, some asked":                {backend.Terms{}, []string{"x"}, true, []string{"x"}, true, false},
		"a limit, nothing asked":              {limited, nil, false, []string{"a", "b"}, true, false},
		"a limit, fewer asked":                {limited, []string{"b"}, false, []string{"b"}, true, false},
		"a limit, none at all asked":          {limited, nil, true, nil, true, false},
		"a limit, more asked":                 {limited, []string{"a", "c"}, true, nil, true, true},
		"limited to nothing, nothing asked":   {backend.Terms{Limited: true}, nil, false, nil, true, false},
		"limited to nothing, something asked": {backend.Terms{Limited: true}, []string{"a"}, false, nil, true, true},
	} {
		scopes, isLimited, err := row.terms.Narrow(row.asked, row.askedLimit)
		if refused := errors.Is(err, auth.ErrInsufficient); refused != row.refused || !slices.Equal(scopes, row.want) ||
			isLimited != row.wantLimited {
			t.Errorf("%s: %v, %v, %v", sentence, scopes, isLimited, err)
		}
	}
}

type stamped string

func (stamped) UserID() string      { return "alice" }
func (s stamped) AuthStamp() string { return string(s) }

func TestAStampIsTheIssuersOwnAndHidesTheUsers(t *testing.T) {
	a := backend.Stamp("knox", stamped("secret"))
	if a == backend.Stamp("session", stamped("secret")) || a == backend.Stamp("knox", stamped("other")) ||
		strings.Contains(a, "secret") {
		t.Error("not of its own")
	}
	if !backend.SameStamp(a, backend.Stamp("knox", stamped("secret"))) || backend.SameStamp(a, "") {
		t.Error("compared wrong")
	}
	if backend.Stamp("knox", stamped("")) == "" {
		t.Error("an empty stamp is one all the same")
	}
	if got := backend.Stamp("knox", auth.Machine{ID: "a"}); got != "" {
		t.Errorf("%q of a user without", got)
	}
}

func TestEarlierTakesZeroForNever(t *testing.T) {
	later := noon.Add(time.Hour)
	for _, row := range [][3]time.Time{{noon, later, noon}, {later, noon, noon}, {{}, noon, noon}, {noon, {}, noon},
		{{}, {}, {}}} {
		if got := backend.Earlier(row[0], row[1]); !got.Equal(row[2]) {
			t.Errorf("%v of %v and %v", got, row[0], row[1])
		}
	}
}

func TestWhatIsAScope(t *testing.T) {
	// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
	for c := range 256 {
		want := c == 0x21 || 0x23 <= c && c <= 0x5B || 0x5D <= c && c <= 0x7E
		for _, scope := range []string{string([]byte{byte(c)}), "read" + string([]byte{byte(c)}) + "x"} {
			if got := backend.ValidScope(scope); got != want {
				t.Errorf("%q: %v", scope, got)
			}
		}
	}
	if backend.ValidScope("") || backend.ValidScope("é") {
		t.Error("one that is empty or not ASCII")
	}
}

func TestTheClientIsWhomTheProxyNames(t *testing.T) {
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, auth.ErrNoCredentials
		})},
		Challenges: []auth.Challenge{{Scheme: "Test"}},
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string]string{"10.0.0.1:5": "198.51.100.7", "192.0.2.1:5": "192.0.2.1",
		"[2001:db8::1]:5": "2001:db8::1", "@": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		r.Header.Set("User-Agent", "curl/8")
		if ip, agent := backend.ClientOf(guard.WithProxies(r)); ip != want || agent != "curl/8" {
			t.Errorf("%s: %q %q", peer, ip, agent)
		}
	}
}

func TestCleanLeavesOutWhatFoolsAScreenOrAStore(t *testing.T) {
	for text, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux)": "Mozilla/5.0 (X11; Linux)",
		"my phöne 📱 日本":            "my phöne 📱 日本",
		"a\x00b\nc\td\x1b[31me":    "abcd[31me",
		"a\u0085\u009bb":           "ab",           // C1
		"a\u202egpj.exe\u2066b":    "agpj.exeb",    // turns the direction
		"a\xff\xfeb\ufffd":         "ab",           // no UTF-8
		strings.Repeat("ä", 20):    "ääääääääääää", // 24 bytes, not half a character
		strings.Repeat("x", 100):   "xxxxxxxxxxxxxxxxxxxxxxxxx",
	} {
		if got := backend.CleanText(text, 25); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestAnInstantIsWhatEveryStoreKeeps(t *testing.T) {
	at := time.Date(2026, 11, 23, 13, 0, 0, 123456789, time.FixedZone("", 3600))
	if got := backend.StoreTime(at); got.Location() != time.UTC || !got.Equal(noon.Add(123456*time.Microsecond)) {
		t.Error(got)
	}
	if !backend.StoreTime(time.Time{}).IsZero() {
		t.Error("never became an instant")
	}
}

func TestAnOutageIsNeverAVerdict(t *testing.T) {
	for _, cause := range []error{auth.ErrNoCredentials, auth.ErrInvalid, auth.ErrUserNotFound, errors.New("x")} {
		if err := backend.Outage(cause); auth.KindOf(err) != nil || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, auth.KindOf(err))
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("my phöne\x00\u202e\u0085", 8)
	f.Fuzz(func(t *testing.T, text string, max int) {
		max = 1 + max&0xff
		got := backend.CleanText(text, max)
		if len(got) > max || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\x1b\x7f\u0085\u202e\u2066") {
			t.Errorf("%q", got)
		}
	})
}
