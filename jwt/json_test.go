package jwt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatewarden/auth/jwt"
)

func nested(n int, inner string) string {
	return `{"a":` + strings.Repeat("[", n-1) + inner + strings.Repeat("]", n-1) + `}`
}

func TestMembers(t *testing.T) {
	type pairs = []jwt.Member
	for _, c := range []struct {
		sentence, text string
		want           pairs
	}{
		{"an empty object has no members", ` { } `, nil},
		{"values stay as they were written", `{"a": 1.50 ,"b":[ 1 ], "c":{"d":null}}`,
			pairs{{"a", "1.50"}, {"b", "[ 1 ]"}, {"c", `{"d":null}`}}},
		{"a name written with escapes is the name", `{"\u0065xp":1,"a\/b":2}`, pairs{{"exp", "1"}, {"a/b", "2"}}},
		{"a name in another case is another name", `{"exp":1,"EXP":2,"Exp":3}`,
			pairs{{"exp", "1"}, {"EXP", "2"}, {"Exp", "3"}}},
		{"a long s is no s", `{"iſs":"x"}`, pairs{{"iſs", `"x"`}}},
		{"an empty name is a name", `{"":true}`, pairs{{"", "true"}}},
		{"32 levels are taken, with something in the last", nested(jwt.MaxDepth, "1"),
			pairs{{"a", strings.TrimSuffix(strings.TrimPrefix(nested(jwt.MaxDepth, "1"), `{"a":`), "}")}}},
		{"32 objects", strings.Repeat(`{"a":`, jwt.MaxDepth-1) + "{}" + strings.Repeat("}", jwt.MaxDepth-1),
			pairs{{"a", strings.Repeat(`{"a":`, jwt.MaxDepth-2) + "{}" + strings.Repeat("}", jwt.MaxDepth-2)}}},
		{"numbers of all forms", `{"a":-0,"b":1E+2,"c":0.5e-7}`, pairs{{"a", "-0"}, {"b", "1E+2"}, {"c", "0.5e-7"}}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			if got, err := jwt.Members(c.text); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v", c.text, got, err)
			}
		})
	}
	for _, c := range []struct{ sentence, text string }{
		{"nothing", ""}, {"white space", " "}, {"an array", "[]"}, {"a string", `"a"`}, {"null", "null"},
		{"two objects", "{}{}"}, {"something after the object", `{"a":1} x`}, {"a NUL after the object", "{}\x00"},
		{"no closing brace", `{"a":1`}, {"a comma at the end", `{"a":1,}`}, {"a comma at the start", `{,"a":1}`},
		{"a comma at the end of an array", `{"a":[1,]}`}, {"no colon", `{"a" 1}`}, {"a name without quotes", `{a:1}`},
		{"a name in single quotes", `{'a':1}`}, {"no value", `{"a":}`}, {"a byte order mark", "\ufeff{}"},
		{"a comment", `{"a":1/**/}`}, {"a leading zero", `{"a":01}`}, {"a plus sign", `{"a":+1}`},
		{"a point without digits", `{"a":1.}`},
		{"no digits before the point", `{"a":.5}`}, {"an exponent without digits", `{"a":1e}`},
		{"a lone minus", `{"a":-}`},
		{"hexadecimal", `{"a":0x1}`}, {"NaN", `{"a":NaN}`}, {"True", `{"a":True}`}, {"half of true", `{"a":tru}`},
		{"a line break in a string", "{\"a\":\"\n\"}"}, {"an unknown escape", `{"a":"\x41"}`},
		{"half an escape", `{"a":"\u00"}`},
		{"an escape with a sign", `{"a":"\u+041"}`}, {"a string that does not end", `{"a":"`},
		{"an escape at the end", `{"a":"\`},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}"}, {"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}"},
		{"white space that is not JSON's", "{\u00a0}"}, {"a form feed", "{\f}"},
		{"33 levels", nested(jwt.MaxDepth+1, "")}, {"33 levels with something in them", nested(jwt.MaxDepth+1, "1")},
		{"33 objects", strings.Repeat(`{"a":`, jwt.MaxDepth) + "{}" + strings.Repeat("}", jwt.MaxDepth)},
		{"8,000 levels", strings.Repeat(`{"a":`, 8000)},
		{"a name with NUL", `{"a\u0000":1}`}, {"a name with half a surrogate pair", `{"\ud800":1}`},
	} {
		t.Run("refused: "+c.sentence, func(t *testing.T) {
			if got, err := jwt.Members(c.text); err == nil || errors.Is(err, jwt.ErrDuplicate) {
				t.Errorf("%q: %v, %v", c.text, got, err)
			}
		})
	}
}

func TestAMemberTwiceIsSaid(t *testing.T) {
	many := func(last string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range 40 {
			b.WriteString(`"m` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `":1,`)
		}
		return b.String() + `"` + last + `":2}`
	}
	for _, text := range []string{`{"a":1,"a":1}`, `{"a":1,"b":2,"a":3}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`,
		many("maa"), many("mbn")} {
		if got, err := jwt.Members(text); !errors.Is(err, jwt.ErrDuplicate) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := jwt.Members(many("other")); err != nil || len(got) != 41 {
		t.Errorf("41 names: %d, %v", len(got), err)
	}
	// No code of ours looks deeper than the claims themselves.
	if _, err := jwt.Members(`{"a":{"b":1,"b":2}}`); err != nil {
		t.Error(err)
	}
}

func TestSecondsOf(t *testing.T) {
	for _, c := range []struct {
		value string
		want  int64
		ok    bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"1", 1, true}, {"946684800", 946684800, true},
		{"946684800.0", 946684800, true}, {"946684800.999", 946684800, true}, {"9.466848e8", 946684800, true},
		{"1e3", 1000, true}, {"1E3", 1000, true}, {"1e-3", 0, true}, {"1e-999", 0, true}, {"-1", -1, true},
		{"253402300799", 253402300799, true},   // 9999-12-31T23:59:59Z
		{"253402300800", 0, false},             // the year 10000
		{"99999999999", 99999999999, true},     // the longest that is read digit by digit
		{"999999999999", 0, false},             // milliseconds are no seconds
		{"9007199254740993", 0, false},         // not a float64
		{"1e20", 0, false},                     // not an int64
		{"18446744073709551617", 0, false},     // 2^64 + 1
		{"1e999", 0, false},                    // infinite
		{"-62135596800", 0, false},             // Go's zero time, which would mean that there is no time
		{"-62135596799", -62135596799, true},   // a second later
		{"-1e20", 0, false},                    //
		{`"946684800"`, 0, false},              // a string
		{"null", 0, false}, {"true", 0, false}, //
		{"[946684800]", 0, false}, {"{}", 0, false}, {"", 0, false},
	} {
		if got, ok := jwt.SecondsOf(c.value); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %d, %v, want %d, %v", c.value, got, ok, c.want, c.ok)
		}
	}
}

func TestStringsOf(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []string
		ok    bool
	}{
		{`"a"`, []string{"a"}, true}, {`"a\u0062"`, []string{"ab"}, true}, {`""`, []string{""}, true},
		{`[ "a" , "b" ]`, []string{"a", "b"}, true}, {`[]`, nil, true}, {`["\ud83d\ude00"]`, []string{"😀"}, true},
		{`["�"]`, []string{"�"}, true},
		{`null`, nil, false}, {`[null]`, nil, false}, {`["a",1]`, nil, false}, {`[["a"]]`, nil, false},
		{`{"a":"b"}`, nil, false},
		{`1`, nil, false}, {`true`, nil, false},
		{`"\u0000"`, nil, false}, {`["\u0000"]`, nil, false}, // more than stores take
		{`"\ud800"`, nil, false}, {`["a","\ud800"]`, nil, false}, // two of these are one text
	} {
		if got, ok := jwt.StringsOf(c.value); ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.value, got, ok)
		}
	}
}

func TestSubjectOf(t *testing.T) {
	for value, want := range map[string]string{
		`"alice"`: "alice", `"17"`: "17", `17`: "17", `-5`: "-5", `0`: "0",
		`18446744073709551615`: "18446744073709551615",
		`1.0`:                  "", `1e3`: "", `100000000000000000000000`: "", `true`: "", `null`: "", `{}`: "",
		`["alice"]`: "", `""`: "",
		`"a\u0000b"`: "", `"\ud800"`: "", `-`: "",
	} {
		if got := jwt.SubjectOf(value); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

// depthOf returns how deep objects and arrays of a JSON text are nested.
func depthOf(text string) (deepest int) {
	decoder := json.NewDecoder(strings.NewReader(text))
	depth := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// namesOf returns the names of an object's own members as encoding/json reads
// them, in order and as often as they are there.
func namesOf(text string) (names []string) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil
		}
	}
	return names
}

// FuzzMembers holds members against encoding/json.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, ` {"iss":"x","aud":["a","b"],"exp":1.5e3} `,
		`{"a":{"b":[true,false,null]}}`, `{"a":1,"a":2}`,
		`{"\u0061":"\ud83d\ude00"}`, `{"\ud800":1}`, "{\"a\":\"\xff\"}", `{"a":-0.0E-1}`, nested(32, "1"),
		nested(33, ""), `{"a":"\u0000"}`, `{"a�\n":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jwt.Members(text)
		var theirs map[string]json.RawMessage
		theirErr := json.Unmarshal([]byte(text), &theirs)
		if theirErr == nil && theirs == nil {
			theirErr = io.EOF // null is no object
		}
		if err == nil || errors.Is(err, jwt.ErrDuplicate) {
			if theirErr != nil {
				t.Fatalf("%q: taken, but encoding/json says %v", text, theirErr)
			}
			names := namesOf(text)
			if len(names) != len(got) {
				t.Fatalf("%q: %d members, encoding/json has %d", text, len(got), len(names))
			}
			for i, m := range got {
				if m.Name != names[i] {
					t.Fatalf("%q: %q is %q by encoding/json", text, m.Name, names[i])
				}
				if err == nil && compact(t, m.Value) != compact(t, string(theirs[m.Name])) {
					t.Fatalf("%q: %s is %s, by encoding/json %s", text, m.Name, m.Value, theirs[m.Name])
				}
			}
			distinct := slices.Compact(slices.Sorted(slices.Values(names)))
			if (err != nil) != (len(distinct) < len(names)) {
				t.Fatalf("%q: %v, but names are %q", text, err, names)
			}
			return
		}
		if theirErr != nil || !utf8.ValidString(text) || depthOf(text) > jwt.MaxDepth ||
			len(namesOf(text)) > jwt.MaxMembers {
			return
		}
		for _, name := range namesOf(text) {
			if strings.ContainsRune(name, utf8.RuneError) || strings.ContainsRune(name, 0) {
				return // what unquote refuses
			}
		}
		t.Fatalf("%q: %v, but encoding/json takes it", text, err)
	})
}

func compact(t *testing.T, text string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b.String()
}

func TestAnObjectOfTooManyMembersIsRefused(t *testing.T) {
	object := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"%d":0`, i))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	if _, err := jwt.Members(object(jwt.MaxMembers)); err != nil {
		t.Error(err)
	}
	if _, err := jwt.Members(object(jwt.MaxMembers + 1)); err == nil {
		t.Error("taken")
	}
}
