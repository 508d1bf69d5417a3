package auth_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// explained are the folders in which every refusal has a cause for the log.
var explained = []string{".", "backend", "header", "internal", "jwt", "knox", "oauth2", "password", "session"}

// refusalKinds are the kinds that never stand alone, because they give the operator no
// reason. ErrNoCredentials does: most requests without credentials have no other reason.
var refusalKinds = []string{"ErrUnrecognized", "ErrInvalid", "ErrMalformed", "ErrInsufficient", "ErrCrossOrigin",
	"ErrThrottled"}

func TestEveryRefusalHasACauseForTheLog(t *testing.T) {
	checked := 0
	for _, folder := range explained {
		files, err := productFiles(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			found, faults := causes(file)
			checked += found
			for _, fault := range faults {
				t.Errorf("%s: %s", set.Position(fault.at), fault.text)
			}
		}
	}
	if checked < 40 {
		t.Errorf("found only %d refusals in the code: the test looks at the wrong things", checked)
	}
}

// TestTheTestOfRefusals shows the test above what it must find.
func TestTheTestOfRefusals(t *testing.T) {
	for source, want := range map[string]int{
		`var err error = &auth.Error{Kind: auth.ErrInvalid, Detail: "x"}`:                           1,
		`var err error = &auth.Error{Kind: auth.ErrInvalid, Cause: cause}`:                          0,
		`var err error = &auth.Error{Detail: "an outage"}`:                                          1,
		`var err error = &auth.Error{Kind: auth.ErrNoCredentials}`:                                  0,
		`var err error = &auth.Error{Kind: auth.ErrNoCredentials, Detail: "x"}`:                     1,
		`func f() error { return auth.ErrInvalid }`:                                                 1,
		`func f() (int, error) { return 0, auth.ErrThrottled }`:                                     1,
		`func f() error { return fmt.Errorf("%w: why", auth.ErrInvalid) }`:                          0,
		`func f() error { return auth.ErrNoCredentials }`:                                           0,
		`func f(err error) bool { return errors.Is(err, auth.ErrInvalid) }`:                         0,
		`func f(err error) bool { return auth.KindOf(err) == auth.ErrInvalid }`:                     0,
		`func f(err error) { switch auth.KindOf(err) { case auth.ErrInvalid: } }`:                   0,
		`func f() { guard.Refuse(w, r, auth.ErrInvalid) }`:                                          1,
		`func f() { err := auth.ErrInvalid; _ = err }`:                                              1,
		`var err = auth.ErrInvalid`:                                                                 1,
		`var all = []auth.Error{{Kind: auth.ErrInvalid}}`:                                           1,
		`func malformed(d string) error { return &auth.Error{Kind: auth.ErrMalformed, Detail: d} }`: 1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := causes(file); len(faults) != want {
			t.Errorf("%s: %d faults %v, want %d", source, len(faults), faults, want)
		}
	}
}

// productFiles returns the Go files of a folder that are no tests, and for other folders
// than the root those of the folders below it.
func productFiles(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != folder && (folder == "." || hasModule(name)):
			return fs.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func hasModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

type refusalFault struct {
	at   token.Pos
	text string
}

// causes returns how many refusals a file makes, and which of them have no cause.
func causes(file *ast.File) (refusals int, faults []refusalFault) {
	bare := func(expressions ...ast.Expr) {
		for _, e := range expressions {
			if kind := kindName(e); kind != "" {
				refusals++
				faults = append(faults, refusalFault{e.Pos(), kind + " stands alone. Use an auth.Error with a Cause"})
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ReturnStmt:
			bare(n.Results...)
		case *ast.AssignStmt:
			for i, e := range n.Rhs { // told.Kind = auth.ErrInvalid is a part of an Error
				if len(n.Lhs) != len(n.Rhs) || lastName(n.Lhs[i]) != "Kind" {
					bare(e)
				}
			}
		case *ast.ValueSpec:
			bare(n.Values...)
		case *ast.CallExpr:
			if name := lastName(n.Fun); name != "Is" && name != "Errorf" {
				bare(n.Args...)
			}
		case *ast.CompositeLit:
			for _, literal := range errorLiterals(n) {
				refusals++
				if fault := literalFault(literal); fault != "" {
					faults = append(faults, refusalFault{literal.Pos(), fault})
				}
			}
		}
		return true
	})
	return refusals, faults
}

// errorLiterals returns n if it is an Error, and the elements if it is a list of them.
func errorLiterals(n *ast.CompositeLit) (all []*ast.CompositeLit) {
	if lastName(n.Type) == "Error" {
		return []*ast.CompositeLit{n}
	}
	if list, ok := n.Type.(*ast.ArrayType); ok && lastName(list.Elt) == "Error" {
		for _, element := range n.Elts {
			if literal, ok := element.(*ast.CompositeLit); ok {
				all = append(all, literal)
			}
		}
	}
	return all
}

func literalFault(literal *ast.CompositeLit) string {
	fields := make(map[string]ast.Expr)
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			fields[lastName(pair.Key)] = pair.Value
		}
	}
	absent := fields["Kind"] != nil && lastName(fields["Kind"]) == "ErrNoCredentials"
	if fields["Cause"] == nil && len(literal.Elts) > 0 && !(absent && len(fields) == 1) {
		return fmt.Sprintf("an Error of %d fields has no Cause", len(fields))
	}
	return ""
}

// kindName returns the name of the refusal that e names, or "".
func kindName(e ast.Expr) string {
	if name := lastName(e); slices.Contains(refusalKinds, name) {
		return name
	}
	return ""
}

// lastName returns "Error" for Error and auth.Error.
func lastName(e ast.Node) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
