package interop

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// rowsOfLibraries finds the rows of docs/oauth2.md about libraries, with one or two names and versions each.
var rowsOfLibraries = regexp.MustCompile(`(?m)^\| ([^|]+) \((?:Go|Java|JavaScript|Python)\) \|`)

func TestTheDocumentedVersionsAreThoseThatRun(t *testing.T) {
	var pinned strings.Builder
	for _, file := range []string{"go.mod", "package.json", "requirements.txt", "../Makefile"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pinned.Write(text)
	}
	page, err := os.ReadFile("../docs/oauth2.md")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`([A-Za-z@][\w./@-]*) (\d+\.\d+\.\d+)`)
	seen := 0
	for _, row := range rowsOfLibraries.FindAllStringSubmatch(string(page), -1) {
		for _, named := range version.FindAllStringSubmatch(row[1], -1) {
			seen++
			// "NAME": "VERSION" of npm, NAME==VERSION of PyPI, NAME/v3 vVERSION of Go, and SPRING_BOOT = VERSION…
			pin := regexp.QuoteMeta(named[1]) + `(": "|==|(/v\d+)? v| =.* )` + regexp.QuoteMeta(named[2]) + `["\s]`
			if !regexp.MustCompile(`(?i)` + pin).MatchString(pinned.String() + "\n") {
				t.Errorf("the page names %s %s, which no file pins", named[1], named[2])
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d versions found", seen)
	}
}
