package auth_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docPage is a page with tables that quote the log and the answers.
type docPage struct {
	name    string
	columns int // of its tables, with the two that are empty outside them
	log     int // the column with texts of the log in code style
	answers int // the column with sentences for the client in double quotes, or 0
	quotes  int // at least so many are there
}

// TestTheLogLinesOfTheDocsAreThoseOfTheCode reads the pages about mistakes and looks for each text
// that they quote from the log or an answer among the strings of the code.
func TestTheLogLinesOfTheDocsAreThoseOfTheCode(t *testing.T) {
	texts := codeStrings(t)
	for _, page := range []docPage{
		{"docs/troubleshooting.md", 5, 2, 0, 80},
		{"docs/mistakes.md", 7, 4, 3, 100},
	} {
		t.Run(page.name, func(t *testing.T) {
			checkQuotes(t, page, texts)
		})
	}
}

var (
	inCode  = regexp.MustCompile("`[^`]+`")
	inQuote = regexp.MustCompile(`"[^"]+"`)
)

func checkQuotes(t *testing.T, page docPage, texts string) {
	t.Helper()
	text, err := os.ReadFile(page.name)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	look := func(quotes []string, edge string) {
		for _, quote := range quotes {
			checked++
			if text := strings.Trim(quote, edge); !strings.Contains(texts, text) {
				t.Errorf("no string of the code has %q", text)
			}
		}
	}
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(line, "|")
		if len(columns) != page.columns {
			continue
		}
		look(inCode.FindAllString(columns[page.log], -1), "`")
		if page.answers > 0 {
			look(inQuote.FindAllString(columns[page.answers], -1), `"`)
		}
	}
	if checked < page.quotes {
		t.Errorf("found only %d texts in the page", checked)
	}
}

// codeStrings returns the strings of all product code, those that are joined by + as one.
func codeStrings(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, joined := joinedString(e)
			if joined {
				all.WriteString(text + "\n")
			}
			return !joined
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// joinedString returns the text of a string, or of several with + between them. What is
// not a string between them is left out.
func joinedString(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return constant.StringVal(constant.MakeFromLiteral(e.Value, token.STRING, 0)), true
		}
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, isText := joinedString(e.X)
		right, too := joinedString(e.Y)
		return left + right, isText || too
	}
	return "", false
}
