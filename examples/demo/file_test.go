package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnitFileThatVanishes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	p := launch(t, "-db", "sqlite:"+path)
	token := p.login(alice)
	p.want(200, "GET", "/healthz", "")
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the health check says so, and no login or logout is acknowledged", func(t *testing.T) {
		p.want(503, "GET", "/healthz", "")
		p.want(503, "POST", "/auth/login/", bob)
		p.want(503, "POST", "/auth/logout/", "Token "+token)
		p.want(503, "POST", "/api/users/bob/disable", admin)
	})
	t.Run("no new file is made", func(t *testing.T) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want no file", err)
		}
	})
	t.Run("the log says what happened", func(t *testing.T) {
		if text := p.log.text(); !strings.Contains(text, "cannot be found any more") {
			t.Errorf("got the log %s", text)
		}
	})
}
