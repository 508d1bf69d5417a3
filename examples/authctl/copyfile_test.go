package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewarden/auth/store/transfer"
)

func TestUnitCopyFile(t *testing.T) {
	t.Run("two runs at once are refused", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		other, err := openCopyFile(c.state, c.from.address(), c.to.address())
		if err != nil {
			t.Fatal(err)
		}
		c.refused(t, c.state+": another run of this copy has not ended")
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		c.run(t)
	})
	t.Run("a relative path means the same in another folder", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		path := c.from.path
		inFolder := func(folder, path string) *result {
			relative := c
			relative.from.path = path
			cmd := relative.command(t)
			cmd.Dir = folder
			r := start(t, cmd)
			return &r
		}
		if r := inFolder(filepath.Dir(path), filepath.Base(path)); r.code != 0 {
			t.Fatalf("authctl: got %+v, want exit code 0", r)
		}
		c.run(t) // by the absolute path
		other := newFile(t)
		r := inFolder(filepath.Dir(other.path), filepath.Base(path))
		if r.code == 0 || !strings.Contains(r.err, "belongs to a copy between other stores") {
			t.Errorf("got %+v, want a file of the same name elsewhere to be refused", r)
		}
	})
	t.Run("without its journal, the copy does not go on", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.run(t)
		if err := os.Remove(c.state + ".written"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c.refused(t, "copy.json.written is missing or not the journal of this copy", "-final")
		}
	})
	for name, cut := range map[string]string{"a kill cut": `{"kind":"knox tokens","writ`,
		"is complete and invalid": "\x00\x00\x00\n"} {
		t.Run("a last line of the journal that "+name+" is no harm", func(t *testing.T) {
			checkCutJournal(t, cut)
		})
	}
	t.Run("a line of the journal that is invalid amid others is told", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.run(t)
		addToJournal(t, c, "\x00\n"+`{"kind":"users of the service","done":true}`+"\n")
		c.refused(t, "copy.json.written: ")
	})
	t.Run("the journal has no secret, and only its owner reads it", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.run(t)
		text, err := os.ReadFile(c.state + ".written")
		if err != nil || strings.Contains(string(text), "$argon2") || !strings.Contains(string(text), "user alice") {
			t.Errorf("got the journal %s, want the users without their passwords: %v", text, err)
		}
		if info, err := os.Stat(c.state + ".written"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, want the mode 600: %v", info, err)
		}
	})
}

// addToJournal adds a text at the end of the journal.
func addToJournal(t *testing.T, c copier, text string) {
	t.Helper()
	journal, err := os.OpenFile(c.state+".written", os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = journal.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	journal.Close()
}

func checkCutJournal(t *testing.T, cut string) {
	c := newCopier(t, newFile(t), fileOn(t))
	c.from.issue("alice")
	c.run(t)
	addToJournal(t, c, cut)
	c.from.issue("bob")
	c.run(t)
	c.run(t, "-final")
}

// meddledPeople are users that a service changes before they are read for the last time before they are written.
type meddledPeople struct {
	people
	reads  int
	change func()
}

func (m *meddledPeople) read(ctx context.Context) (map[string]person, error) {
	if m.reads++; m.reads == 2 {
		m.change()
	}
	return m.people.read(ctx)
}

func checkChangedMeanwhile(t *testing.T, statement string) {
	c := newCopier(t, newFile(t), fileOn(t))
	c.run(t)
	kept, err := openCopyFile(c.state, c.from.address(), c.to.address())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	target := openRecords(t, c.to)
	real := target.people
	var before map[string]person
	target.people = &meddledPeople{people: real, change: func() {
		c.to.apply(statement)
		if before, err = real.read(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	copying := &copying{call: &call{stdout: io.Discard, stderr: io.Discard}, source: openRecords(t, c.from),
		target: target, kept: kept, final: true}
	err = copying.run(t.Context())
	if !errors.Is(err, transfer.ErrConflict) || kept.State.Finished {
		t.Errorf("got %v and the state %+v, want %v", err, kept.State, transfer.ErrConflict)
	}
	if after, err := real.read(t.Context()); err != nil || before == nil || !maps.Equal(before, after) {
		t.Errorf("got the users %v, want %v: %v", after, before, err)
	}
}

func TestUnitCopyOfUsers(t *testing.T) {
	const change, remove, add = "UPDATE demo_users SET active = FALSE WHERE name = 'alice'",
		"DELETE FROM demo_users WHERE name = 'alice'", "INSERT INTO demo_users VALUES ('zoe', 'x', TRUE, FALSE)"
	for name, statement := range map[string]string{"changed": change, "removed": remove, "added": add} {
		t.Run("a user that was "+name+" in the target is a conflict, and stays so", func(t *testing.T) {
			c := newCopier(t, newFile(t), fileOn(t))
			c.run(t)
			c.to.apply(statement)
			before, err := openRecords(t, c.to).people.read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.refused(t, "a service has changed the target: users of the service, key ", "-final")
			after, err := openRecords(t, c.to).people.read(t.Context())
			if err != nil || len(after) != len(before) || after["user alice"] != before["user alice"] {
				t.Errorf("got the users %v, want %v: %v", after, before, err)
			}
		})
	}
	for name, statement := range map[string]string{"changed": change, "removed": remove, "added": add} {
		t.Run("a user that was "+name+" in the target during a run is a conflict, and stays so", func(t *testing.T) {
			checkChangedMeanwhile(t, statement)
		})
	}
	t.Run("a user that was changed and one that was removed at the source are no conflict", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.run(t)
		c.from.apply(change)
		c.run(t)
		c.from.apply(remove)
		c.run(t)
		c.run(t, "-final")
	})
	t.Run("a step that a kill cut short is no conflict, and what happens after it is one", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.run(t)
		text, err := os.ReadFile(c.state + ".written")
		if err != nil {
			t.Fatal(err)
		}
		const done = `{"kind":"users of the service","done":true}` + "\n"
		if cut := strings.Replace(string(text), done, "", 1); cut == string(text) {
			t.Fatalf("got the journal %s, want it to have the end of a step", text)
		} else if err := os.WriteFile(c.state+".written", []byte(cut), 0o600); err != nil {
			t.Fatal(err)
		}
		c.run(t)
		c.to.apply(remove)
		c.refused(t, `users of the service, key "user alice": it was removed`)
	})
	t.Run("the token of a user that is gone is named", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.from.issue("alice")
		c.from.issue("bob")
		c.from.apply(remove)
		r := c.run(t)
		if !strings.Contains(r.err, `has no user "alice", and what the user has: knox tokens, key `) ||
			strings.Contains(r.err, `"bob"`) {
			t.Errorf("got %s, want alice and a token of her to be named", r.err)
		}
	})
}
