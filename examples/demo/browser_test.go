package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestThePageInABrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		skip(t, "no Chromium")
	}
	p := launch(t, "-db", "memory:")
	dir := os.Getenv("GATEWARDEN_SCREENSHOTS") // where to look at them
	if dir == "" {
		dir = t.TempDir()
	}
	for name, size := range map[string]string{"wide": "1100,1900", "phone": "500,2400"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		shot := filepath.Join(dir, "demo-"+name+".png")
		out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
			"--enable-logging=stderr", "--user-data-dir="+t.TempDir(), "--window-size="+size, "--screenshot="+shot, "--virtual-time-budget=2000",
			p.url+"/").CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if bytes.Contains(out, []byte("Content Security Policy")) {
			t.Errorf("the page breaks its own policy:\n%s", out)
		}
		if info, err := os.Stat(shot); err != nil || info.Size() < 20_000 {
			t.Errorf("%s: nothing to be seen (%v)", name, err)
		}
	}
}
