package main

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
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
	p.want(404, "GET", "/o/device/", "")
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
	if status, text := outside.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 ||
		!strings.Contains(text, `"user":null`) {
		t.Errorf("from elsewhere: %d %s", status, text)
	}
	elsewhere := launch(t, "-db", "memory:", "-trust-proxy", "192.0.2.0/24")
	if status, text := elsewhere.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 ||
		!strings.Contains(text, `"user":null`) {
		t.Errorf("from another than the proxy: %d %s", status, text)
	}
	behind := launch(t, "-db", "memory:", "-trust-proxy", "127.0.0.0/8")
	if status, text := behind.do("GET", "/api/me", "", "", "X-Username", "alice"); status != 200 ||
		!strings.Contains(text, `"backend":"header"`) {
		t.Errorf("from the proxy: %d %s", status, text)
	}
	behind.want(401, "GET", "/api/me", "", "X-Username", "nobody")
	behind.want(400, "GET", "/api/me", "", "X-Username", "alice", "X-Username", "bob")
}

func TestTheLogAndTheFileHoldNothingUsable(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, "-db", "sqlite:"+filepath.Join(dir, "demo.db"))
	token, v, out := p.login(alice), p.signIn(alice), p.signIn(bob)
	session, ended := v.session(), out.session()
	out.post("/session/logout", nil)
	v.post("/session/password", url.Values{"old": {"correct-horse-battery"}, "new": {"a lamp, a ladder and rain"}})
	v.post("/session/password", url.Values{"old": {"an-old-guess"}, "new": {"a-new-guess"}})
	v.logIn("alice:another-wrong-password")
	p.want(401, "POST", "/auth/login/", "alice:a-wrong-password")
	p.want(401, "GET", "/api/me", "Token "+token[:len(token)-1])
	p.stop(syscall.SIGTERM)
	all := p.log.text()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob: got %v, %v, want some files", files, err)
	}
	key := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(file), info.Mode())
		}
		if filepath.Base(file) == "demo.db.key" {
			key = strings.TrimSpace(string(text))
			continue // a file of its own, to be kept elsewhere
		}
		all += string(text)
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		t.Fatalf("the key file has %d bytes, %v", len(raw), err)
	}
	for name, secret := range map[string]string{
		"a token": token, "a part of a token": token[10:30],
		"a cookie that was replaced": session, "a part of a cookie": session[5:25],
		"the cookie in use": v.session(), "a part of the cookie in use": v.session()[5:25],
		"a cookie that ended": ended, "a part of it": ended[5:25],
		"the key": key, "the key's bytes": string(raw),
		"a password": "correct-horse-battery", "a new password": "a lamp, a ladder and rain",
		"a wrong password": "a-wrong-password", "another wrong one": "another-wrong-password",
		"a wrong old password": "an-old-guess", "a new one that was refused": "a-new-guess",
	} {
		if len(secret) < 11 {
			t.Errorf("%s is too short to look for: %q", name, secret)
		}
		if strings.Contains(all, secret) {
			t.Errorf("%s is kept: %q", name, secret)
		}
	}
	if !strings.Contains(all, "demo_users") {
		t.Error("this is not the database") // where nothing would be found either
	}
	if !strings.Contains(p.log.text(), "auth failure") {
		t.Error("the failed login was not logged")
	}
}

func TestTheKeyIsThatOfTheFileNamed(t *testing.T) {
	dir := t.TempDir()
	given, missing := filepath.Join(dir, "given"), filepath.Join(dir, "missing")
	if err := os.WriteFile(given, []byte(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))),
		0o600); err != nil {
		t.Fatal(err)
	}
	// What seals the way back of one start opens it, or does not, at the next.
	back := func(first, second []string) string {
		p := launch(t, first...)
		address, _ := url.Parse(p.url)
		v := p.visit()
		v.get("/devices?way=back")
		p.stop(syscall.SIGTERM)
		launch(t, append(second, "-addr", address.Host)...)
		return v.logIn(alice).header.Get("Location")
	}
	memory := []string{"-db", "memory:"}
	for name, c := range map[string]struct {
		first, second []string
		to            string
	}{
		"given twice it opens what it sealed": {append(memory, "-key", given), append(memory, "-key", given),
			"/devices?way=back"},
		"made by the first start, the second opens": {append(memory, "-key", missing), append(memory, "-key", missing),
			"/devices?way=back"},
		"another opens nothing": {append(memory, "-key", given),
			append(memory, "-key", filepath.Join(dir, "another")), "/"},
		"without one each start has its own": {memory, memory, "/"},
	} {
		if to := back(c.first, c.second); to != c.to {
			t.Errorf("%s: the login leads to %q, want %q", name, to, c.to)
		}
	}
	if info, err := os.Stat(missing); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file that was made: %v %v", info, err)
	}
	for name, text := range map[string]string{
		"empty": "", "no base64": "not base64 at all", "too short": base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"too long": base64.StdEncoding.EncodeToString(make([]byte, 33)),
	} {
		malformed := filepath.Join(dir, "malformed")
		if err := os.WriteFile(malformed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		says := refuses(t, "-db", "memory:", "-key", malformed)
		if !strings.Contains(says, "-key "+malformed+": want 32 bytes in base64") {
			t.Errorf("%s: refuses: got %s, want %q in it", name, says, "-key "+malformed+": want 32 bytes in base64")
		}
		if now, _ := os.ReadFile(malformed); string(now) != text {
			t.Errorf("%s: the file was changed to %q", name, now)
		}
	}
	nowhere := filepath.Join(dir, "nowhere", "key")
	if says := refuses(t, "-db", "memory:", "-key", nowhere); !strings.Contains(says, nowhere) {
		t.Errorf("in a folder that is not there: %s", says)
	}
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
	for _, line := range linesOf(text) {
		script.WriteString(line.Text + "\n")
		if strings.Contains(line.Text, "curl -i") {
			var status int
			if fmt.Sscan(line.Answer, &status); status == 0 {
				t.Errorf("no answer stands beside %s", line.Text)
			}
			want = append(want, status)
		}
	}
	if len(want) < 30 {
		t.Fatalf("only %d lines have an answer", len(want))
	}
	// A second time on the same server they work as well, and in zsh, which does not split variables.
	for _, row := range []struct{ times, shell string }{{"once", "bash"}, {"twice", "bash"}, {"in zsh", "zsh"}} {
		t.Run(row.times, func(t *testing.T) {
			if _, err := exec.LookPath(row.shell); err != nil {
				t.Skip(row.shell + " is not installed")
			}
			out, err := exec.Command(row.shell, "-e", "-c", script.String()).Output()
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
			if !regexp.MustCompile(`(?m)^demo_ac_[0-9A-Za-z]{40}$`).Match(out) {
				t.Errorf("no code was printed:\n%s", out)
			}
		})
	}
}

// linesOf reads the commands on the page, and the answers that it promises.
func linesOf(text string) (lines []line) {
	pattern := regexp.MustCompile(`(?s)<span class="line"><span(?: data-answer="([^"]*)")?>(.*?)</span>\n</span>`)
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		lines = append(lines, line{html.UnescapeString(found[2]), html.UnescapeString(found[1])})
	}
	return lines
}
