package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// errorPrefixes are what the errors of a package start with, by its folder. A folder below has the prefix of the
// nearest one above that is listed.
var errorPrefixes = map[string]string{
	".": "auth", "authtest": "authtest", "backend": "backend", "header": "header", "internal": "internal", "jwt": "jwt",
	"knox": "knox", "oauth2": "oauth2", "oauth2/external": "oauth2/external", "oauth2/server": "oauth2/server",
	"page": "page", "password": "password", "session": "session", "store/sqlstore": "sqlstore",
	"store/sqlstore/internal/schema": "sqlstore", "store/storetest": "storetest",
}

// inSentences are folders with errors that may have no prefix, because the packages that call them put one in front, as
// in "knox: Config.Cookie: …".
var inSentences = []string{"backend", "internal", "store/sqlstore/internal/schema"}

// bareErrors are errors of the root that start with no prefix. They are kinds, which stand in the middle of sentences.
var bareErrors = append([]string{"ErrNoCredentials", "ErrInternal"}, refusalKinds...)

func TestUnitErrorsNameThePackageThatMadeThem(t *testing.T) {
	checked, seen := 0, make(map[string]bool)
	for folder := range errorPrefixes {
		files, err := productFiles(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if seen[name] {
				continue // it is in a folder of a folder
			}
			seen[name] = true
			prefix, inSentence := errorPrefixOf(name)
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			found, faults := wrongPrefixes(file, prefix, inSentence)
			checked += found
			for _, fault := range faults {
				t.Errorf("%s: %s, want the prefix %q", set.Position(fault.at), fault.text, prefix)
			}
		}
	}
	if checked < 200 {
		t.Errorf("found only %d texts with a prefix: the test looks at the wrong things", checked)
	}
}

// errorPrefixOf returns the prefix of the package of a file, and whether its errors may be without.
func errorPrefixOf(name string) (prefix string, inSentence bool) {
	for folder := filepath.Dir(name); ; folder = filepath.Dir(folder) {
		if prefix, ok := errorPrefixes[filepath.ToSlash(folder)]; ok {
			return prefix, slices.Contains(inSentences, filepath.ToSlash(folder))
		}
	}
}

// TestUnitTheTestOfPrefixes shows the test above what it must find, in package knox.
func TestUnitTheTestOfPrefixes(t *testing.T) {
	for source, want := range map[string]int{
		`var errX = errors.New("knox: no")`:                                          0,
		`var errX = errors.New("no")`:                                                0,
		`var errX = errors.New("jwt: no")`:                                           1,
		`var errX = errors.New("oauth2/external: " + "no")`:                          1,
		`var ErrX = errors.New("knox: no")`:                                          0,
		`var ErrX = errors.New("no")`:                                                1,
		`var ErrInvalid = errors.New("no")`:                                          0,
		`func F() error { return errors.New("knox: no") }`:                           0,
		`func F() error { return errors.New("no") }`:                                 1,
		`func F() error { return fmt.Errorf("no: %w", err) }`:                        1,
		`func F() error { return fmt.Errorf("%w: no", err) }`:                        0,
		`func F() (int, error) { return 0, errors.New("no " + "no") }`:               1,
		`func F() { run(func() error { return errors.New("no") }) }`:                 0,
		`func f() error { return errors.New("no") }`:                                 0,
		`func f() error { return fmt.Errorf("auth: no") }`:                           1,
		`func F() error { return &auth.Error{Cause: errors.New("no")} }`:             0,
		`func F() { log.Warn("sqlstore: no") }`:                                      1,
		`func F() { log.Warn("knox: no") }`:                                          0,
		`func f() { s := backend.Settings{Package: "jwt"} }`:                         1,
		`func f() { s := backend.Settings{Package: "knox"} }`:                        0,
		`func f() error { return fmt.Errorf("status: %d", 1) }`:                      0,
		`func (t T) F() error { return errors.New("no") }`:                           1,
		`func F() error { return errors.Join(errors.New("no"), errors.New("knox"))}`: 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := wrongPrefixes(file, "knox", false); len(faults) != want {
			t.Errorf("%s: %d faults %v, want %d", source, len(faults), faults, want)
		}
	}
}

var startsLikePrefix = regexp.MustCompile(`^([a-z0-9]+(?:/[a-z0-9]+)*): `)

// wrongPrefixes returns how many texts of a file have the prefix of a package of this project, and which of them have
// another one than that of the package. Errors that the package exports or that an exported function returns must have
// it, unless they are for sentences of others.
func wrongPrefixes(file *ast.File, prefix string, inSentence bool) (found int, faults []refusalFault) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			has := prefixOfText(n)
			if has != "" {
				found++
			}
			if has != "" && has != prefix {
				faults = append(faults, refusalFault{n.Pos(), "the text has the prefix of another package: " + n.Value})
			}
		case *ast.KeyValueExpr:
			if literal, ok := n.Value.(*ast.BasicLit); ok && lastName(n.Key) == "Package" &&
				literal.Value != strconv.Quote(prefix) {
				faults = append(faults, refusalFault{n.Pos(), "Settings are of another package: " + literal.Value})
			}
		}
		return true
	})
	if inSentence {
		return found, faults
	}
	for _, e := range exportedErrors(file) {
		if text, ok := errorText(e); ok && !strings.HasPrefix(text, prefix+": ") && !strings.HasPrefix(text, "%w") &&
			prefixOf(text) == "" {
			faults = append(faults, refusalFault{e.Pos(), "the error has no prefix: " + strconv.Quote(text)})
		}
	}
	return found, faults
}

// prefixOfText returns the prefix of a text that starts with that of a package of this project, and "" otherwise.
func prefixOfText(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if literal.Kind != token.STRING || err != nil {
		return ""
	}
	return prefixOf(text)
}

func prefixOf(text string) string {
	match := startsLikePrefix.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	for folder, prefix := range errorPrefixes {
		if match[1] == prefix || match[1] == folder || match[1] == filepath.Base(folder) {
			return match[1]
		}
	}
	return ""
}

// exportedErrors returns the values of variables that are exported, and what exported functions return.
func exportedErrors(file *ast.File) (all []ast.Expr) {
	for _, declared := range file.Decls {
		switch d := declared.(type) {
		case *ast.GenDecl:
			all = append(all, exportedValues(d)...)
		case *ast.FuncDecl:
			if d.Body != nil && d.Name.IsExported() {
				all = append(all, returned(d.Body)...)
			}
		}
	}
	return all
}

func exportedValues(d *ast.GenDecl) (all []ast.Expr) {
	for _, spec := range d.Specs {
		values, ok := spec.(*ast.ValueSpec)
		if !ok || len(values.Names) != len(values.Values) {
			continue
		}
		for i, name := range values.Names {
			if name.IsExported() && !slices.Contains(bareErrors, name.Name) {
				all = append(all, values.Values[i])
			}
		}
	}
	return all
}

// returned returns what a function returns, without those in it.
func returned(body *ast.BlockStmt) (all []ast.Expr) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			all = append(all, n.Results...)
		}
		return true
	})
	return all
}

// errorText returns the start of the text of an error that e makes with errors.New or fmt.Errorf.
func errorText(e ast.Expr) (text string, ok bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	switch lastName(function.X) + "." + function.Sel.Name {
	case "errors.New", "fmt.Errorf":
	default:
		return "", false
	}
	first := call.Args[0]
	for {
		sum, ok := first.(*ast.BinaryExpr)
		if !ok {
			break
		}
		first = sum.X
	}
	literal, ok := first.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}
