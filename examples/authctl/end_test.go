package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// age makes the tokens of a store older.
func age(t *testing.T, f file, by time.Duration) {
	t.Helper()
	records := openRecords(t, f)
	page, err := records.Export(t.Context(), transfer.KnoxTokens, "", 100, time.Now())
	for _, record := range page.Records {
		token := record.(transfer.KnoxToken)
		token.Created = token.Created.Add(-by)
	}
	if err == nil {
		err = records.Replace(t.Context(), transfer.KnoxTokens, page.Records, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnitEnd(t *testing.T) {
	for _, engine := range engines[:4] {
		t.Run(engine.name+": everything since a time ends, then everything", func(t *testing.T) {
			t.Parallel()
			f := engine.file(t)
			d := launch(t, f)
			old := "Authorization: Token " + d.login(alice)
			age(t, f, 7*time.Minute)
			early := "Authorization: Token " + d.login(alice)
			age(t, f, 3*time.Minute) // as one that the clock of another machine says was issued later
			since := time.Now().UTC().Format(time.RFC3339Nano)
			token, cookie := "Authorization: Token "+d.login(bob), d.signIn("bob", "staple-tractor-lamp")
			access, refresh := d.pair("bob", "staple-tractor-lamp")
			proofs := []string{token, cookie, "Authorization: Bearer " + access}
			for _, proof := range append(proofs, old, early) {
				d.want(200, "GET", "/api/me", proof)
			}

			r := f.run("end", "-since", since)
			if r.code != 0 || line(r.out, "tokens") != "2" || line(r.out, "sessions") != "1" ||
				line(r.out, "logins") != "1" ||
				!strings.Contains(r.err, "until they expire") ||
				!strings.Contains(r.err, "5 minutes earlier than -since") {
				t.Errorf("got %+v, want two tokens, one of all others, and to be told of the 5 minutes", r)
			}
			for _, proof := range append(proofs, early) {
				d.want(401, "GET", "/api/me", proof)
			}
			d.want(401, "POST", "/api/token/refresh/", "", "refresh", refresh)
			d.want(200, "GET", "/api/me", old)

			f.want("end", "-all")
			d.want(401, "GET", "/api/me", old)
			d.want(200, "GET", "/api/me", "Authorization: Token "+d.login(alice))
			if text := f.want("audit", "alice"); !strings.Contains(text, "revoked_all") {
				t.Errorf("got %s, want the token of alice to be kept as ended", text)
			}
		})
	}
	f := newFile(t)
	for _, row := range []struct{ name, args, want string }{
		{"neither -all nor -since", "end", "want either -all or -since"},
		{"both", "end -all -since 1h", "want either -all or -since"},
		{"no time", "end -since yesterday", "want a time such as"},
		{"an empty variable of a script", "end -since=", "want a time such as"},
		{"a time that has not come", "end -since 2999-01-01T00:00:00Z", "has not come yet"},
		{"a negative one", "end -since=-1h", "want a time such as"},
	} {
		t.Run("it refuses "+row.name, func(t *testing.T) {
			f.t = t
			if r := f.run(strings.Fields(row.args)...); r.code != misuse || !strings.Contains(r.err, row.want) {
				t.Errorf("got %+v, want %q", r, row.want)
			}
		})
	}
}
