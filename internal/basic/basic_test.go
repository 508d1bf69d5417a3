package basic_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/basic"
)

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestCredentials(t *testing.T) {
	tests := []struct {
		sentence, value, username, password string
	}{
		{"the example of RFC 7617 section 2", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
		{"the UTF-8 example of RFC 7617 section 2.1", "dGVzdDoxMjPCow==", "test", "123£"},
		{"what is not UTF-8 is Latin-1", encode("test:123\xa3"), "test", "123£"},
		{"padding may be missing, of two", strings.TrimRight(encode("a:bc"), "="), "a", "bc"},
		{"padding may be missing, of one", strings.TrimRight(encode("a:bcd"), "="), "a", "bcd"},
		{"a password may contain colons", encode("a:b:c:"), "a", "b:c:"},
		{"a password may be empty", encode("a:"), "a", ""},
		{"a username may be empty", encode(":b"), "", "b"},
		{"spaces inside username and password are kept", encode(" a : b "), " a ", " b "},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			username, password, err := basic.Decode(tt.value)
			if err != nil || username != tt.username || password != tt.password {
				t.Errorf("Credentials(%q) = %q, %q, %v; want %q, %q", tt.value, username, password, err, tt.username,
					tt.password)
			}
		})
	}
}

func TestMalformedCredentials(t *testing.T) {
	const (
		empty    = "Invalid basic header. No credentials provided."
		spaces   = "Invalid basic header. Credentials string should not contain spaces."
		encoding = "Invalid basic header. Credentials not correctly base64 encoded."
	)
	tests := []struct {
		sentence, value, detail string
	}{
		{"nothing after the scheme", "", empty},
		{"a space inside", "QWxh ZGRpbg==", spaces},
		{"a tab inside", "QWxh\tZGRpbg==", spaces},
		{"a line break inside", "QWxh\r\nZGRpbg==", spaces},
		{"padding alone is no base64", "=a=", encoding},
		{"half of the padding", strings.TrimSuffix(encode("a:bc"), "="), encoding},
		{"padding that is too much", encode("a:b") + "=", encoding},
		{"the URL alphabet", base64.URLEncoding.EncodeToString([]byte("a:\xff\xff\xff\xfe")), encoding},
		{"bytes outside ASCII", "\xff\xfe", encoding},
		{"no colon", encode("alice"), encoding},
		{"a NUL in the username", encode("a\x00:b"), encoding},
		{"a line break in the password", encode("a:b\n"), encoding},
		{"a DEL in the password", encode("a:b\x7f"), encoding},
		{"a control character in Latin-1", encode("\xff\x01:b"), encoding},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			_, _, err := basic.Decode(tt.value)
			var stated *auth.Error
			if !errors.As(err, &stated) {
				t.Fatalf("error %v is no *auth.Error", err)
			}
			if stated.Kind != auth.ErrMalformed || stated.Status != 401 || stated.Detail != tt.detail {
				t.Errorf("got %+v, want ErrMalformed, 401, %q", stated, tt.detail)
			}
		})
	}
}

func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{"", "=a=", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", encode("\xff:\xa3"), encode("a\x00:b"),
		"Zm9v", "a b", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		username, password, err := basic.Decode(value)
		if err != nil {
			if auth.KindOf(err) != auth.ErrMalformed || username != "" || password != "" {
				t.Fatalf("Credentials(%q) = %q, %q, %v", value, username, password, err)
			}
			return
		}
		if strings.Contains(username, ":") || !utf8.ValidString(username) || !utf8.ValidString(password) {
			t.Fatalf("Credentials(%q) = %q, %q", value, username, password)
		}
		for _, s := range []string{username, password} {
			if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				t.Fatalf("a control character in %q", s)
			}
		}
		again, pass, err := basic.Decode(encode(username + ":" + password))
		if err != nil || again != username || pass != password {
			t.Fatalf("%q, %q came back as %q, %q, %v", username, password, again, pass, err)
		}
	})
}
