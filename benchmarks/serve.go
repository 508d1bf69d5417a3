package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
	"github.com/gatewarden/auth/jwt"
)

// This file measures requests over real connections. The server is this process, and the client is another
// one, so that the CPU time of this process is the server's.

const connections = 16

// service is one row of the table of requests over connections.
type service struct {
	name    string
	stamped bool
	build   func(w *world) (*client, error)

	client *client
	url    string
	rounds []load
}

// load is a round, as the client and the server saw it.
type load struct {
	Requests int           `json:"requests"`
	Seconds  float64       `json:"seconds"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Wrong    string        `json:"wrong"` // the first answer that was not the wanted one
	cpu      time.Duration // of the server
}

func services() []*service {
	entryOf := func(build func(w *world) (*client, []string, error)) func(w *world) (*client, error) {
		return func(w *world) (*client, error) { c, _, err := build(w); return c, err }
	}
	jwts := func(cacheSize int) func(w *world) (*client, error) {
		return entryOf(func(w *world) (*client, []string, error) { return jwtClient(w, testKey(jwt.ES256), cacheSize) })
	}
	garbageKnox := func(w *world) (*client, error) {
		good, err := oneKnox(w)
		if err != nil {
			return nil, err
		}
		values := repeated("Token "+garbage, len(w.ids))
		return w.client(good.handler, "Authorization", values, http.StatusUnauthorized), nil
	}
	return []*service{
		{name: "no authentication", build: unauthenticated},
		{name: "knox", build: oneKnox},
		{name: "knox, stamped user", stamped: true, build: oneKnox},
		{name: "session", build: oneSession},
		{name: "session, stamped user", stamped: true, build: oneSession},
		{name: "OAuth, opaque", build: entryOf(oauthClient)},
		{name: "introspection, remembered", build: entryOf(introspectionClient)},
		{name: "JWT cached, ES256", build: jwts(0)},
		{name: "JWT cold, ES256", build: jwts(-1)},
		{name: "garbage token refused, knox", build: garbageKnox},
		{name: "knox in SQLite", build: knoxOverSQLite},
		{name: "session in SQLite", build: sessionOverSQLite},
	}
}

// unauthenticated answers with the same bytes as the others. The requests have a token, too.
func unauthenticated(w *world) (*client, error) {
	tokens := make([]string, len(w.ids))
	users := make(map[string]string, len(w.ids))
	for i, id := range w.ids {
		tokens[i] = fmt.Sprintf("Token %040d", i)
		users[tokens[i]] = id
	}
	return w.client(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, users[r.Header.Get("Authorization")])
	}), "Authorization", tokens, http.StatusOK), nil
}

// serve measures every service in turn, for several rounds, and prints the table.
func (o *options) serve(out io.Writer) error {
	var all []*service
	for _, s := range services() {
		if !o.wanted.MatchString(s.name) {
			continue
		}
		end, err := s.start(o.tokens)
		defer end()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, s)
	}
	for range o.paired.Rounds {
		for _, s := range all {
			if err := s.round(o.time); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	printServices(out, all)
	fmt.Fprintf(out, "\n%s. Server and client are two processes on this machine, with %d connections and %d rounds "+
		"of %v each, in turn. CPU is the server's, the median of the rounds, with the least and the most. "+
		"Requests per second depend on what else the machine does.\n",
		machine(), connections, o.paired.Rounds, o.time)
	return nil
}

// start builds a service and serves it. Each value is sent once, so that caches are filled.
func (s *service) start(tokens int) (end func(), err error) {
	w := newWorld(tokens, s.stamped)
	if s.client, err = s.build(w); err != nil {
		return w.close, err
	}
	if _, err := s.client.side(); err != nil {
		return w.close, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return w.close, err
	}
	server := &http.Server{Handler: s.client.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	s.url = listener.Addr().String()
	return func() { _ = server.Close(); w.close() }, nil
}

// order returns what the client is told.
func (s *service) order(duration time.Duration) order {
	header := "Authorization"
	if s.client.request.Header["Cookie"] != nil {
		header = "Cookie"
	}
	return order{s.url, header, s.client.values, s.client.world.ids, s.client.status, duration}
}

// round runs the client in another process.
func (s *service) round(duration time.Duration) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), clientVariable+"=1")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(stdin).Encode(s.order(duration)), stdin.Close()); err != nil {
		return err
	}
	from := json.NewDecoder(stdout)
	var ready bool
	if err := from.Decode(&ready); err != nil {
		return err
	}
	before := paired.CPUTime()
	var l load
	err = from.Decode(&l)
	l.cpu = paired.CPUTime() - before
	if err = errors.Join(err, command.Wait()); err != nil {
		return err
	}
	if l.Wrong != "" || l.Requests == 0 {
		return fmt.Errorf("after %d requests an answer was wrong: %s", l.Requests, l.Wrong)
	}
	s.rounds = append(s.rounds, l)
	return nil
}

// perRequest returns the microseconds of CPU that each round took for a request, in order.
func (s *service) perRequest() []float64 {
	var all []float64
	for _, l := range s.rounds {
		all = append(all, float64(l.cpu.Nanoseconds())/1000/float64(l.Requests))
	}
	slices.Sort(all)
	return all
}

func printServices(out io.Writer, all []*service) {
	fmt.Fprintln(out, "| requests with | CPU of a request | against none | requests/s | p50 | p99 |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- |")
	for _, s := range all {
		cpu, none := s.perRequest(), all[0].perRequest()
		var rates []float64
		var p50, p99 []time.Duration
		for _, l := range s.rounds {
			rates, p50, p99 = append(rates, float64(l.Requests)/l.Seconds), append(p50, l.P50), append(p99, l.P99)
		}
		slices.Sort(rates)
		slices.Sort(p50)
		slices.Sort(p99)
		fmt.Fprintf(out, "| %s | %.1f µs (%.1f–%.1f) | %.2fx | %.0f (%.0f–%.0f) | %s | %s |\n", s.name,
			middle(cpu), cpu[0], cpu[len(cpu)-1], middle(cpu)/middle(none),
			middle(rates), rates[0], rates[len(rates)-1], short(middle(p50)), short(middle(p99)))
	}
}

// middle returns the median of sorted values, or the lower of two.
func middle[V any](sorted []V) V { return sorted[(len(sorted)-1)/2] }

// short prints a duration with three digits or less.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	}
	return fmt.Sprintf("%.1f µs", float64(d)/1e3)
}
