package backend_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

func TestUnitIdentifiersThatStoresKeep(t *testing.T) {
	odd := map[string]string{"a NUL": "a\x00b", "a byte that is not UTF-8": "a\xffb", "half a character": "\xc3",
		"half of a surrogate pair": "\xed\xa0\x80"}
	for name, id := range odd {
		t.Run(name+" is in no identifier", func(t *testing.T) {
			if backend.ValidID(id) || backend.ValidUserID(id) || backend.ValidText(id, 1000) {
				t.Errorf("got that %q can be kept, want that it cannot", id)
			}
		})
	}
	for name, id := range map[string]string{"an emoji": "\U0001f512", "a space at the end": "alice ",
		"a newline":                 "a\nb",
		"the replacement character": "\ufffd", "a quote": `'"\%_`} {
		t.Run(name+" can be in an identifier", func(t *testing.T) {
			if !backend.ValidID(id) || !backend.ValidUserID(id) {
				t.Errorf("got that %q cannot be kept, want that it can", id)
			}
		})
	}
	t.Run("an identifier has a byte, and no more than fit an index", func(t *testing.T) {
		for name, c := range map[string]struct {
			valid func(string) bool
			max   int
		}{"ValidID": {backend.ValidID, 255}, "ValidUserID": {backend.ValidUserID, 512}} {
			longest := strings.Repeat("é", c.max/2) + strings.Repeat("x", c.max%2)
			if c.valid("") || !c.valid(longest) || c.valid(longest+"x") {
				t.Errorf("%s: got %v, %v and %v for 0, %d and %d bytes, want that only the second one is valid", name,
					c.valid(""), c.valid(longest), c.valid(longest+"x"), c.max, c.max+1)
			}
		}
	})
}

func TestUnitCheckUserID(t *testing.T) {
	t.Run("an identifier that no store keeps is an error of the application, which names it", func(t *testing.T) {
		for _, id := range []string{"", "al\x00ice", "al\xffice", "alice" + strings.Repeat("x", 600)} {
			err := backend.CheckUserID(id)
			if !errors.Is(err, auth.ErrInternal) || auth.KindOf(err) != auth.ErrInternal {
				t.Fatalf("got %v for %q, want auth.ErrInternal", err, id)
			}
			if id != "" && !strings.Contains(err.Error(), `UserID "al`) || len(err.Error()) > 500 {
				t.Errorf("got %q, want a short text with the identifier", err)
			}
		}
	})
	t.Run("others are none", func(t *testing.T) {
		for _, id := range []string{"alice", "Zoë \U0001f512", strings.Repeat("x", 512)} {
			if err := backend.CheckUserID(id); err != nil {
				t.Errorf("got %v for %q, want no error", err, id)
			}
		}
	})
}

func TestUnitCheckAuthInfo(t *testing.T) {
	t.Run("texts that no store keeps are an error of the backend of the login", func(t *testing.T) {
		for name, info := range map[string]auth.AuthInfo{
			"an ACR with a NUL":         {ACR: "go\x00ld"},
			"an ACR of 1,025 bytes":     {ACR: strings.Repeat("x", 1025)},
			"a method that is no UTF-8": {AMR: []string{"pwd", "\xff"}},
			"a method of 256 bytes":     {AMR: []string{strings.Repeat("x", 256)}},
			"33 methods":                {AMR: make([]string, 33)},
		} {
			if err := backend.CheckAuthInfo(info); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("%s: got %v, want auth.ErrInternal", name, err)
			}
		}
	})
	t.Run("others are none", func(t *testing.T) {
		for _, info := range []auth.AuthInfo{{}, {ACR: "https://refeds.org/profile/mfa", AMR: []string{"pwd", "otp"}},
			{ACR: strings.Repeat("x", 1024), AMR: make([]string, 32)}} {
			if err := backend.CheckAuthInfo(info); err != nil {
				t.Errorf("got %v for %v, want no error", err, info)
			}
		}
	})
}

// FuzzValidID checks that a valid identifier is the same text in JSON, in which some columns have texts.
func FuzzValidID(f *testing.F) {
	for _, id := range []string{"", "alice", "a\x00", "\xff", "\U0001f512", "\ufffd", strings.Repeat("x", 256)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		text, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		plain := len(id) > 0 && utf8.ValidString(id) && !strings.Contains(id, "\x00")
		if got, want := backend.ValidID(id), plain && len(id) <= 255; got != want {
			t.Errorf("%q: got %v, want %v", id, got, want)
		}
		if got, want := backend.ValidUserID(id), plain && len(id) <= 512; got != want {
			t.Errorf("%q: got %v for a user, want %v", id, got, want)
		}
		if backend.ValidID(id) && back != id {
			t.Errorf("%q becomes %q in JSON, want the same text", id, back)
		}
	})
}
