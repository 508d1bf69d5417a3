package examples_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadmeProgram does what the first page of the project says: it pastes the program, runs it, and pastes the
// curl lines.
func TestReadmeProgram(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
				t.Fatal(err)
			}
			t.Skip(tool, " is not installed")
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	program := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindStringSubmatch(text)
	console := regexp.MustCompile("(?s)```console\n(.*?)```").FindStringSubmatch(text)
	if program == nil || console == nil {
		t.Fatal("README.md lacks a program or the lines to try")
	}
	const served = "127.0.0.1:8080"
	address := freeAddress(t)
	start(t, strings.ReplaceAll(program[1], served, address), address)

	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(console[1], served, address)), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want three commands with an answer each", len(lines))
	}
	token := ""
	run := func(command string) string {
		t.Helper()
		command, ok := strings.CutPrefix(command, "$ ")
		if !ok {
			t.Fatalf("%q is no command", command)
		}
		shell := exec.Command("bash", "-c", command)
		shell.Env = append(os.Environ(), "TOKEN="+token)
		out, err := shell.Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		return strings.TrimSpace(first)
	}

	t.Run("the login answers with a token of the form that is shown", func(t *testing.T) {
		var shown, got struct{ Expiry, Token string }
		for text, into := range map[string]any{lines[1]: &shown, run(lines[0]): &got} {
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(into); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if len(got.Token) != len(shown.Token) || len(got.Expiry) != len(shown.Expiry) {
			t.Errorf("answer %+v, want one like %+v", got, shown)
		}
		token = got.Token
	})
	t.Run("the token gets in", func(t *testing.T) {
		if got := run(lines[2]); got != lines[3] {
			t.Errorf("answer %q, want %q", got, lines[3])
		}
	})
	t.Run("the logout ends it", func(t *testing.T) {
		if got := run(lines[4]); got != lines[5] {
			t.Errorf("answer %q, want %q", got, lines[5])
		}
		r, err := http.NewRequest("GET", "http://"+address+"/hello", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Token "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != 401 {
			t.Errorf("the token that has ended gets %d, want 401", answer.StatusCode)
		}
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// start builds a program in the workspace, so that it uses the modules of this checkout, and waits until it serves.
func start(t *testing.T, program, address string) {
	t.Helper()
	folder, err := os.MkdirTemp(".", ".snippet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", binary, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var log bytes.Buffer
	running := exec.Command(binary)
	running.Stdout, running.Stderr = &log, &log
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = running.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = running.Process.Kill()
		<-ended
	})
	for attempt := time.NewTicker(20 * time.Millisecond); ; {
		if connection, err := net.Dial("tcp", address); err == nil {
			_ = connection.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the program has ended:\n%s", log.String())
		case <-t.Context().Done():
			t.Fatal("the program does not serve")
		case <-attempt.C:
		}
	}
}
