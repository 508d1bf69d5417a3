// Package authorkit_test proves that a backend of another module can be all that
// knox is: a copy of knox outside this module builds and serves with exported
// names only.
package authorkit_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	// What the copy needs is needed here, so that it is in the module cache.
	_ "github.com/gatewarden/auth/header"
	_ "github.com/gatewarden/auth/knox"
)

func TestUnitACopyOfKnoxInAnotherModuleServes(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyKnox(t, root, dir)
	for _, name := range []string{"liststore.go", "service_test.go"} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join("testdata", name+".txt")))
	}
	write(t, filepath.Join(dir, "go.mod"), goMod(t, root))
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))

	for _, args := range [][]string{{"build", "./..."}, {"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PWD="+dir, "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("wanted go %s to succeed in the copy, got %v:\n%s", strings.Join(args, " "), err, output)
		}
	}
}

// copyKnox copies the files of knox that are not tests, but for those of its memory store
// (memory….go), which use internal packages. No other file may use one.
func copyKnox(t *testing.T, root, dir string) {
	files, err := filepath.Glob(filepath.Join(root, "knox", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "memory") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text := read(t, file)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(strings.Split(path, "/"), "internal") {
				t.Errorf("wanted knox/%s to import what other modules can import, and it imports %s", name, path)
			}
		}
		write(t, filepath.Join(dir, name), text)
		copied++
	}
	if copied == 0 {
		t.Fatalf("wanted files in %s, got none", filepath.Join(root, "knox"))
	}
}

// goMod returns a go.mod for the copy, for the Go version of this module.
func goMod(t *testing.T, root string) string {
	version := regexp.MustCompile(`(?m)^go \S+$`).FindString(read(t, filepath.Join(root, "go.mod")))
	if version == "" {
		t.Fatal("wanted a line with the Go version in go.mod, got none")
	}
	const module = "github.com/gatewarden/auth"
	return fmt.Sprintf("module example.com/mytokens\n\n%s\n\nrequire %s v0.0.0\n\nreplace %s => %s\n",
		version, module, module, strconv.Quote(root))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write writes a file that must not be there yet.
func write(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
