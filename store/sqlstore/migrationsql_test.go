package sqlstore_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// TestUnitREADMEHasTheSchema reads the migrations and the README.
func TestUnitREADMEHasTheSchema(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := os.DirFS("migrations")
	files, err := fs.Glob(folder, "*/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d scripts, %v, want those of three engines", len(files), err)
	}
	for _, file := range files {
		script, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(strings.ReplaceAll(string(script), "{prefix}", "gatewarden_"))
		if !strings.Contains(string(text), want) {
			t.Errorf("the README lacks the script %s as it is now", file)
		}
	}
}
