package password_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// codes returns the codes of a WeakError, in order.
func codes(err error) (codes []string) {
	var weak *password.WeakError
	if errors.As(err, &weak) {
		for _, reason := range weak.Reasons {
			codes = append(codes, reason.Code)
		}
	}
	return codes
}

const (
	short   = "password_too_short"
	common  = "password_too_common"
	numeric = "password_entirely_numeric"
	similar = "password_too_similar"
)

var alice = []password.Attribute{
	{Name: "username", Value: "alice.liddell"},
	{Name: "email address", Value: "Rabbithole@Example.org"},
	{Name: "first name", Value: ""},
}

func TestWhatTheDefaultValidatorsSay(t *testing.T) {
	validators := password.DefaultValidators()
	for _, row := range []struct {
		password string
		want     []string
	}{
		{"umbrella cabinet tractor", nil},
		{"gT7#kq9vLm2!xWz", nil},
		{"zwölf Gärtner im Ökohof", nil},
		{"ключ от сарая под камнем", nil},
		{strings.Repeat("umbrella cabinet ", 200), nil},

		{"", []string{short, common}},
		{"gT7#kq9vLm2!xW", []string{short}},
		{"Ökö Gärt üb !?", []string{short}}, // 14 characters, not 17 bytes
		{"482910384756120", []string{numeric}},
		{"٤٨٢٩١٠٣٨٤٧٥٦١٢٠", []string{numeric}},
		{"123456789012345", []string{common, numeric}},
		{"aaaaaaaaaaaaaaaa", []string{common}},
		{"abababababababab", []string{common}},
		{"xK9#xK9#xK9#xK9#", []string{common}},
		{"ääääääääääääääää", []string{common}},
		{"qwertyuiopasdfghjkl", []string{common}},
		{"1qaz2wsx3edc4rfv", []string{common}},
		{"zyxwvutsrqponmlk", []string{common}},
		{"password12345678", []string{common}},
		{"P@$$w0rd2026!!!", []string{common}},
		{"Ilovemymonkeys!", nil}, // five pieces: they have to end somewhere
		{"  DragonMonkey2024  ", []string{common}},
		{"password password", []string{common}},
		{"dragon-sunshine-2024", []string{common}},
		{"passwort ö sunshine", []string{common}},
		{"passwort öö sunshine", nil},
		{"correct horse battery staple", []string{common}},

		{"alice.liddell.2024", []string{similar}},
		{"ALICE-LIDDELL-1234", []string{similar}},
		{"lleddil.ecila.etc", []string{similar}},     // the same letters
		{"rabbithole rabbithole", []string{similar}}, // an attribute and nothing else
		{"Rabbithole@Example.org", []string{similar}},
		{"a rabbithole, a teacup and I", nil},
	} {
		err := validators.Validate(t.Context(), row.password, alice)
		if got := codes(err); !slices.Equal(got, row.want) {
			t.Errorf("%q: %q, want %q", row.password, got, row.want)
		}
		if err != nil && row.password != "" && strings.Contains(err.Error(), row.password) {
			t.Errorf("%q is in the error", row.password)
		}
		if err != nil && auth.KindOf(err) != auth.ErrMalformed {
			t.Errorf("%q: %v is no ErrMalformed", row.password, err)
		}
	}
}

func TestWhatIsRepeatedCountsOnce(t *testing.T) {
	v := password.Validators{password.NotCommon()}
	for given, want := range map[string]bool{
		"gT7#gT7#":             true,
		"gT7#gT7#gT":           true,  // cut off
		"gT7#kgT7":             false, // less than twice
		"gT7#kq9vgT7#kq9v":     false, // eight are enough
		"password1!password1!": true,
	} {
		if err := v.Validate(t.Context(), given, nil); (err != nil) != want {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestTheSentencesAreDjangos(t *testing.T) {
	weak := password.Validators{
		password.NotSimilar(), password.MinLength(8), password.NotCommon(), password.NotNumeric()}
	about := []password.Attribute{{Name: "username", Value: "123457"}}
	err := weak.Validate(t.Context(), "123456", about)
	want := "password: The password is too similar to the username." +
		" This password is too short. It must contain at least 8 characters." +
		" This password is too common. This password is entirely numeric."
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	var first *auth.Error
	if !errors.As(err, &first) || first.Code != similar {
		t.Errorf("the first reason is %+v", first)
	}
}

func TestTheLeastLength(t *testing.T) {
	for _, row := range []struct{ n, least int }{{0, 15}, {15, 15}, {8, 8}, {20, 20}, {7, 8}, {1, 8}, {-1, 8}} {
		v := password.Validators{password.MinLength(row.n)}
		for length, want := range map[int]bool{row.least - 1: true, row.least: false} {
			err := v.Validate(t.Context(), strings.Repeat("ö", length), nil)
			if refused := err != nil; refused != want {
				t.Errorf("MinLength(%d): %d characters: %v", row.n, length, err)
			}
		}
	}
}

// The ratios are those of Python's difflib.SequenceMatcher.quick_ratio.
func TestSimilarityIsDjangos(t *testing.T) {
	v := password.Validators{password.NotSimilar()}
	for _, row := range []struct {
		value, password string
		want            bool
	}{
		{"testclient", "testclient", true},           // 1
		{"testclient", "tnetclinet", true},           // 2*9/20 = 0.9
		{"abcdefg", "abcdxyz", false},                // 2*4/14 = 0.57
		{"abcdefghij", "abcdefgxyz", true},           // 2*7/20 = 0.7, the threshold
		{"abcdefghij", "abcdefxyzw", false},          // 2*6/20
		{"example@example.com", "example.com", true}, // 2*11/30 = 0.73
		{"joe.Schmoe-7", "schmoeXX", true},           // the part schmoe: 2*6/14
		{"", "anything", false},
		{"...", "anything", false},
		{"\xff\xfe", "anything", false},
	} {
		err := v.Validate(t.Context(), row.password, []password.Attribute{{Name: "username", Value: row.value}})
		if got := err != nil; got != row.want {
			t.Errorf("%q of %q: %v, want %v", row.password, row.value, got, row.want)
		}
	}
}

// Spaces, dots, hyphens and underscores make no difference, on both sides.
func TestSeparatorsMakeNoNameAnother(t *testing.T) {
	v := password.Validators{password.NotSimilar()}
	for _, row := range []struct {
		value, password string
		want            bool
	}{
		{"bobmiller", "bob_miller bob_miller bob_miller", true},
		{"bob_miller", "bob_miller bob_miller bob_miller", true},
		{"bob_miller", "bobmiller bobmiller bobmiller", true},
		{"bob_miller", "bob.miller-0123456789abcdefghijklmnopq", true},
		{"a-li-ce", "a-li-ce:a-li-ce:a-li-ce:a-li-ce", true},
		{"j.d.", "j.d.:J.D.:j.d.:J.D.:j.d.", false}, // two characters are not four
	} {
		err := v.Validate(t.Context(), row.password, []password.Attribute{{Name: "username", Value: row.value}})
		if got := err != nil; got != row.want {
			t.Errorf("%q of %q: %v, want %v", row.password, row.value, got, row.want)
		}
	}
}

func TestAListOfCommonPasswords(t *testing.T) {
	var zipped strings.Builder
	w := gzip.NewWriter(&zipped)
	fmt.Fprint(w, "umbrella cabinet\r\n\n  TRACTOR  \nlast line")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(strings.NewReader(zipped.String()))
	if err != nil {
		t.Fatal(err)
	}
	list, err := password.NotInList(r)
	if err != nil {
		t.Fatal(err)
	}
	v := password.Validators{list}
	for given, want := range map[string]bool{"Umbrella Cabinet": true, " tractor": true, "last line": true,
		"umbrella": false, "": false} {
		if err := v.Validate(t.Context(), given, nil); (err != nil) != want || want && codes(err)[0] != common {
			t.Errorf("%q: %v", given, err)
		}
	}
	for name, r := range map[string]io.Reader{
		"empty":        strings.NewReader("\n \n"),
		"not UTF-8":    strings.NewReader("a\n\xff\n"),
		"endless line": strings.NewReader(strings.Repeat("a", 100_000)),
		"unreadable":   iotest.ErrReader(errors.New("disk")),
	} {
		if _, err := password.NotInList(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWhatNoValidatorIsShown(t *testing.T) {
	v := password.Validators{func(context.Context, string, []password.Attribute) error {
		t.Error("shown")
		return nil
	}}
	if got := codes(v.Validate(t.Context(), strings.Repeat("x", password.MaxPassword+1), nil)); !slices.Equal(
		got, []string{"password_too_long"}) {
		t.Errorf("too long: %q", got)
	}
	if got := codes(v.Validate(t.Context(), "\xff", nil)); !slices.Equal(got, []string{"password_not_text"}) {
		t.Errorf("not UTF-8: %q", got)
	}
}

func TestValidatorsOfOnesOwn(t *testing.T) {
	down := errors.New("the breach service is down")
	own := &auth.Error{Kind: auth.ErrMalformed, Code: "breached", Detail: "This password was in a breach."}
	for _, row := range []struct {
		sentence string
		list     password.Validators
		kind     error
		codes    []string
	}{
		{"one that has nothing against it", password.Validators{returns(nil)}, nil, nil},
		{"its reason is told", password.Validators{returns(own)}, auth.ErrMalformed, []string{"breached"}},
		{"a wrapped one too", password.Validators{returns(fmt.Errorf("own: %w", own))}, auth.ErrMalformed,
			[]string{"breached"}},
		{"several in one", password.Validators{returns(&password.WeakError{Reasons: []*auth.Error{own, own}})},
			auth.ErrMalformed, []string{"breached", "breached"}},
		{"several, wrapped",
			password.Validators{returns(fmt.Errorf("own: %w", &password.WeakError{Reasons: []*auth.Error{own, own}}))},
			auth.ErrMalformed, []string{"breached", "breached"}},
		{"a weakness without a reason is no consent", password.Validators{returns(&password.WeakError{})}, nil, nil},
		{"nor is one that is nil", password.Validators{returns((*password.WeakError)(nil))}, nil, nil},
		{"nor one whose reason is nil", password.Validators{returns(&password.WeakError{Reasons: []*auth.Error{nil}})},
			nil, nil},
		{"nor one whose reason is of another kind",
			password.Validators{returns(&password.WeakError{Reasons: []*auth.Error{own, {Kind: auth.ErrInvalid}}})},
			nil, nil},
		{"one that cannot tell decides nothing", password.Validators{returns(own), returns(down)}, nil, nil},
		{"another kind is no statement about a password", password.Validators{returns(auth.ErrInvalid)}, nil, nil},
		{"a bare kind has no sentence to tell", password.Validators{returns(auth.ErrMalformed)}, nil, nil},
		{"a nil validator is an outage", password.Validators{nil}, nil, nil},
	} {
		err := row.list.Validate(t.Context(), "umbrella cabinet", nil)
		if auth.KindOf(err) != row.kind || !slices.Equal(codes(err), row.codes) {
			t.Errorf("%s: %v", row.sentence, err)
		}
		if passes := row.list[0] != nil && row.sentence == "one that has nothing against it"; passes != (err == nil) {
			t.Errorf("%s: %v", row.sentence, err)
		}
	}
	if got := codes(password.Validators{}.Validate(t.Context(), "password", nil)); !slices.Equal(
		got, []string{short, common}) {
		t.Errorf("no validators are the default ones, not %q", got)
	}
}

func returns(err error) password.Validator {
	return func(context.Context, string, []password.Attribute) error { return err }
}

func FuzzValidators(f *testing.F) {
	f.Add("password12345678", "alice")
	f.Add(strings.Repeat("a", 4096), strings.Repeat("a ", 600))
	f.Add(strings.Repeat("1q2w3e", 600), "@@@@")
	f.Add("ä\x00\u2028", "\xff")
	validators := password.DefaultValidators()
	f.Fuzz(func(t *testing.T, given, value string) {
		about := []password.Attribute{{Name: "username", Value: value}}
		err := validators.Validate(t.Context(), given, about)
		if err != nil && codes(err) == nil {
			t.Errorf("%q: %v", given, err)
		}
		if again := validators.Validate(t.Context(), given, about); !slices.Equal(codes(err), codes(again)) {
			t.Errorf("%q: %v, then %v", given, err, again)
		}
	})
}

// The longest passwords take no longer than a hash does.
func BenchmarkValidators(b *testing.B) {
	validators := password.DefaultValidators()
	about := []password.Attribute{{Name: "username", Value: strings.Repeat("monkey.", 150)}}
	for name, given := range map[string]string{
		"usual":   "umbrella cabinet tractor",
		"a":       strings.Repeat("a", password.MaxPassword-3) + "#z!",
		"walk":    strings.Repeat("qwertyuiop", 400) + "#!%",
		"words":   strings.Repeat("monkeymonk", 400) + "#!%",
		"digits!": strings.Repeat("1!", 2000) + "#!%a",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = validators.Validate(b.Context(), given, about)
			}
		})
	}
}
