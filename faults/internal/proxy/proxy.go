// Package proxy stands between a program and a server, and hurts their connection as a network does.
//
//	p := proxy.New(t, "127.0.0.1:5432")
//	open(p.Address())
//	p.Hold()   // nothing arrives any more, in either direction, and no connection is closed
//	p.Resume() // what was held arrives, and all goes on
//	p.Cut()    // all connections are closed in the middle of whatever they carry
package proxy

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards TCP connections. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener

	mu      sync.Mutex
	target  string        // of new connections
	changed chan struct{} // closed when what follows changes
	held    bool
	refused bool
	delay   time.Duration
	watch   func(chunk []byte) (cut bool)
	texts   [][2]string           // to replace in answers
	open    map[net.Conn]struct{} // both sides of each connection
	total   int
	lost    int // connections up to this number carry nothing any more
	ended   bool
}

// New starts a proxy in front of target, until the test ends.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, changed: make(chan struct{}), open: make(map[net.Conn]struct{})}
	var running sync.WaitGroup
	running.Go(func() { p.accept(&running) })
	t.Cleanup(func() {
		_ = listener.Close()
		p.set(func() { p.ended = true })
		p.Cut()
		running.Wait()
	})
	return p
}

// Address returns host and port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Point has new connections go to another server, as when an address moves. Those that are open stay.
func (p *Proxy) Point(target string) { p.set(func() { p.target = target }) }

// Hold stops forwarding. Connections stay open, and new ones are accepted.
func (p *Proxy) Hold() { p.set(func() { p.held = true }) }

// Abandon has all connections that are open carry nothing any more, without an end, as after a server was replaced by
// another one at its address. Those that are made later work. Only Cut ends them.
func (p *Proxy) Abandon() { p.set(func() { p.lost = p.total }) }

// Refuse closes new connections as soon as they are accepted. Those that are open go on.
func (p *Proxy) Refuse() { p.set(func() { p.refused = true }) }

// Delay has each answer of the server arrive so much later. The answers of one connection wait for each other.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// CutAnswer cuts a connection after a chunk of the client that has text was forwarded, when the server answers. The
// server has then done what it was asked for, and the client does not learn that. It does so once, and calls done when
// the chunk comes.
func (p *Proxy) CutAnswer(has func(chunk []byte) bool, done func()) {
	p.set(func() {
		p.watch = func(chunk []byte) bool {
			if !has(chunk) {
				return false
			}
			p.watch = nil
			done()
			return true
		}
	})
}

// Replace has each answer of the server name one text in place of another one of the same length, until the test ends.
// A node of a Redis Cluster names the addresses of all nodes.
func (p *Proxy) Replace(old, with string) {
	if len(old) != len(with) {
		panic("the texts have different lengths")
	}
	p.set(func() { p.texts = append(p.texts, [2]string{old, with}) })
}

// Resume ends Hold, Refuse, Delay and CutAnswer.
func (p *Proxy) Resume() {
	p.set(func() { p.held, p.refused, p.delay, p.watch = false, false, 0, nil })
}

// Cut closes all connections that are open.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

// Connections returns how many connections of clients are open now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) / 2
}

// Accepted returns how many connections were made in all.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept(running *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refused := p.refused
		p.mu.Unlock()
		if refused {
			_ = client.Close()
			continue
		}
		running.Go(func() { p.serve(client) })
	}
}

// serve forwards one connection in both directions.
func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = struct{}{}, struct{}{}
	p.total++
	number, ended := p.total, p.ended
	p.mu.Unlock()
	end := sync.OnceFunc(func() {
		_ = client.Close()
		_ = server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, client)
		delete(p.open, server)
	})
	if ended {
		end()
		return
	}
	var both sync.WaitGroup
	var cut atomic.Bool // the next answer
	both.Go(func() { defer end(); p.forward(server, client, number, true, &cut) })
	both.Go(func() { defer end(); p.forward(client, server, number, false, &cut) })
	both.Wait()
}

// forward copies from one side to the other until either is closed.
func (p *Proxy) forward(to, from net.Conn, number int, fromClient bool, cutAnswer *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !p.forwardChunk(to, buffer[:n], number, fromClient, cutAnswer) || err != nil {
			return
		}
	}
}

// forwardChunk forwards a chunk when it may go on. It reports whether the connection stays open.
func (p *Proxy) forwardChunk(to net.Conn, chunk []byte, number int, fromClient bool, cutAnswer *atomic.Bool) bool {
	cut, open := p.pass(chunk, number, fromClient)
	if !open || !fromClient && cutAnswer.Load() {
		return false
	}
	if cut {
		cutAnswer.Store(true) // before the server has anything to answer
	}
	_, err := to.Write(p.replaced(chunk, fromClient))
	return err == nil
}

// replaced returns a chunk with the texts of Replace.
func (p *Proxy) replaced(chunk []byte, fromClient bool) []byte {
	p.mu.Lock()
	texts := p.texts
	p.mu.Unlock()
	if fromClient || len(texts) == 0 {
		return chunk
	}
	var pairs []string
	for _, text := range texts {
		pairs = append(pairs, text[0], text[1])
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(chunk))) // one pass: no text is replaced twice
}

// pass waits until a chunk may go on. It reports whether the answer to it is to be cut, and whether the proxy still
// runs.
func (p *Proxy) pass(chunk []byte, number int, fromClient bool) (cut, open bool) {
	since := time.Now()
	for {
		now := p.stateFor(chunk, number, fromClient)
		if now.ended {
			return false, false
		}
		late := time.Duration(0)
		if !fromClient {
			late = now.delay - time.Since(since)
		}
		if !now.held && late <= 0 {
			return now.cut, true
		}
		var due <-chan time.Time
		if !now.held {
			due = time.After(late)
		}
		select {
		case <-now.changed:
		case <-due:
		}
	}
}

// chunkState is what the proxy is told to do with a chunk at an instant.
type chunkState struct {
	held    bool
	ended   bool
	cut     bool // the answer to the chunk is to be cut
	delay   time.Duration
	changed <-chan struct{} // closed when the state changes
}

// stateFor returns the state for a chunk. A chunk of the client that may go on is shown to the watch of CutAnswer.
func (p *Proxy) stateFor(chunk []byte, number int, fromClient bool) chunkState {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := chunkState{held: p.held || number <= p.lost, ended: p.ended, delay: p.delay, changed: p.changed}
	if !s.held && !s.ended && fromClient && p.watch != nil {
		s.cut = p.watch(chunk)
	}
	return s
}
