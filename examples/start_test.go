package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs are the examples that serve, with their flags and what they say on start besides a curl line.
var programs = map[string]struct{ flags, says []string }{
	"demo":                 {[]string{"-db", "memory:"}, []string{"alice", "bob", "carol", "admin", "README.md"}},
	"spa":                  {nil, []string{"alice", "examples/README.md"}},
	"microservices/login":  {[]string{"-db", "FILE"}, []string{"alice", "examples/README.md"}},
	"microservices/orders": {nil, []string{"http://127.0.0.1:8004"}},
	"oauth2-resource":      {nil, []string{"http://127.0.0.1:8000"}},
	"custom":               {nil, []string{"WEBHOOK_KEY"}},
	"routers":              {nil, []string{"alice", "ada", "examples/README.md"}},
	"issuer":               {nil, []string{"alice", "examples/README.md"}},
}

func TestExamplesSayWhatToTry(t *testing.T) {
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			dir, address := t.TempDir(), freeAddress(t)
			binary := filepath.Join(dir, "program")
			if out, err := exec.Command("go", "build", "-o", binary, "./"+name).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			flags := []string{"-addr", address}
			for _, flag := range program.flags {
				flags = append(flags, strings.Replace(flag, "FILE", filepath.Join(dir, "store.db"), 1))
			}
			var said output
			running := exec.Command(binary, flags...)
			running.Dir, running.Stderr = dir, &said
			running.Env = append(os.Environ(), "WEBHOOK_KEY="+strings.Repeat("0123456789abcdef", 4))
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { _ = running.Wait(); close(ended) }()
			t.Cleanup(func() {
				_ = running.Process.Kill()
				<-ended
			})
			for attempt := time.NewTicker(20 * time.Millisecond); !said.all(append(program.says, "curl ")); {
				select {
				case <-ended:
					t.Fatalf("it has ended and says\n%s", said.text())
				case <-t.Context().Done():
					t.Fatalf("it says\n%s", said.text())
				case <-attempt.C:
				}
			}
			for _, want := range append(program.says, "http://"+address) {
				if !strings.Contains(said.text(), want) {
					t.Errorf("it does not say %q:\n%s", want, said.text())
				}
			}
			for _, password := range []string{"correct-horse-battery", "open sesame", "only-for-the-demo"} {
				if strings.Contains(said.text(), password) {
					t.Errorf("it says a password:\n%s", said.text())
				}
			}
		})
	}
}

// output is read while it is written.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.Write(p)
}

// all reports whether all of these were written.
func (o *output) all(texts []string) bool {
	written := o.text()
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(written, text) })
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}

func TestReadmeListsTheExamples(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	nested, err := filepath.Glob("*/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(mains, nested...) {
		name := filepath.ToSlash(filepath.Dir(path))
		if strings.HasPrefix(name, ".") {
			continue // another test's
		}
		t.Run(name+" has a line with a command", func(t *testing.T) {
			if !regexp.MustCompile(`(?m)^\| \[` + name + `\].*go run \./examples/` + name + `\b`).Match(text) {
				t.Errorf("README.md lacks %s", name)
			}
			if _, serves := programs[name]; !serves && name != "authctl" && name != "distributed" {
				t.Error("it is not among the programs of this test")
			}
		})
	}
	t.Run("no two have the same port", func(t *testing.T) {
		var ports []string
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(strings.TrimSpace(line), "|")
			if len(cells) > 4 {
				ports = append(ports, regexp.MustCompile(`\b80\d\d\b`).FindAllString(cells[4], -1)...)
			}
		}
		slices.Sort(ports)
		if len(ports) < len(programs) || len(slices.Compact(slices.Clone(ports))) != len(ports) {
			t.Errorf("ports %v", ports)
		}
	})
}
