package auth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// messageOf finds the message in a line of the log that a page shows.
	messageOf = regexp.MustCompile(`^level=.*msg="([^"]+)"`)
	// eventOf finds the kind in the message of an event, which the code puts together.
	eventOf = regexp.MustCompile(`^auth ([a-z]+)$`)
)

// fromServers are texts of the log that servers, drivers and the standard library write, or that are attributes.
var fromServers = []string{"status=503", "status=500", "error", "connection refused", "context deadline exceeded",
	"too many connections", "database or disk is full", "The table 'gatewarden_knox_tokens' is full",
	"No space left on device (SQLSTATE 53100)",
	"certificate has expired or is not yet valid"}

// quotesOf returns what a page quotes from the log: the messages of whole lines, and the texts in code style in the
// columns with the heading "in the log".
func quotesOf(page string) (quotes []string) {
	column := 0
	for line := range strings.Lines(page) {
		if message := messageOf.FindStringSubmatch(line); message != nil {
			quotes = append(quotes, message[1])
		}
		columns := strings.Split(line, "|")
		if at := slices.Index(columns, " in the log "); at > 0 || len(columns) < 3 {
			column = max(at, 0)
			continue
		}
		if column == 0 || column >= len(columns) {
			continue
		}
		for _, quote := range inCode.FindAllString(columns[column], -1) {
			if quote = strings.Trim(quote, "`"); !slices.Contains(fromServers, quote) {
				quotes = append(quotes, quote)
			}
		}
	}
	return quotes
}

// inStrings reports whether the code has a quote among its strings, or the kind of event that it names.
func inStrings(texts, quote string) bool {
	if kind := eventOf.FindStringSubmatch(quote); kind != nil {
		return strings.Contains(texts, "\n"+kind[1]+"\n")
	}
	return strings.Contains(texts, quote)
}

// TestUnitOperationsQuoteTheLog looks for each line of the log that the pages for operators quote among the strings of
// the code.
func TestUnitOperationsQuoteTheLog(t *testing.T) {
	texts := codeStrings(t)
	for _, page := range []struct {
		name   string
		quotes int // at least so many are there
	}{{"docs/operations.md", 4}, {"docs/operations/backups.md", 8}, {"docs/operations/runbook.md", 35}} {
		t.Run(page.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.FromSlash(page.name))
			if err != nil {
				t.Fatal(err)
			}
			quotes := quotesOf(string(text))
			for _, quote := range quotes {
				if !inStrings(texts, quote) {
					t.Errorf("no string of the code has %q", quote)
				}
			}
			if len(quotes) < page.quotes {
				t.Errorf("found %d quotes, want at least %d", len(quotes), page.quotes)
			}
		})
	}
}

// commandOf finds the command in code for authctl, after the flags that come before it.
var commandOf = regexp.MustCompile("(?m)(?:`|\\$ |^)authctl((?: -[a-z]+ (?:\"[^\"]*\"|[^ `]+))*) ([a-z]+)\\b")

// TestUnitOperationsNameCommandsOfAuthctl looks for each command of authctl in the pages for operators among its own.
func TestUnitOperationsNameCommandsOfAuthctl(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("examples", "authctl", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]int{"operations.md": 4, "operations/backups.md": 4,
		"operations/runbook.md": 6} {
		t.Run(name, func(t *testing.T) {
			page, err := os.ReadFile(filepath.Join("docs", filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			found := commandOf.FindAllStringSubmatch(string(page), -1)
			for _, command := range found {
				if !strings.Contains(string(source), `{"`+command[2]+`", `) {
					t.Errorf("authctl has no command %q, as in %q", command[2], command[0])
				}
			}
			if len(found) < least {
				t.Errorf("found %d commands, want at least %d", len(found), least)
			}
		})
	}
}
