package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium is one browser for all tests; each gets a profile of its own.
var chromium = sync.OnceValues(func() (context.Context, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		// Not chromedp's own flags: with them the back button works otherwise.
		options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.WSURLReadTimeout(5 * time.Minute),
			chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.NoDefaultBrowserCheck}
		for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update",
			"disable-sync", "disable-dev-shm-usage"} {
			options = append(options, chromedp.Flag(flag, true))
		}
		ctx, _ := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, _ = chromedp.NewContext(ctx)
		closeChromium = func() { _ = chromedp.Cancel(ctx) }
		return ctx, chromedp.Run(ctx)
	}
	return nil, nil
})

var closeChromium = func() {} // at the end of all tests

// tab is a browser that a person sits at.
type tab struct {
	t   *testing.T
	p   *program
	ctx context.Context

	mu      sync.Mutex
	console []string // what the browser complains of
	status  int64    // of the last document
}

func (p *program) browse() *tab {
	p.t.Helper()
	t := p.t
	browser, err := chromium()
	switch {
	case err != nil:
		t.Fatal(err)
	case browser == nil:
		skip(t, "no Chromium")
	}
	ctx, cancel := context.WithTimeout(browser, 5*time.Minute)
	t.Cleanup(cancel)
	var profile cdp.BrowserContextID
	var window target.ID
	all := cdp.WithExecutor(ctx, chromedp.FromContext(browser).Browser)
	if profile, err = target.CreateBrowserContext().Do(all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(all) })
	if window, err = target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(
		all); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithTargetID(window))
	t.Cleanup(cancel)
	b := &tab{t: t, p: p, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	b.do(network.Enable(), cdplog.Enable(), runtime.Enable(), b.size(1100, 900))
	t.Cleanup(func() {
		for _, line := range b.complaints() {
			t.Errorf("the browser complains: %s", line)
		}
	})
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		// A page that says 401 or 403 is no complaint, as tests look at its status. A field that has the
		// focus already, because a slow page was typed into, is none either.
		if !strings.HasPrefix(e.Entry.Text, "Failed to load resource: the server responded with a status of 40") &&
			!strings.HasPrefix(e.Entry.Text, "Autofocus processing was blocked") {
			b.console = append(b.console, fmt.Sprint(e.Entry.Source, " ", e.Entry.Text))
		}
	case *runtime.EventConsoleAPICalled:
		b.console = append(b.console, fmt.Sprint("console.", e.Type))
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, e.ExceptionDetails.Text)
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.status = e.Response.Status
		}
	}
}

// complaints returns what the browser complained of, and forgets it.
func (b *tab) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := b.console
	b.console = nil
	return lines
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		var where, text string
		_ = chromedp.Run(b.ctx, chromedp.Location(&where), chromedp.Evaluate("document.body.innerText", &text))
		b.t.Fatalf("%v, at %s:\n%s", err, where, text)
	}
}

// leads does what makes the browser load a page, and returns that page's status.
func (b *tab) leads(actions ...chromedp.Action) int64 {
	b.t.Helper()
	_, err := chromedp.RunResponse(b.ctx, actions...)
	switch {
	case err != nil && strings.Contains(err.Error(), "net::ERR_INVALID_AUTH_CREDENTIALS"):
		return 401 // no person is there to answer the browser's dialog
	case err != nil:
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *tab) open(path string) int64 {
	b.t.Helper()
	return b.leads(chromedp.Navigate(b.p.url + path))
}

// click presses the one button or link of that selector.
func (b *tab) click(selector string) int64 {
	b.t.Helper()
	return b.leads(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

func (b *tab) text(selector string) (text string) {
	b.t.Helper()
	b.do(chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

func (b *tab) eval(script string, into any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, into))
}

// at reports the path and query of the page.
func (b *tab) at() (path string) {
	b.t.Helper()
	b.eval("location.pathname+location.search", &path)
	return path
}

func (b *tab) wantAt(path string) {
	b.t.Helper()
	if got := b.at(); got != path {
		b.t.Errorf("at %s, want %s", got, path)
	}
}

// wantHeader says which name the header shows, or "" if it shows no name.
func (b *tab) wantHeader(user string) {
	b.t.Helper()
	want := "Not signed in"
	if user != "" {
		want = "Signed in as " + user
	}
	if got := b.text("header nav span"); got != want {
		b.t.Errorf("the header says %q, want %q", got, want)
	}
}

func (b *tab) fill(username, password string) {
	b.t.Helper()
	b.do(chromedp.SetValue("#username", username, chromedp.ByQuery),
		chromedp.SendKeys("#password", password, chromedp.ByQuery))
}

func (b *tab) signIn(credentials string) {
	b.t.Helper()
	b.open("/session/login")
	user, password, _ := strings.Cut(credentials, ":")
	b.fill(user, password)
	b.click("main form button")
	b.wantHeader(user)
}

// size is that of the window; less than 600 is a phone.
func (b *tab) size(width, height int64) chromedp.Action {
	phone := width < 600
	scale := 1.0
	if phone {
		scale = 2
	}
	return emulation.SetDeviceMetricsOverride(width, height, scale, phone)
}

func TestAPersonSignsInAndOut(t *testing.T) {
	p := launch(t, "-db", "memory:")
	b := p.browse()
	b.open("/")
	b.wantHeader("")
	if status := b.open("/devices?a=b"); status != 200 {
		t.Errorf("the form is %d", status)
	}
	b.wantAt("/session/login")

	b.fill("alice", "not-the-password")
	if status := b.click("main form button"); status != 401 {
		t.Errorf("a wrong password: %d", status)
	}
	if got := b.text("[role=alert]"); got == "" {
		t.Error("nothing says why")
	}
	var username, password string
	b.do(chromedp.Value("#username", &username, chromedp.ByQuery),
		chromedp.Value("#password", &password, chromedp.ByQuery))
	if username != "alice" || password != "" {
		t.Errorf("the form has %q and %q", username, password)
	}
	b.do(chromedp.Poll(`document.activeElement.id === "password"`, nil)) // what is to be written again

	b.fill("alice", "correct-horse-battery")
	b.click("main form button")
	b.wantAt("/devices?a=b")
	b.wantHeader("alice")
	var rows, current int
	b.eval("document.querySelectorAll('.devices li').length", &rows)
	b.eval("document.querySelectorAll('.devices li[data-current]').length", &current)
	if rows != 1 || current != 1 {
		t.Errorf("%d devices, %d of them this one", rows, current)
	}
	if got := b.text("li[data-current]"); !strings.Contains(got, "this one") || !strings.Contains(got, "Chrome on") {
		t.Errorf("this device is shown as %q", got)
	}
	var cookies string
	b.eval("document.cookie", &cookies)
	if cookies != "" {
		t.Errorf("a script sees %q", cookies)
	}

	b.click("header nav form button")
	b.wantAt("/")
	b.wantHeader("")
	b.do(chromedp.Evaluate("setTimeout(() => history.back())", nil),
		chromedp.WaitVisible("#username", chromedp.ByQuery))
	b.wantAt("/session/login")
	b.wantHeader("")
	if got := b.text("body"); strings.Contains(got, "alice") || strings.Contains(got, "this one") {
		t.Errorf("the back button shows %q", got)
	}
	if status := b.open("/devices"); status != 200 {
		t.Errorf("open: got %v, want status 200", status)
	}
	b.wantAt("/session/login")
}

func TestNextLeadsThePersonThere(t *testing.T) {
	p := launch(t, "-db", "memory:")
	for next, want := range map[string]string{"/session/password": "/session/password", "//evil.example/": "/",
		`/\evil.example`: "/"} {
		b := p.browse()
		b.open("/session/login?next=" + strings.ReplaceAll(next, `\`, "%5C"))
		b.fill("bob", "staple-tractor-lamp")
		b.click("main form button")
		b.wantAt(want)
		b.wantHeader("bob")
	}
}

func TestAPersonEndsAnotherDevice(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone := p.browse(), p.browse()
	here.signIn(alice)
	phone.signIn(alice)
	token := "Token " + p.login(alice)

	here.open("/devices")
	here.click(`li:not([data-current]) button[aria-label^="End session"]`)
	here.wantAt("/devices")
	if got := here.text("[role=status]"); got != "The session has ended." {
		t.Errorf("the page says %q", got)
	}
	here.wantHeader("alice")
	phone.open("/devices")
	phone.wantAt("/session/login")
	p.want(200, "GET", "/api/me", token)

	here.click(`li button[aria-label^="End token"]`)
	p.want(401, "GET", "/api/me", token)
	here.click("li[data-current] button")
	here.wantHeader("")
}

func TestAPersonChangesThePassword(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone := p.browse(), p.browse()
	here.signIn(bob)
	phone.signIn(bob)
	change := func(old, chosen string) int64 {
		t.Helper()
		here.do(chromedp.SendKeys("#old", old, chromedp.ByQuery), chromedp.SendKeys("#new", chosen, chromedp.ByQuery))
		return here.click("main form button")
	}
	here.click(`header a[href="/account"]`)
	here.click(`main a[href="/session/password"]`)
	if status := change("not-the-password", "a lamp, a ladder and rain"); status != 400 {
		t.Errorf("a wrong old password: %d", status)
	}
	if got := here.text("[role=alert]"); !strings.Contains(got, "old password") {
		t.Errorf("the page says %q", got)
	}
	if status := change("staple-tractor-lamp", "password123"); status != 400 {
		t.Errorf("a common password: %d", status)
	}
	if got := here.text("[role=alert]"); !strings.Contains(got, "too common") {
		t.Errorf("the page says %q", got)
	}
	change("staple-tractor-lamp", "a lamp, a ladder and rain")
	here.wantAt("/devices?changed")
	here.wantHeader("bob")
	if got := here.text("[role=status]"); !strings.Contains(got, "Your password is changed") {
		t.Errorf("the page says %q", got)
	}
	phone.open("/")
	phone.wantHeader("")
	phone.signIn("bob:a lamp, a ladder and rain")
}

// Where the keyboard goes, and what there is to go to.
const (
	focused = `(e => e === document.body ? "" : e.tagName + " " +
		(e.name || e.getAttribute("href") || e.innerText))(document.activeElement)`
	focusable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]):not([hidden]), [tabindex]")]
		.map(e => e.tagName + " " + (e.name || e.getAttribute("href") || e.innerText))`
	visibleNow = `(s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2)
		(getComputedStyle(document.activeElement))`
)

func TestTheKeyboardIsEnough(t *testing.T) {
	p := launch(t, "-db", "memory:")
	b := p.browse()
	walk := func(path string) {
		t.Helper()
		b.open(path)
		b.do(chromedp.Evaluate("document.activeElement.blur(); window.scrollTo(0, 0)", nil))
		var all []string
		b.eval(focusable, &all)
		if len(all) < 3 {
			t.Fatalf("%s: only %q to reach", path, all)
		}
		var misnamed []string
		b.eval(
			`[...document.querySelectorAll("button[aria-label]")]
				.filter(e => !e.ariaLabel.includes(e.innerText)).map(e => e.outerHTML)`, &misnamed)
		if len(misnamed) > 0 {
			t.Errorf("%s: spoken to, these are not what they show: %q", path, misnamed)
		}
		reached := make(map[string]bool)
		for range len(all) + 2 {
			var at string
			var shown bool
			b.do(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(focused, &at), chromedp.Evaluate(visibleNow, &shown))
			if at != "" && !shown {
				t.Errorf("%s: %s does not show that it has the focus", path, at)
			}
			reached[at] = true
		}
		for _, control := range all {
			if !reached[control] {
				t.Errorf("%s: Tab does not reach %s, only %v", path, control, reached)
			}
		}
	}
	walk("/")
	walk("/session/login")

	b.open("/session/login")
	b.do(chromedp.Poll(`document.activeElement.id === "username"`, nil), chromedp.KeyEvent("alice"),
		chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("correct-horse-battery"))
	b.leads(chromedp.KeyEvent(kb.Enter))
	b.wantAt("/")
	b.wantHeader("alice")
	p.login(alice)
	walk("/devices")
	walk("/session/password")
	b.open("/")
	for range 20 { // to the button that signs out
		var at string
		b.do(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(focused, &at))
		if at == "BUTTON Sign out" {
			break
		}
	}
	b.leads(chromedp.KeyEvent(kb.Enter))
	b.wantHeader("")
}

func TestAPageOfAnotherOriginCannotAct(t *testing.T) {
	p := launch(t, "-db", "memory:")
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>evil</title><link rel=icon href="data:,"><form method=post action="%s%s">
<input name=username value=bob><input name=password value=staple-tractor-lamp>
	<input name=old value=correct-horse-battery>
<input name=new value="a lamp, a ladder and rain"><input name=kind value=others>
	<button>Win</button></form>`, p.url, r.URL.Path)
	}))
	t.Cleanup(evil.Close)
	for name, other := range map[string]struct {
		origin   string
		statuses map[string]int64
	}{
		// The cookie is SameSite=Lax: from another site it does not even come
		// along. Who is nobody is led to the form, or asked who they are.
		"another site": {strings.Replace(evil.URL, "127.0.0.1", "localhost", 1), map[string]int64{
			"/session/login": 403, "/session/logout": 403, "/session/password": 403, "/devices": 200,
			"/api/reports": 401}},
		"another port of the host": {evil.URL, map[string]int64{
			"/session/login": 403, "/session/logout": 403, "/session/password": 403, "/devices": 403,
			"/api/reports": 403}},
	} {
		b, phone := p.browse(), p.browse()
		b.signIn(alice)
		phone.signIn(alice)
		for path, want := range other.statuses {
			b.leads(chromedp.Navigate(other.origin + path))
			if status := b.click("button"); status != want {
				t.Errorf("%s posts to %s: %d, want %d", name, path, status, want)
			}
			if want == 200 {
				b.wantAt("/session/login")
			}
			if b.open("/"); b.text("header strong") != "alice" {
				t.Errorf("%s posts to %s: not alice any more", name, path)
			}
		}
		phone.open("/devices")
		phone.wantAt("/devices")
	}
	p.want(200, "GET", "/api/me", alice)
}

// What the other tests rely on: a page that breaks a policy is complained of.
func TestTheBrowserTellsOfABrokenPolicy(t *testing.T) {
	p := launch(t, "-db", "memory:")
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>broken</title><style>p{color:red}</style><p id="there">x`)
	}))
	t.Cleanup(broken.Close)
	b := p.browse()
	b.do(chromedp.Navigate(broken.URL), chromedp.WaitVisible("#there", chromedp.ByQuery))
	if lines := strings.Join(b.complaints(), "\n"); !strings.Contains(lines, "Content Security Policy") {
		t.Errorf("complaints: %q", lines)
	}
}

// TestEveryPageFitsItsWindow also takes pictures, to look at, into the folder
// that GATEWARDEN_SCREENSHOTS names.
func TestEveryPageFitsItsWindow(t *testing.T) {
	p := launch(t, "-db", "memory:")
	long := strings.Repeat("Donaudampfschiff", 12)
	for _, name := range []string{"laptop", "build server", long} {
		if status, text := p.do("POST", "/auth/login/", "",
			`{"username":"alice","password":"correct-horse-battery","name":"`+name+`"}`); status != 200 {
			t.Fatalf("do: got %v, %v, want status 200", status, text)
		}
	}
	dir := os.Getenv("GATEWARDEN_SCREENSHOTS")
	b := p.browse()
	look := func(name string) {
		t.Helper()
		for _, window := range []struct {
			name          string
			width, height int64
			scheme        string
		}{
			{"wide", 1280, 900, "light"}, {"phone", 390, 844, "light"},
			{"dark", 1280, 900, "dark"}, {"phone-dark", 390, 844, "dark"},
		} {
			var overflow, headings int64
			var title string
			var scheme bool
			b.do(b.size(window.width, window.height),
				emulation.SetEmulatedMedia().WithFeatures(
					[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: window.scheme}}),
				chromedp.Evaluate("document.scrollingElement.scrollWidth", &overflow), chromedp.Title(&title),
				chromedp.Evaluate("document.querySelectorAll('h1').length", &headings),
				chromedp.Evaluate(`parseInt(getComputedStyle(document.body).backgroundColor.slice(4)) < 128`, &scheme))
			if overflow > window.width {
				t.Errorf("%s, %s: %d pixels wide, in a window of %d", name, window.name, overflow, window.width)
			}
			if !strings.HasSuffix(title, " · Gatewarden demo") || headings != 1 {
				t.Errorf("%s is titled %q and has %d h1", name, title, headings)
			}
			if scheme != (window.scheme == "dark") {
				t.Errorf("%s, %s: dark is %v", name, window.name, scheme)
			}
			if dir == "" {
				continue
			}
			var picture []byte
			b.do(chromedp.FullScreenshot(&picture, 100))
			if err := os.WriteFile(filepath.Join(dir, "demo-"+name+"-"+window.name+".png"), picture,
				0o644); err != nil {
				t.Fatal(err)
			}
		}
		b.do(b.size(1100, 900))
	}
	b.open("/")
	look("home")
	b.open("/session/login")
	look("login")
	b.fill(long, "not-the-password")
	b.click("main form button")
	look("login-refused")
	p.browse().signIn(alice)
	b.signIn(alice)
	look("home-signed-in")
	b.open("/devices")
	look("devices")
	b.click(`li:not([data-current]) button[aria-label^="End session"]`)
	look("devices-ended")
	b.open("/session/password")
	look("password")
	b.do(chromedp.SendKeys("#old", "not-the-password", chromedp.ByQuery),
		chromedp.SendKeys("#new", "alice123", chromedp.ByQuery))
	b.click("main form button")
	look("password-refused")
	lookAtEverythingElse(p, b, look)
}
