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

// TestTheLogLinesOfTheDocsAreThoseOfTheCode reads docs/troubleshooting.md and looks for
// each text that it quotes from the log among the strings of the code.
func TestTheLogLinesOfTheDocsAreThoseOfTheCode(t *testing.T) {
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := codeStrings(t)
	quoted := regexp.MustCompile("`[^`]+`")
	checked := 0
	for line := range strings.Lines(string(page)) {
		columns := strings.Split(line, "|")
		if len(columns) != 5 {
			continue
		}
		for _, quote := range quoted.FindAllString(columns[2], -1) {
			checked++
			if text := strings.Trim(quote, "`"); !strings.Contains(texts, text) {
				t.Errorf("no string of the code has %q", text)
			}
		}
	}
	if checked < 25 {
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
