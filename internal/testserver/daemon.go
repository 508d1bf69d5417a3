//go:build unix

package testserver

import (
	"bufio"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed watch.sh
var watchScript string

// daemon is a server that this process started, below a shell that ends it when this process is gone.
type daemon struct {
	engine     engine
	programs   programs
	folder     string
	password   string
	port       int
	credential *syscall.Credential // of an unprivileged user if this process is root's

	mu       sync.Mutex // held while the server starts or ends
	watch    *exec.Cmd
	commands io.WriteCloser
	answers  chan string  // lines of the shell
	pid      atomic.Int64 // 0 if the server does not run
}

// startDaemon starts a server and returns the address of its administrator. It tries again because another program may
// take the port that was free.
func startDaemon(e engine) (*daemon, *url.URL, error) {
	found, err := e.find()
	if err != nil {
		return nil, nil, err
	}
	for range 3 {
		d := &daemon{engine: e, programs: found, password: rand.Text()}
		if err = d.open(); err == nil {
			return d, d.adminURL(), nil
		}
		d.close()
	}
	return nil, nil, fmt.Errorf("%s does not start: %w", e.name, err)
}

// open makes the folder and starts the server. The shell comes first: it removes the folder whatever happens next.
func (d *daemon) open() error {
	if err := d.makeFolder(); err != nil {
		return err
	}
	var err error
	if d.port, err = d.engine.port(); err != nil {
		return err
	}
	if err := d.startWatchShell(); err != nil {
		return err
	}
	if err := d.engine.prepare(d); err != nil {
		return err
	}
	return d.start()
}

// startWatchShell starts the shell. Its input ends with this process, because no other process inherits the pipe.
func (d *daemon) startWatchShell() error {
	d.watch = d.command("/bin/sh", append([]string{"-c", watchScript, "watch.sh", d.folder, d.engine.last,
		d.programs.serve}, d.engine.arguments(d)...)...)
	commands, err := d.watch.StdinPipe()
	if err != nil {
		return err
	}
	out, err := d.watch.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.watch.Start(); err != nil {
		return err
	}
	d.commands, d.answers = commands, make(chan string, 16)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			pid, _ := strconv.ParseInt(lines.Text(), 10, 64) // 0 for "ended"
			d.pid.Store(pid)
			d.answers <- lines.Text()
		}
		d.pid.Store(0)
		close(d.answers)
	}()
	return nil
}

// start starts the server and returns when it accepts connections. After SIGKILL, children of the old server may hold
// its files for a moment, so a server that gives up is started again.
func (d *daemon) start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pid.Load() != 0 {
		return nil
	}
	var failed error
	for range 20 {
		if failed = d.startOnce(); !errors.Is(failed, errHeld) {
			return failed
		}
		time.Sleep(100 * time.Millisecond)
	}
	return failed
}

// errHeld is that the files of the server are still in use.
var errHeld = errors.New("the folder is in use")

// startOnce starts the server once.
func (d *daemon) startOnce() error {
	for len(d.answers) > 0 {
		<-d.answers // the end of a server that ended by itself
	}
	logged := int64(0)
	if info, err := os.Stat(d.log()); err == nil {
		logged = info.Size()
	}
	if _, err := io.WriteString(d.commands, "start\n"); err != nil {
		return err
	}
	return d.waitReady(logged)
}

// waitReady waits until the shell has told the process id and the server has logged, after so many bytes of its log,
// that it is ready. The shell may tell the process id later than the server is ready.
func (d *daemon) waitReady(logged int64) error {
	timeout := time.After(startTimeout)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for told := false; ; {
		select {
		case answer, open := <-d.answers:
			if !open || answer == ended && told {
				return d.endedError(d.logSince(logged))
			}
			told = told || answer != ended // otherwise it is the end of a server that ended before this start
		case <-look.C:
			if told && len(d.answers) == 0 && strings.Contains(d.logSince(logged), d.engine.ready) {
				return nil
			}
		case <-timeout:
			return fmt.Errorf("it is not ready after %v:\n%s", startTimeout, d.logSince(logged))
		}
	}
}

// endedError says by the log of a start why the server ended.
func (d *daemon) endedError(text string) error {
	if strings.Contains(text, d.engine.held) {
		return fmt.Errorf("%w:\n%s", errHeld, text)
	}
	return fmt.Errorf("it ended:\n%s", text)
}

func (d *daemon) log() string { return filepath.Join(d.folder, "log") }

// logSince returns what the server has logged since the log had so many bytes.
func (d *daemon) logSince(size int64) string {
	text, err := os.ReadFile(d.log())
	if err != nil || int64(len(text)) < size {
		return ""
	}
	return string(text[size:])
}

// end ends the server by a signal, and returns when its process is gone.
func (d *daemon) end(signal syscall.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	pid := int(d.pid.Load())
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	for timeout := time.After(startTimeout); ; {
		select {
		case answer, open := <-d.answers:
			if answer == ended {
				return nil
			}
			if !open {
				return errors.New("the shell that starts the server is gone")
			}
		case <-timeout:
			return fmt.Errorf("process %d runs %v after %v", pid, startTimeout, signal)
		}
	}
}

// ended is what the shell answers when the server and its children are gone.
const ended = "ended"

// runningPID returns the id of the server's process, or 0.
func (d *daemon) runningPID() int { return int(d.pid.Load()) }

// close ends the server and removes its folder.
func (d *daemon) close() {
	if d.commands == nil {
		_ = os.RemoveAll(d.folder)
		return
	}
	_ = d.commands.Close()
	for range d.answers {
	}
	_ = d.watch.Wait()
}
