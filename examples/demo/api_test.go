package main

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestTokensOutliveARestartAndAKill(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "demo.db")
	p := launch(t, "-db", db)
	kept, ended := p.login(alice), p.login(alice)
	p.want(204, "POST", "/auth/logout/", "Token "+ended)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.stop(signal)
		p = launch(t, "-db", db)
		p.want(200, "GET", "/api/me", "Token "+kept)
		p.want(401, "GET", "/api/me", "Token "+ended)
	}
	p.want(200, "GET", "/healthz", "")
	p.want(404, "GET", "/o/token/", "")
}

func TestADisabledUserIsOutAtOnce(t *testing.T) {
	p := launch(t, "-db", "memory:")
	token := p.login(bob)
	p.want(200, "GET", "/api/me", bob)
	p.want(403, "POST", "/api/users/bob/disable", alice)
	p.want(404, "POST", "/api/users/nobody/disable", admin)
	p.want(204, "POST", "/api/users/bob/disable", admin)
	p.want(401, "GET", "/api/me", "Token "+token)
	p.want(401, "GET", "/api/me", bob)
	p.want(401, "POST", "/auth/login/", "carol:closed-account-99")
	p.want(204, "POST", "/api/users/bob/enable", admin)
	p.want(200, "GET", "/api/me", "Token "+token)
}

func TestUsernameHeaderIsBelievedFromTheProxyOnly(t *testing.T) {
	outside := launch(t, "-db", "memory:")
	if status, text := outside.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"user":null`) {
		t.Errorf("from elsewhere: %d %s", status, text)
	}
	elsewhere := launch(t, "-db", "memory:", "-trust-proxy", "192.0.2.0/24")
	if status, text := elsewhere.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"user":null`) {
		t.Errorf("from another than the proxy: %d %s", status, text)
	}
	behind := launch(t, "-db", "memory:", "-trust-proxy", "127.0.0.0/8")
	if status, text := behind.do("GET", "/api/me", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"backend":"header"`) {
		t.Errorf("from the proxy: %d %s", status, text)
	}
	behind.want(401, "GET", "/api/me", "", "X-Username", "nobody")
	behind.want(400, "GET", "/api/me", "", "X-Username", "alice", "X-Username", "bob")
}

func TestTheLogAndTheFileHoldNothingUsable(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, "-db", "sqlite:"+filepath.Join(dir, "demo.db"))
	token := p.login(alice)
	p.want(401, "POST", "/auth/login/", "alice:a-wrong-password")
	p.want(401, "GET", "/api/me", "Token "+token[:len(token)-1])
	p.stop(syscall.SIGTERM)
	all := p.log.text()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(file), info.Mode())
		}
		all += string(text)
	}
	for _, secret := range []string{token, token[10:30], "correct-horse-battery", "a-wrong-password"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is kept", secret)
		}
	}
	if !strings.Contains(p.log.text(), "auth failure") {
		t.Error("the failed login was not logged")
	}
}

// The statuses that the lines of each step print, in order.
var printed = map[string][]int{
	"Log in on two devices":     nil,
	"Use them":                  {200, 200},
	"See your devices":          {200},
	"Log out of one":            {204, 401, 200, 204, 401},
	"Make a token for a script": {200, 403},
	"Switch a user off":         {204, 401, 204, 401},
	"Sign in as a browser does": {303, 200, 403, 303, 401},
	"Send something wrong":      {200, 401, 401, 400, 401, 400, 401, 200},
}

func TestTheLinesOnThePageWorkAsPasted(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not installed")
		}
	}
	p := launch(t, "-db", "memory:")
	_, text := p.do("GET", "/", "", "")
	var script strings.Builder
	var want []int
	blocks := regexp.MustCompile(`(?s)<pre[^>]*><code>(.*?)</code>`).FindAllStringSubmatch(text, -1)
	if len(blocks) != len(steps)+1 {
		t.Fatalf("%d blocks of lines on the page", len(blocks))
	}
	for i, block := range blocks {
		script.WriteString(html.UnescapeString(block[1]) + "\n")
		if i > 0 {
			want = append(want, printed[steps[i-1].Title]...)
		}
	}
	out, err := exec.Command("bash", "-c", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, status := range regexp.MustCompile(`(?m)^HTTP/1.1 (\d+)`).FindAllSubmatch(out, -1) {
		var n int
		fmt.Sscan(string(status[1]), &n)
		got = append(got, n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v\n%s", got, want, out)
	}
}
