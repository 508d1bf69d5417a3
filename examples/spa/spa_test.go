package main

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browse opens a browser, or skips unless CI promised to have one.
func browse(t *testing.T) context.Context {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute),
			chromedp.Flag("disable-dev-shm-usage", true))...)
		t.Cleanup(cancel)
		ctx, cancel = chromedp.NewContext(ctx)
		t.Cleanup(cancel)
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		t.Cleanup(cancel)
		return ctx
	}
	if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
		t.Fatal("no Chromium")
	}
	t.Skip("no Chromium")
	return nil
}

func TestAPageKeepsNoTokenWhereAScriptOfAnotherFindsIt(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	handler, err := newHandler(t.Context(), "http://"+server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	defer server.Close()
	stranger := httptest.NewServer(nil)
	defer stranger.Close()

	ctx := browse(t)
	do := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			var text string
			_ = chromedp.Run(ctx, chromedp.Evaluate("document.body.innerText", &text))
			t.Fatalf("%v\n%s", err, text)
		}
	}
	says := func(text string) chromedp.Action {
		return chromedp.Poll(`document.getElementById('who').textContent === `+"`"+text+"`", nil,
			chromedp.WithPollingTimeout(20*time.Second))
	}
	fill := func(password string) chromedp.Action {
		return chromedp.Tasks{
			chromedp.SetValue("[name=username]", "alice"), chromedp.SetValue("[name=password]",
				password), chromedp.Click("#login button"),
		}
	}
	do(chromedp.Navigate(server.URL), says("Nobody is signed in"))
	do(fill("wrong"), says("No active account found with the given credentials"))
	do(fill("correct-horse-battery"), says("You are alice"))
	shoot(t, ctx, "spa")

	var readable string
	var stored int
	do(chromedp.Evaluate("document.cookie", &readable),
		chromedp.Evaluate("localStorage.length + sessionStorage.length", &stored))
	if readable != "" || stored != 0 {
		t.Errorf("a script reads %q, and %d things are stored", readable, stored)
	}
	do(chromedp.Reload(), says("You are alice")) // by the cookie alone

	// A page of another origin cannot use it: the browser tells the origin.
	var status string
	do(chromedp.Navigate(stranger.URL),
		chromedp.Evaluate(`fetch('`+server.URL+`/token/refresh/',
			{method: 'POST', credentials: 'include', mode: 'no-cors'}).then(a => a.type, e => 'refused')`,
			&status, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	do(chromedp.Navigate(server.URL), says("You are alice")) // nothing was used up
	if status != "opaque" && status != "refused" {
		t.Errorf("another origin read %q", status)
	}

	do(chromedp.Click("#logout"), says("Nobody is signed in"))
	do(chromedp.Reload(), says("Nobody is signed in"))
}

// shoot keeps a picture of the page where somebody looks at it.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("GATEWARDEN_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ToLower(name)+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
