package style

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file is a text of the repository.
type file struct {
	name string // from the root, with slashes
	text string
}

// foreign are folders with texts of others, or without texts.
var foreign = []string{".git", ".tools", ".venv", "node_modules", "target", "testdata"}

// files returns the texts whose names end in one of these.
func files(t *testing.T, ends ...string) (found []file) {
	t.Helper()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if slices.Contains(foreign, entry.Name()) {
				return fs.SkipDir
			}
		case entry.Type().IsRegular() && slices.Contains(ends, filepath.Ext(name)):
			text, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			found = append(found, file{name, string(text)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found %d files that end in %v, want those of the repository", len(found), ends)
	}
	return found
}

// isTest reports whether a file is a test of Go.
func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }
