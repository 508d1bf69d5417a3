package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestUnitKeyIsMadeOnce(t *testing.T) {
	t.Run("of 16 demos that start at once all have one key, 50 times", func(t *testing.T) {
		for range 50 {
			folder := t.TempDir()
			path := filepath.Join(folder, "demo.key")
			keys := make([]string, 16)
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range keys {
				all.Go(func() {
					<-start
					got, err := applicationKeys(path)
					if err != nil || len(got) != 1 {
						t.Errorf("got %d keys, %v, want one", len(got), err)
						return
					}
					keys[i] = got[0].Reveal()
				})
			}
			close(start)
			all.Wait()
			for i, key := range keys {
				if key != keys[0] {
					t.Errorf("start %d has another key than the first", i)
				}
			}
			files, err := os.ReadDir(folder)
			if err != nil || len(files) != 1 {
				t.Fatalf("the folder has %d files, %v, want the key alone", len(files), err)
			}
			if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file has mode %v, %v, want 0600", info.Mode(), err)
			}
		}
	})
}
