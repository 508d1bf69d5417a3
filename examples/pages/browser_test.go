package pages_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium that says when it would open its own password dialog.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	dialogs []string // the schemes that were asked for, with the address
}

// newBrowser starts Chromium, or skips the test if there is no Chromium.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(chromium(t), 5*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(fetch.Enable().WithHandleAuthRequests(true))
	return b
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// chromium returns the first tab of a new Chromium, which takes the certificates of
// httptest.
func chromium(t *testing.T) context.Context {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ctx, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless,
			chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
			chromedp.WSURLReadTimeout(time.Minute), chromedp.IgnoreCertErrors,
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-dev-shm-usage", true),
			chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1"))
		t.Cleanup(cancel)
		ctx, cancel = chromedp.NewContext(ctx)
		t.Cleanup(cancel)
		if err := chromedp.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
		t.Fatal("no Chromium")
	}
	t.Skip("no Chromium")
	return nil
}

// listen lets every request go on. Chromium asks for credentials where it would open
// a dialog. A person then presses Cancel.
func (b *browser) listen(event any) {
	var action chromedp.Action
	switch e := event.(type) {
	case *fetch.EventRequestPaused:
		action = fetch.ContinueRequest(e.RequestID)
	case *fetch.EventAuthRequired:
		b.mu.Lock()
		b.dialogs = append(b.dialogs, fmt.Sprint(e.AuthChallenge.Scheme, " at ", e.Request.Method, " ", e.Request.URL))
		b.mu.Unlock()
		action = fetch.ContinueWithAuth(e.RequestID,
			&fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth})
	default:
		return
	}
	// A listener must not wait for the browser.
	go func() { _ = chromedp.Run(b.ctx, action) }()
}

// seen returns the dialogs since it was last called.
func (b *browser) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.dialogs
	b.dialogs = nil
	return seen
}

// open types an address, and returns the status and path of the page it leads to.
func (b *browser) open(address string) (status int64, path string) {
	b.t.Helper()
	return b.leads(chromedp.Navigate(address))
}

// press presses the one button of the page.
func (b *browser) press() (status int64, path string) {
	b.t.Helper()
	return b.leads(chromedp.Click("button", chromedp.ByQuery))
}

func (b *browser) leads(action chromedp.Action) (status int64, path string) {
	b.t.Helper()
	answer, err := chromedp.RunResponse(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	at, err := url.Parse(answer.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.Status, at.Path
}
