package style

import (
	"go/scanner"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// english counts what makes a text hard for readers whose first language is not English.
type english struct {
	words int

	who        int // "the client who", where "the client that" is plain
	none       int // "none of them is", where "they are not" is plain
	semicolons int // two sentences in one
}

// limits are how many there may be among 1,000 words.
var limits = struct{ who, none, semicolons float64 }{1, 1, 2}

var (
	whoWords  = []string{"who", "whom", "whose", "whoever"}
	noneWords = []string{"none", "nobody", "neither", "nor"}
)

// add counts the words of a text.
func (e *english) add(text string) {
	apart := func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }
	for _, word := range strings.FieldsFunc(strings.ToLower(text), apart) {
		e.words++
		if slices.Contains(whoWords, word) {
			e.who++
		}
		if slices.Contains(noneWords, word) {
			e.none++
		}
	}
	e.semicolons += strings.Count(text, ";")
}

// check fails the test if there is too much.
func (e *english) check(t *testing.T, what string) {
	t.Helper()
	if e.words < 1000 {
		t.Fatalf("%s have %d words, want those of the repository", what, e.words)
	}
	for _, of := range []struct {
		what  string
		found int
		most  float64
	}{
		{"who, whom, whose or whoever", e.who, limits.who},
		{"none, nobody, neither or nor", e.none, limits.none},
		{"a semicolon", e.semicolons, limits.semicolons},
	} {
		if rate := 1000 * float64(of.found) / float64(e.words); rate > of.most {
			t.Errorf("%s have %s %.2f times in 1,000 words, want at most %v: say it in plain English", what, of.what,
				rate, of.most)
		}
	}
}

// comments adds the comments of a file of Go. Indented lines are code, and lines such as //go:build are for tools.
func (e *english) comments(f file) {
	var s scanner.Scanner
	positions := token.NewFileSet()
	s.Init(positions.AddFile(f.name, -1, len(f.text)), []byte(f.text), nil, scanner.ScanComments)
	for {
		_, kind, text := s.Scan()
		if kind == token.EOF {
			return
		}
		line, isLine := strings.CutPrefix(text, "//")
		if kind != token.COMMENT || isLine && (strings.HasPrefix(line, "go:") || strings.HasPrefix(line, "\t") ||
			strings.HasPrefix(line, " \t")) {
			continue
		}
		e.add(line)
	}
}

var (
	fences = regexp.MustCompile("(?ms)^```.*?^```$")
	code   = regexp.MustCompile("`[^`\n]*`")
)

// prose adds a file of Markdown without its code and its tables.
func (e *english) prose(f file) {
	for line := range strings.Lines(fences.ReplaceAllString(f.text, "")) {
		if !strings.HasPrefix(line, "|") {
			e.add(code.ReplaceAllString(line, ""))
		}
	}
}

func TestUnitPlainEnglish(t *testing.T) {
	t.Run("comments of Go are in plain English", func(t *testing.T) {
		var product, tests english
		for _, f := range files(t, ".go") {
			if f.isTest() {
				tests.comments(f)
			} else {
				product.comments(f)
			}
		}
		product.check(t, "the comments of the product")
		tests.check(t, "the comments of the tests")
	})
	t.Run("the documentation is in plain English", func(t *testing.T) {
		var docs english
		for _, f := range files(t, ".md") {
			docs.prose(f)
		}
		docs.check(t, "the pages")
	})
	t.Run("each of these is found", func(t *testing.T) {
		text := "package p // A client who waits; nobody answers.\n\n//\tcode; code\n\n//go:build who\n// Whose? " +
			"None.\n"
		var got english
		got.comments(file{"p.go", text})
		if want := (english{words: 8, who: 2, none: 2, semicolons: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		got = english{}
		got.prose(file{"p.md", "Who?\n\n```go\nnone; nor\n```\n\n| nobody |\n\nIt is `whose`; so.\n"})
		if want := (english{words: 4, who: 1, semicolons: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
