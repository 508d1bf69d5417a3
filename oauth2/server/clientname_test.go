package server_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitClientNamesThatAreNotSeen(t *testing.T) {
	s, log := logged(t, nil)
	named := func(id, name string) server.Registration {
		return server.Registration{ClientID: id, ClientName: name, RedirectURIs: []string{"https://c.example/cb"}}
	}
	there := s.add(named("there", "Shop"))
	hidden := map[string]string{
		"a Hangul filler":                    "\u3164",
		"a half-width Hangul filler":         "\uffa0",
		"Jamo fillers":                       "\u115f\u1160",
		"a Braille pattern without dots":     "\u2800",
		"a note head that is not shown":      "\U0001d159",
		"a blank of hieroglyphs in a word":   "Sh\U00013441op",
		"half a blank of hieroglyphs":        "Shop\U00013442",
		"the place of an object":             "\ufffc",
		"a zero-width space in a word":       "Sh\u200bop",
		"a zero-width joiner in Latin":       "Sh\u200dop",
		"a zero-width non-joiner at the end": "Shop\u200c",
		"a word joiner":                      "Shop\u2060",
		"a byte order mark":                  "\ufeffShop",
		"a soft hyphen":                      "Sh\u00adop",
		"a grapheme joiner":                  "Sh\u034fop",
		"a Khmer vowel that is not shown":    "Shop\u17b4",
		"a Mongolian vowel separator":        "Shop\u180e",
		"tags":                               "Shop\U000e0041",
		"a variation selector of a letter":   "Shop\ufe0f",
		"a private character":                "Shop\ue000",
		"a separator of lines":               "Shop\u2028Bank",
		"spaces only":                        "   ",
		"wide spaces only":                   "\u2003\u00a0\u3000",
		"directions only":                    "\u202e\u200f",
		"control characters only":            "\x01\x02",
		"a combining mark only":              "\u0301",
		"a joiner after an emoji":            "\U0001f469\u200d",
		"a selector after a space":           "Shop \ufe0f",
	}
	for sentence, name := range hidden {
		t.Run(sentence+" is refused, also in a change", func(t *testing.T) {
			log.take()
			_, _, added := s.server.AddClient(t.Context(), named("new", name))
			_, ensured := s.server.EnsureClient(t.Context(), named("there", name))
			_, changed := s.server.ChangeClient(t.Context(), there, named("there", name))
			for _, err := range []error{added, ensured, changed} {
				var e *server.Error
				if !errors.As(err, &e) || e.Code != "invalid_client_metadata" ||
					!strings.Contains(e.Description, "client_name") ||
					e.Cause == nil || !strings.Contains(e.Cause.Error(), "visible") {
					t.Errorf("got %v", err)
				}
			}
			form := url.Values{"name": {name}, "client_type": {"public"},
				"authorization_grant_type": {"authorization-code"},
				"redirect_uris":            {"https://c.example/cb"}}
			if a := s.as("alice").do("POST", "/o/applications/register/", form.Encode()); a.StatusCode != 400 {
				t.Errorf("the form: %d", a.StatusCode)
			}
			if told := log.take(); !strings.Contains(told, "visible") {
				t.Errorf("the log: %s", told)
			}
		})
	}
	if c, err := s.server.Client(t.Context(), "there"); err != nil || c.Name != "Shop" {
		t.Errorf("it has changed: %+v %v", c, err)
	}
	for _, name := range []string{"Shop", "Ünïcode", "Магазин", "商店", "متجر", "می\u200cخواهم", "क्\u200dष",
		"❤\ufe0f Shop", "\U0001f469\u200d\U0001f52c Lab",
		"\U0001f3f3\ufe0f\u200d\U0001f308", "A\u00a0B", "e\u0301", "!", "<b>", strings.Repeat("x", 300), "Shop\n"} {
		t.Run(name+" is taken", func(t *testing.T) {
			if _, err := s.server.EnsureClient(t.Context(), named("good", name)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a client without a name has its identifier, which must be visible", func(t *testing.T) {
		if c, err := s.server.EnsureClient(t.Context(), named("shop", "")); err != nil || c.Name != "shop" {
			t.Errorf("%v %v", c, err)
		}
		if _, err := s.server.EnsureClient(t.Context(), named("  ", "")); err == nil {
			t.Error("an identifier of spaces is taken for a name")
		}
	})
}
