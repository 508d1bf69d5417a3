package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// This file is the client of serve.go, which runs in a process of its own.

// clientVariable is the environment variable that makes this program the client.
const clientVariable = "GATEWARDEN_BENCHMARK_CLIENT"

// order says what the client sends: for connections at once, requests with one value after the other.
type order struct {
	Address  string        `json:"address"`
	Header   string        `json:"header"`
	Values   []string      `json:"values"`
	Users    []string      `json:"users"`  // wanted in the answer
	Status   int           `json:"status"` // wanted
	Duration time.Duration `json:"duration"`
}

// runClient reads an order, says that it begins, and reports a load.
func runClient(in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(true); err != nil {
		return err
	}
	results := make([]load, connections)
	times := make([][]time.Duration, connections)
	began := time.Now()
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() { results[i], times[i] = o.connection(i, began.Add(o.Duration)) })
	}
	all.Wait()
	total := load{Seconds: time.Since(began).Seconds()}
	for _, l := range results {
		total.Requests += l.Requests
		if total.Wrong == "" {
			total.Wrong = l.Wrong
		}
	}
	if taken := slices.Sorted(slices.Values(slices.Concat(times...))); len(taken) > 0 {
		total.P50, total.P99 = taken[len(taken)/2], taken[len(taken)*99/100]
	}
	return json.NewEncoder(out).Encode(total)
}

// connection sends requests until the end, one after the other, and at least one.
func (o *order) connection(number int, end time.Time) (l load, times []time.Duration) {
	wrong := func(format string, args ...any) (load, []time.Duration) {
		l.Wrong = fmt.Sprintf(format, args...)
		return l, times
	}
	conn, err := net.Dial("tcp", o.Address)
	if err != nil {
		return wrong("%v", err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var request []byte
	for i := number; ; i += connections {
		begin := time.Now()
		if l.Requests > 0 && begin.After(end) {
			return l, times
		}
		at := i % len(o.Values)
		request = fmt.Appendf(request[:0], "GET /reports HTTP/1.1\r\nHost: api.example\r\n%s: %s\r\n\r\n",
			o.Header, o.Values[at])
		if _, err := conn.Write(request); err != nil {
			return wrong("%v", err)
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return wrong("%v", err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // it is read to its end
		if err != nil || response.StatusCode != o.Status || o.Status == http.StatusOK && string(body) != o.Users[at] {
			return wrong("status %d, body %q, error %v, want status %d and user %s",
				response.StatusCode, body, err, o.Status, o.Users[at])
		}
		l.Requests++
		times = append(times, time.Since(begin))
	}
}

func mainOfClient() {
	if err := runClient(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks: client:", err)
		os.Exit(1)
	}
}
