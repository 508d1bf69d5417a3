package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The longest texts that backends give to a store, in bytes. See backend.MaxUserID and backend.MaxID.
const (
	longUserID   = 512
	longRecordID = 64 // those of backend.NewID have 36
	longDigest   = 64
	longID       = 255 // of sessions of others, keys of PutOnce and key IDs
	longClientID = 1024
	longIssuer   = 1024
	longSubject  = 512
)

// A store gets UTF-8 without NUL: backends keep other texts from it.

// names returns texts of at most max bytes that are different byte by byte. A database that compares them by a
// collation takes some of them for one. One that cuts or cleans texts keeps other ones.
func names(max int) []string {
	long := func(end string) string { return strings.Repeat("x", max-len(end)) + end }
	all := []string{
		"alice", "Alice", "ALICE", "alice ", " alice", "alice  ", "alice\t", "alice\n", "al\nice", "al\u2028ice",
		"Zo\u00eb", "Zoe\u0308", "Zoe", "zo\u00eb", "Zo\u00cb", "stra\u00dfe", "strasse", "\u212a", "K", "k",
		"\ufb01", "fi", "\u0130", "i\u0307", "i", "\u0131", "\uff11", "1", "01", "1.0", "1e0",
		"\U0001f512", "\U0001f513", "\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469", "\u65e5\u672c",
		"\ufffd", "a\u200b", "a",
		`'`, `''`, `"`, `\`, `\\`, `\'`, "`", "%", "_", "a%", "a_", "ab",
		`'; DROP TABLE x; --`, `$1`, `?`, `:a`, "{prefix}",
		"NULL", "null", "\x01", "\x7f", "\u0085", "\ufeffa", "e\u202e",
		long("a"), long("b"), long(" "), long("\u00e9"), strings.Repeat("\U0001f512", max/4),
	}
	return slices.DeleteFunc(all, func(name string) bool { return len(name) > max })
}

// longText returns a text of exactly max bytes with all that is odd in texts, for what a store only keeps.
func longText(max int) string {
	const rest = "\U0001f512 Zo\u00eb Zoe\u0308 '\"`\\%_\n\t\u2028\u202e {prefix} $1 ? "
	text := strings.ToValidUTF8(strings.Repeat(rest, max/len(rest)+1)[:max-1], "")
	return text + strings.Repeat("x", max-1-len(text)) + " "
}

// eachName calls f with each name and its number, as text.
func eachName(all []string, f func(name, number string)) {
	for i, name := range all {
		f(name, fmt.Sprintf("%03d", i))
	}
}

// wantOwn fails unless what is found by a name is the one thing that has it.
func wantOwn(t *testing.T, what, name string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q of %s %.80q, want %q", got, what, name, want)
	}
}

// longScopes are as many as a request can ask for.
func longScopes() []string {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("https://api.example/scopes/read-%03d", i))
	}
	return all
}

// longMethods are as many and as long as backend.CheckAuthInfo lets pass.
func longMethods() []string { return slices.Repeat([]string{longText(255)}, 32) }

// next returns the one after a text, if there is one.
func next(all []string, after string) []string {
	i := slices.Index(all, after) + 1
	return all[i:min(i+1, len(all))]
}
