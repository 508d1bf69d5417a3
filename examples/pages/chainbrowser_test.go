package pages_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/audits"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// chainBrowser is a new tab without cookies. It tells what Chromium refused to do, and where it was sent.
type chainBrowser struct {
	t        *testing.T
	ctx      context.Context
	location chan string   // of redirects to a private-use scheme
	settled  chan struct{} // a form to awayPath was blocked

	mu     sync.Mutex
	faults []string
}

// newTab opens a tab of a Chromium. What Chromium complains of fails the test.
func newTab(t *testing.T, chromium context.Context) *chainBrowser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium)
	t.Cleanup(cancel)
	b := &chainBrowser{t: t, ctx: ctx, location: make(chan string, 16), settled: make(chan struct{}, 16)}
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx); err != nil { // not with a deadline, which would close the tab
		t.Fatal(err)
	}
	b.run(network.Enable(), cdplog.Enable(), audits.Enable(), network.ClearBrowserCookies())
	t.Cleanup(func() {
		for _, line := range b.complaints() {
			t.Errorf("the browser complains: %s", line)
		}
	})
	return b
}

func (b *chainBrowser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, chainTime)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the browser complains: %q", err, b.complaints())
	}
}

// listen collects what the browser complains of: in its log, and as issues.
func (b *chainBrowser) listen(event any) {
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		b.complain(string(e.Entry.Source) + " " + e.Entry.Text)
	case *audits.EventIssueAdded:
		if details := e.Issue.Details.ContentSecurityPolicyIssueDetails; details != nil {
			b.complain("issue: " + details.ViolatedDirective + " blocks " + details.BlockedURL)
		}
	case *network.EventResponseReceivedExtraInfo:
		for name, value := range e.Headers {
			if text, ok := value.(string); ok && strings.EqualFold(name, "Location") && !strings.HasPrefix(text, "/") &&
				!strings.HasPrefix(text, "http") {
				b.location <- text
			}
		}
	}
}

func (b *chainBrowser) complain(line string) {
	if strings.Contains(line, awayPath) { // once in the log, and once as an issue
		if strings.HasPrefix(line, "issue") {
			b.settled <- struct{}{}
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, line)
}

// complaints returns what the browser complained of, and forgets it.
func (b *chainBrowser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := b.faults
	b.faults = nil
	return lines
}

// open types an address.
func (b *chainBrowser) open(address string) {
	b.t.Helper()
	b.run(chromedp.Navigate(address))
}

// at returns the address of the page.
func (b *chainBrowser) at() (address string) {
	b.t.Helper()
	b.run(chromedp.Location(&address))
	return address
}

// sentAway types an address that leads out of the browser.
func (b *chainBrowser) sentAway(address string) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, err := page.Navigate(address).Do(ctx)
		return err
	}))
}

// press presses a button once the page that has it is there.
func (b *chainBrowser) press(selector string) {
	b.t.Helper()
	b.run(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// logIn fills in both forms of the login.
func (b *chainBrowser) logIn() {
	b.t.Helper()
	b.press(`form[action="/own/login?second"] button`)
	b.press(`form[action="/own/second"] button`)
}
