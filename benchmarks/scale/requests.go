package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// This file measures the same call with each backend on each engine, over real connections. Clients are vegeta, in a
// process of their own.

// clientConnections is how many requests are under way at once.
const clientConnections = 16

// usersOfBasic is the part of the users that come with Basic, since each must be proved by the hasher first.
const usersOfBasic = 50

// clientsOrder says what clients send.
type clientsOrder struct {
	URL      string        `json:"url"` // to which the user is added
	Header   string        `json:"header"`
	Values   []string      `json:"values"` // of users from 0 on
	Duration time.Duration `json:"duration"`
}

// load is what clients saw.
type load struct {
	Requests int           `json:"requests"`
	Seconds  float64       `json:"seconds"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Wrong    string        `json:"wrong"` // the first answer that was not the wanted one

	server time.Duration // of CPU
	engine time.Duration // of CPU
}

// runClients sends requests as ordered.
func runClients(in io.Reader, out io.Writer) error {
	var o clientsOrder
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o.attack())
}

func (o *clientsOrder) attack() load {
	targets := make([]vegeta.Target, len(o.Values))
	for i, value := range o.Values {
		targets[i] = vegeta.Target{Method: http.MethodGet, URL: o.URL + userID(i),
			Header: http.Header{o.Header: {value}}}
	}
	attacker := vegeta.NewAttacker(vegeta.Workers(clientConnections), vegeta.MaxWorkers(clientConnections),
		vegeta.Connections(clientConnections), vegeta.HTTP2(false), vegeta.Timeout(time.Minute))
	var l load
	var taken times
	began := time.Now()
	for l.Requests == 0 { // if the time is over before the first one
		// A rate of 0 is as fast as answers come.
		for result := range attacker.Attack(vegeta.NewStaticTargeter(targets...), vegeta.Rate{}, o.Duration, "") {
			if l.Requests++; l.Wrong == "" {
				l.Wrong = wrongIn(result, result.URL[len(o.URL):])
			}
			taken = append(taken, result.Latency)
		}
	}
	slices.Sort(taken)
	l.Seconds, l.P50, l.P99 = time.Since(began).Seconds(), taken.at(0.5), taken.at(0.99)
	return l
}

// wrongIn says what is wrong with an answer, or "".
func wrongIn(result *vegeta.Result, user string) string {
	if result.Code == http.StatusOK && string(result.Body) == user {
		return ""
	}
	return fmt.Sprintf("status %d, body %.200q, error %q, want %s", result.Code, result.Body, result.Error, user)
}

// call is a row: the call with one backend of one instance.
type call struct {
	name      string
	backend   string
	engine    string
	server    *instance
	engineCPU func() time.Duration // nil if it is not known
	values    []string
	rounds    []load
}

// variant is an engine with an instance on it.
type variant struct {
	name   string
	engine *engine
	cached bool
}

// variants are the engines that were asked for, and PostgreSQL with caches.
func (o *options) variants() (all []variant) {
	for _, e := range o.engines() {
		name := e.name
		if e.flag == "redis" {
			name += ", with its cache"
		}
		all = append(all, variant{name, e, false})
		if e.flag == "postgresql" {
			all = append(all, variant{e.name + ", cached and pgnotify", e, true})
		}
	}
	return all
}

// runRequests starts an instance on each engine, and measures all calls in turn.
func (o *options) runRequests(out io.Writer) (err error) {
	var calls []*call
	var ends []func()
	defer func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}()
	for n, v := range o.variants() {
		own, end, err := o.callsOf(v, n == 0)
		ends = append(ends, end)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		calls = append(calls, own...)
	}
	for round := range o.rounds + 1 {
		for _, c := range calls {
			if err := c.round(o.time * 2 / 3); err != nil {
				return fmt.Errorf("%s, %s: %w", c.engine, c.name, err)
			}
			if round == 0 { // which warms up
				c.rounds = nil
			}
		}
		o.progress("requests: round %d of %d", round, o.rounds)
	}
	printCalls(out, calls)
	fmt.Fprintf(out, "\n%s. %d connections, %d rounds of %v each in turn, on %d users. The server, the engine "+
		"and vegeta are processes of this machine. CPU is the median of the rounds. The ratio is that of the CPU "+
		"of the server in the same round, with the least and the greatest. The CPU of the engine is that of all "+
		"its processes.\n",
		machine(), clientConnections, o.rounds, o.time*2/3, o.users)
	return nil
}

// callsOf starts an engine with an instance, and prepares its calls.
func (o *options) callsOf(v variant, first bool) (calls []*call, end func(), err error) {
	end = func() {}
	before := childrenOf()
	address, stop, err := v.engine.start(o, v.engine.settings(o))
	if err != nil {
		return nil, end, err
	}
	end = stop
	cpu := engineCPU(before)
	server, err := startInstance(instanceOrder{Name: v.name, Address: address, Cached: v.cached})
	if err != nil {
		return nil, end, err
	}
	end = func() {
		_ = server.end()
		stop()
	}
	kinds := []call{{name: "knox", backend: "knox"}, {name: "session", backend: "session"},
		{name: "OAuth, opaque", backend: "oauth"}, {name: "JWT of this service", backend: "jwt"}}
	if first {
		kinds = append([]call{{name: "no authentication", backend: "open"},
			{name: "JWT of another service", backend: "jwks"}, {name: "Basic, remembered", backend: "basic"}}, kinds...)
	}
	for i := range kinds {
		c := &kinds[i]
		c.server, c.engine, c.engineCPU = server, v.name, cpu
		n := o.users
		if first && i < 3 {
			c.engine, c.engineCPU = "–", nil
		}
		if c.backend == "basic" {
			n = max(1, o.users/usersOfBasic)
		}
		if c.values, err = server.credentials(c.backend, n); err != nil {
			return nil, end, err
		}
		if err := c.warm(); err != nil {
			return nil, end, fmt.Errorf("%s: %w", c.name, err)
		}
		calls = append(calls, c)
	}
	return calls, end, nil
}

// header is the name of the header with the values.
func (c *call) header() string {
	if c.backend == "session" {
		return "Cookie"
	}
	return "Authorization"
}

// warm sends each value once, so that first uses are written, passwords are proved and caches are filled.
func (c *call) warm() error {
	for n, value := range c.values {
		r, err := http.NewRequest(http.MethodGet, c.server.url+"/"+c.backend+"/"+userID(n), nil)
		if err != nil {
			return err
		}
		r.Header.Set(c.header(), value)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(text) != userID(n) {
			return fmt.Errorf("%s: status %d, body %.200q, want %s: %w", c.name, response.StatusCode, text,
				userID(n), err)
		}
	}
	return nil
}

// round runs the clients once.
func (c *call) round(duration time.Duration) error {
	order := clientsOrder{URL: c.server.url + "/" + c.backend + "/", Header: c.header(), Values: c.values,
		Duration: duration}
	if c.backend == "basic" { // a password is remembered for a minute
		if err := c.warm(); err != nil {
			return err
		}
	}
	before, err := c.server.usage(false)
	if err != nil {
		return err
	}
	var engineBefore time.Duration
	if c.engineCPU != nil {
		engineBefore = c.engineCPU()
	}
	var l load
	if err := ask("clients", order, &l); err != nil {
		return err
	}
	if l.Wrong != "" || l.Requests == 0 {
		return errors.New("an answer was wrong: " + l.Wrong)
	}
	after, err := c.server.usage(false)
	l.server = after.CPU - before.CPU
	if c.engineCPU != nil {
		l.engine = c.engineCPU() - engineBefore
	}
	c.rounds = append(c.rounds, l)
	return err
}

func (l *load) each(cpu time.Duration) float64 {
	return float64(cpu.Nanoseconds()) / 1000 / float64(l.Requests)
}

func printCalls(out io.Writer, calls []*call) {
	t := newTable(out, "engine", "backend", "CPU of the server, a request", "against no authentication (rounds)",
		"CPU of the engine, a request", "requests/s", "p50", "p99")
	for _, c := range calls {
		var cpu, engine, ratios, rates spread
		var p50, p99 times
		for i, l := range c.rounds {
			cpu, engine = append(cpu, l.each(l.server)), append(engine, l.each(l.engine))
			none := calls[0].rounds[i]
			ratios = append(ratios, l.each(l.server)/none.each(none.server))
			rates = append(rates, float64(l.Requests)/l.Seconds)
			p50, p99 = append(p50, l.P50), append(p99, l.P99)
		}
		ofEngine := "–"
		if c.engineCPU != nil && engine.middle() > 0 {
			ofEngine = fmt.Sprintf("%.1f µs", engine.middle())
		}
		t.row(c.engine, c.name, fmt.Sprintf("%.1f µs", cpu.middle()), ratios.String(), ofEngine,
			fmt.Sprintf("%.0f", rates.middle()), short(joined(p50).at(0.5)), short(joined(p99).at(0.5)))
	}
}
