package cause_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatewarden/auth/internal/cause"
)

func TestUnitAReasonSaysWhatCameAndWhatWouldHavePassed(t *testing.T) {
	broken := errors.New("broken")
	for sentence, row := range map[string]struct {
		reason cause.Reason
		want   string
	}{
		"a check alone": {cause.Reason{Check: "the code is missing"}, "the code is missing"},
		"all there is": {cause.Reason{Check: "the redirect_uri is not registered", Came: "https://a.example/",
			Want: []string{"https://b.example/", "https://c.example/"}, See: "Client.RedirectURIs", Err: broken},
			`the redirect_uri is not registered: "https://a.example/", ` +
				`want "https://b.example/" or "https://c.example/", ` +
				`see Client.RedirectURIs: broken`},
		"no control characters": {cause.Reason{Check: "x", Came: "a\r\nlevel=ERROR \x1b[31m"},
			`x: "a\r\nlevel=ERROR \x1b[31m"`},
		"a long value": {cause.Reason{Check: "x", Came: strings.Repeat("x", 201)},
			`x: "` + strings.Repeat("x", 200) + `"…`},
		"a long list": {cause.Reason{Check: "x", Want: strings.Split("a b c d e f g h i j k l", " ")},
			`x, want "a" or "b" or "c" or "d" or "e" or "f" or "g" or "h" or "i" or "j", and 2 more`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := row.reason.Error(); got != row.want {
				t.Errorf("want %s, got %s", row.want, got)
			}
		})
	}
	t.Run("the error behind it is found", func(t *testing.T) {
		if err := error(&cause.Reason{Check: "x", Err: broken}); !errors.Is(err, broken) {
			t.Errorf("want %v behind %v", broken, err)
		}
	})
}

func FuzzUnitAQuotedTextIsOneShortLine(f *testing.F) {
	f.Add("a\nb")
	f.Add(strings.Repeat("\xff", 300))
	f.Add(strings.Repeat("x", 199) + "€")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := cause.Quote(text)
		if strings.ContainsAny(quoted, "\r\n\x00\x1b") || !utf8.ValidString(quoted) || len(quoted) > 10*200+5 {
			t.Errorf("want one short line of %q, got %q", text, quoted)
		}
	})
}
