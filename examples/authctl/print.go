package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
)

// recordInfo describes a token, session or login, in the names that the service's
// own answers have.
type recordInfo struct {
	Kind      string     `json:"kind"` // token, session or login
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	UserAgent string     `json:"user_agent"`
	IP        string     `json:"ip"`
	Scopes    []string   `json:"scopes"` // nil is not limited
	Created   time.Time  `json:"created"`
	LastUsed  *time.Time `json:"last_used"` // nil is never
}

// row is one that is good.
type row struct {
	recordInfo
	Expiry *time.Time `json:"expiry"` // nil is never
	// Permissions are those of a grant, with scopes for each API.
	Permissions server.Permissions `json:"permissions,omitempty"`
}

// limits says what a credential is limited to.
func (r row) limits() string {
	if len(r.Permissions) == 0 {
		return limits(r.Scopes)
	}
	var all []string
	for _, each := range r.Permissions {
		text := cmp.Or(strings.Join(each.Scopes, " "), "none")
		if each.Resource != "" {
			text += " at " + each.Resource
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// endedRow is one that was.
type endedRow struct {
	recordInfo
	Ended  time.Time      `json:"ended"`
	Reason knox.EndReason `json:"reason"`
}

func rowOfToken(t *knox.Token) row {
	return row{recordInfo{"token", t.ID(), t.Name(), t.UserAgent(), t.IP(), limit(t.Scopes()), t.Created(),
		instant(t.LastUsed())}, instant(t.IdleExpiresAt()), nil}
}

func rowOfSession(s *session.Session) row {
	return row{recordInfo{"session", s.ID(), "", s.UserAgent(), s.IP(), limit(s.Scopes()), s.Created(),
		instant(s.LastUsed())}, instant(s.IdleExpiresAt()), nil}
}

func rowOfLogin(f *jwt.Session) row {
	return row{recordInfo{"login", f.ID, "", f.UserAgent, f.IP, limit(f.Scopes, f.Limited), f.Created,
		instant(f.LastUsed)}, instant(f.ExpiresAt), nil}
}

func rowOfEnded(t *knox.EndedToken) endedRow {
	return endedRow{recordInfo{"token", t.ID, t.Name, t.UserAgent, t.IP, limit(t.Scopes, t.Limited), t.Created,
		instant(t.LastUsed)}, t.EndedAt, t.Reason}
}

func writeRows(w io.Writer, rows []row) error {
	lines := [][]string{{"KIND", "ID", "NAME", "CREATED", "LAST USED", "EXPIRES", "IP", "SCOPES"}}
	for _, r := range rows {
		lines = append(lines, []string{r.Kind, r.ID, r.label(), when(&r.Created), when(r.LastUsed), when(r.Expiry),
			cmp.Or(r.IP, "-"), r.limits()})
	}
	return writeTable(w, lines)
}

func writeEnded(w io.Writer, rows []endedRow) error {
	lines := [][]string{{"ID", "NAME", "CREATED", "LAST USED", "ENDED", "WHY", "IP", "SCOPES"}}
	for _, r := range rows {
		lines = append(lines, []string{r.ID, r.label(), when(&r.Created), when(r.LastUsed), when(&r.Ended),
			string(r.Reason), cmp.Or(r.IP, "-"), limits(r.Scopes)})
	}
	return writeTable(w, lines)
}

func writeKeys(w io.Writer, infos []jwt.KeyInfo) error {
	lines := [][]string{{"STATE", "ALGORITHM", "ID", "CREATED", "SIGNS FROM", "TRUSTED UNTIL"}}
	for _, i := range infos {
		lines = append(lines, []string{string(i.State), string(i.Algorithm), i.ID, when(&i.Created), when(&i.SignsFrom),
			when(instant(i.ExpiresAt))})
	}
	return writeTable(w, lines)
}

// count is how many of a kind.
type count struct {
	kind string
	n    int
}

func writeCounts(w io.Writer, counts []count) error {
	var lines [][]string
	for _, c := range counts {
		lines = append(lines, []string{c.kind, fmt.Sprint(c.n)})
	}
	return writeTable(w, lines)
}

func writeTable(w io.Writer, lines [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		for i := range line {
			line[i] = printable(line[i])
		}
		fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	return table.Flush()
}

func writeJSON(w io.Writer, rows any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}

// label is by what a user would know it, short enough for a table.
func (k recordInfo) label() string {
	const most = 40
	text := []rune(cmp.Or(k.Name, k.UserAgent, "-"))
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

// printable takes out what would command a terminal rather than be read: names
// and user agents are whatever a client sent.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func when(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

func instant(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func limit(scopes []string, limited bool) []string {
	if !limited {
		return nil
	}
	return append([]string{}, scopes...)
}

func limits(scopes []string) string {
	switch {
	case scopes == nil:
		return "unlimited"
	case len(scopes) == 0:
		return "none"
	}
	return strings.Join(scopes, " ")
}
