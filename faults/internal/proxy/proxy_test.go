package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gatewarden/auth/faults/internal/proxy"
)

// echo starts a server that sends everything back, and returns its address.
func echo(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// answer sends text and returns the error of reading it back in time.
func answer(t *testing.T, conn net.Conn, text string, within time.Duration) error {
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	return read(t, conn, text, within)
}

func read(t *testing.T, conn net.Conn, text string, within time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != text {
		t.Errorf("got %q, want %q", got, text)
	}
	return nil
}

const long, short = 10 * time.Second, 50 * time.Millisecond

func TestUnitProxy(t *testing.T) {
	t.Run("what is sent while it holds arrives after Resume", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		p.Hold()
		if err := answer(t, conn, "two", short); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that nothing arrives", err)
		}
		p.Resume()
		if err := read(t, conn, "two", long); err != nil {
			t.Error(err)
		}
	})
	t.Run("an answer arrives later by the delay", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		p.Delay(4 * short)
		start := time.Now()
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 4*short {
			t.Errorf("got an answer after %v, want at least %v", took, 4*short)
		}
	})
	t.Run("Cut ends all connections, and new ones work", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		p.Cut()
		if err := answer(t, conn, "two", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that the connection has ended", err)
		}
		if err := answer(t, dial(t, p), "three", long); err != nil {
			t.Error(err)
		}
	})
	t.Run("Refuse ends new connections, and open ones work", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		p.Refuse()
		if err := answer(t, dial(t, p), "two", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that the connection has ended", err)
		}
		if err := answer(t, conn, "three", long); err != nil {
			t.Error(err)
		}
	})
	t.Run("CutAnswer forwards what the client sent, and no answer", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		cut := 0
		p.CutAnswer(func(chunk []byte) bool { return bytes.Contains(chunk, []byte("COMMIT")) }, func() { cut++ })
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		if err := answer(t, conn, "COMMIT", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that the connection has ended", err)
		}
		if err := answer(t, dial(t, p), "COMMIT", long); err != nil || cut != 1 {
			t.Errorf("got %v and %d cuts, want one cut only", err, cut)
		}
	})
	t.Run("Replace changes what the server says, in one pass", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		p.Replace(":7001", ":9002")
		p.Replace(":9002", ":7001")
		conn := dial(t, p)
		if _, err := io.WriteString(conn, "a:7001 b:9002 c:7003"); err != nil {
			t.Fatal(err)
		}
		if err := read(t, conn, "a:9002 b:7001 c:7003", long); err != nil {
			t.Error(err)
		}
	})
	t.Run("Point has new connections go to another server, and open ones stay", func(t *testing.T) {
		gone := echo(t)
		p := proxy.New(t, gone)
		conn := dial(t, p)
		if err := answer(t, conn, "one", long); err != nil {
			t.Fatal(err)
		}
		other, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		greeted := make(chan error, 1)
		go func() {
			conn, err := other.Accept()
			if err == nil {
				_, err = io.WriteString(conn, "other")
			}
			greeted <- err
		}()
		p.Point(other.Addr().String())
		if err := read(t, dial(t, p), "other", long); err != nil {
			t.Error(err)
		}
		if err := <-greeted; err != nil {
			t.Error(err)
		}
		if err := answer(t, conn, "two", long); err != nil {
			t.Error(err)
		}
	})
}
