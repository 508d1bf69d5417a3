package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for something that must happen. A machine that runs other tests takes seconds for it.
const patience = 60 * time.Second

// demo is the binary of examples/demo.
var demo = sync.OnceValues(func() (string, error) { return buildDemo() })

// buildDemo builds the demo, with further arguments for go build.
func buildDemo(arguments ...string) (string, error) {
	folder, err := os.MkdirTemp("", "gatewarden-faults-")
	if err != nil {
		return "", err
	}
	removeAfterTests(folder)
	path := filepath.Join(folder, "demo")
	arguments = append([]string{"build", "-o", path}, arguments...)
	build := exec.Command("go", append(arguments, "github.com/gatewarden/auth/examples/demo")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// program is how instances of one service are started.
type program struct {
	binary    string
	arguments []string
}

// newProgram has instances on a database. They trust this machine to name users by X-Username, since a password takes
// too long to check for a thousand logins.
func newProgram(t testing.TB, address string) program {
	t.Helper()
	binary, err := demo()
	if err != nil {
		t.Fatal(err)
	}
	return program{binary, []string{"-addr", "127.0.0.1:0", "-issuer", "http://127.0.0.1:8000", "-trust-proxy", "127.0.0.1/32",
		"-jwt-access-ttl", "2h", "-key", filepath.Join(t.TempDir(), "key"), "-db", address}}
}

// at is the same service on the same database, which an instance reaches by another address.
func (p program) at(address string) program {
	last := len(p.arguments) - 1
	return program{p.binary, append(p.arguments[:last:last], address)}
}

// with is the same service with further flags, of which a later one wins. The address stays the last argument.
func (p program) with(flags ...string) program {
	address := len(p.arguments) - 2
	return program{p.binary, slices.Concat(p.arguments[:address], flags, p.arguments[address:])}
}

// built is the same service by another binary.
func (p program) built(binary string) program { return program{binary, p.arguments} }

// instance is a process of the demo.
type instance struct {
	url     string
	command *exec.Cmd
	log     *logBuffer
	ended   chan struct{} // closed when the process is gone
	failure error         // of the process, once it has ended
}

// start starts an instance, which ends with the test, and returns when it serves.
func (p program) start(t testing.TB) *instance {
	t.Helper()
	i := &instance{command: exec.Command(p.binary, p.arguments...), log: &logBuffer{}, ended: make(chan struct{})}
	i.command.Stderr = i.log
	stdout, err := i.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, serves := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	go func() {
		i.failure = i.command.Wait()
		close(i.ended)
	}()
	t.Cleanup(func() { i.kill() })
	if !serves {
		t.Fatalf("the demo says %q, %v\n%s", line, err, i.log.tail())
	}
	i.url = url
	return i
}

// kill ends the process by SIGKILL, and returns when it is gone.
func (i *instance) kill() {
	_ = i.command.Process.Kill()
	<-i.ended
}

// terminate sends SIGTERM and returns how long the process took to end.
func (i *instance) terminate(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	if err := i.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-i.ended:
	case <-time.After(patience):
		t.Fatalf("the demo runs %v after SIGTERM\n%s", patience, i.log.tail())
	}
	return time.Since(began)
}

// logBuffer is a log that is read while it grows. It keeps the last of it.
type logBuffer struct {
	mu   sync.Mutex
	kept []byte
}

// logKept is how many bytes of a log are kept.
const logKept = 1 << 20

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p...)
	if len(b.kept) > 2*logKept {
		b.kept = bytes.Clone(b.kept[len(b.kept)-logKept:])
	}
	return len(p), nil
}

func (b *logBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.kept)
}

// tail is the end of the log, without the lines of what went well.
func (b *logBuffer) tail() string {
	var lines []string
	for line := range strings.Lines(b.text()) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-12):], "")
}
