package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			t.Fatalf("%+v", r)
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
	t.Run("a line of the journal that a kill cut is no harm", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.from.issue("alice")
		c.run(t)
		journal, err := os.OpenFile(c.state+".written", os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = journal.WriteString(`{"kind":"knox tokens","writ`)
		}
		if err != nil {
			t.Fatal(err)
		}
		journal.Close()
		c.from.issue("bob")
		c.run(t)
		c.run(t, "-final")
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

func TestUnitCopyOfUsers(t *testing.T) {
	const change, remove = "UPDATE demo_users SET active = FALSE WHERE name = 'alice'",
		"DELETE FROM demo_users WHERE name = 'alice'"
	for name, statement := range map[string]string{"changed": change, "removed": remove,
		"added": "INSERT INTO demo_users VALUES ('zoe', 'x', TRUE, FALSE)"} {
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
