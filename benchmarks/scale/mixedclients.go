package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// This file is traffic of all kinds, from a process of its own. Requests depend on answers before them, so the
// clients are not vegeta.

// mixedOrder says what the clients do.
type mixedOrder struct {
	URL      string              `json:"url"`
	Values   map[string][]string `json:"values"` // of headers, by backend
	Duration time.Duration       `json:"duration"`
	Rate     int                 `json:"rate"` // requests each second
}

// mixedWorkers is how many requests are under way at most.
const mixedWorkers = 32

// action is a kind of request.
type action struct {
	weight int // of 100
	name   string
	do     func(c *mixedClients) error
}

func actions() []action {
	return []action{
		{62, "knox", func(c *mixedClients) error { return c.check("knox") }},
		{12, "jwt", func(c *mixedClients) error { return c.check("jwt") }},
		{6, "session", func(c *mixedClients) error { return c.check("session") }},
		{6, "oauth", func(c *mixedClients) error { return c.check("oauth") }},
		{5, "garbage", (*mixedClients).garbage},
		{4, "refresh", (*mixedClients).refresh},
		{3, "list", (*mixedClients).list},
		{1, "login", (*mixedClients).login},
		{1, "logout", (*mixedClients).logout},
	}
}

// mixedClients are the clients with what they have been given.
type mixedClients struct {
	mixedOrder
	http *http.Client

	mu          sync.Mutex
	tokens      []string
	refreshes   []string
	taken       times
	late        int
	unavailable int
	wrong       error
}

// mixedResult is what they saw.
type mixedResult struct {
	Requests int           `json:"requests"`
	Late     int           `json:"late"` // that were not sent, because a second's worth of them waited
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	// Unavailable is how many were answered with 503, as when the engine is too slow.
	Unavailable int    `json:"unavailable"`
	Wrong       string `json:"wrong"` // the first other answer that was not the wanted one
}

// runMixed sends requests as ordered.
func runMixed(in io.Reader, out io.Writer) error {
	c := &mixedClients{http: &http.Client{Timeout: time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: mixedWorkers}}}
	if err := json.NewDecoder(in).Decode(&c.mixedOrder); err != nil {
		return err
	}
	c.run()
	c.taken = joined(c.taken)
	result := mixedResult{Requests: len(c.taken), Late: c.late, P50: c.taken.at(0.5), P99: c.taken.at(0.99),
		Unavailable: c.unavailable}
	if c.wrong != nil {
		result.Wrong = c.wrong.Error()
	}
	return json.NewEncoder(out).Encode(result)
}

// run starts requests at the rate, whatever their answers.
func (c *mixedClients) run() {
	starts := make(chan struct{}, max(1, c.Rate)) // a second's worth may wait
	var all sync.WaitGroup
	for range mixedWorkers {
		all.Go(func() {
			for range starts {
				c.one(pick())
			}
		})
	}
	began, sent := time.Now(), 0
	next := time.NewTicker(5 * time.Millisecond)
	defer next.Stop()
	for range next.C {
		passed := min(time.Since(began), c.Duration)
		for due := int(passed.Seconds() * float64(c.Rate)); sent < due; sent++ {
			select {
			case starts <- struct{}{}:
			default:
				c.late++
			}
		}
		if passed == c.Duration {
			break
		}
	}
	close(starts)
	all.Wait()
}

// pick returns an action by its weight.
func pick() action {
	n := rand.IntN(100)
	for _, a := range actions() {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	return actions()[0]
}

func (c *mixedClients) one(a action) {
	began := time.Now()
	err := a.do(c)
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = append(c.taken, took)
	switch {
	case errors.Is(err, errUnavailable):
		c.unavailable++
	case err != nil && c.wrong == nil:
		c.wrong = fmt.Errorf("%s: %w", a.name, err)
	}
}

// errUnavailable is an answer with 503.
var errUnavailable = errors.New("unavailable")

// send sends a request, and decodes the answer if value is not nil.
func (c *mixedClients) send(method, path, header, value string, body any, want int, into any) error {
	var text io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		text = bytes.NewReader(encoded)
	}
	r, err := http.NewRequest(method, c.URL+path, text)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if header != "" {
		r.Header.Set(header, value)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return errUnavailable
	}
	if response.StatusCode != want {
		return fmt.Errorf("status %d, want %d: %.200s", response.StatusCode, want, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func (c *mixedClients) check(backend string) error {
	n, header := rand.IntN(len(c.Values[backend])), "Authorization"
	if backend == "session" {
		header = "Cookie"
	}
	return c.send(http.MethodGet, "/"+backend+"/"+userID(n), header, c.Values[backend][n], nil, http.StatusOK, nil)
}

func (c *mixedClients) garbage() error {
	kinds := trashes()
	token := kinds[rand.IntN(len(kinds))].token(rand.IntN(1 << 30))
	return c.send(http.MethodGet, "/knox/nobody", "Authorization", "Token "+token, nil, http.StatusUnauthorized, nil)
}

func (c *mixedClients) list() error {
	n := rand.IntN(len(c.Values["knox"]))
	return c.send(http.MethodGet, "/tokens", "Authorization", c.Values["knox"][n], nil, http.StatusOK, nil)
}

// someone is the body of a login.
func (c *mixedClients) someone() any {
	return map[string]string{"username": userID(rand.IntN(len(c.Values["knox"]))), "password": loginPassword}
}

func (c *mixedClients) login() error {
	var answer struct{ Token string }
	if err := c.send(http.MethodPost, "/login", "", "", c.someone(), http.StatusOK, &answer); err != nil {
		return err
	}
	c.keep(&c.tokens, answer.Token)
	return nil
}

func (c *mixedClients) logout() error {
	token, ok := c.take(&c.tokens)
	if !ok {
		return c.login()
	}
	return c.send(http.MethodPost, "/logout", "Authorization", "Token "+token, nil, http.StatusNoContent, nil)
}

func (c *mixedClients) refresh() error {
	var answer struct{ Refresh string }
	token, ok := c.take(&c.refreshes)
	path, body := "/refresh", any(map[string]string{"refresh": token})
	if !ok {
		path, body = "/pair", c.someone()
	}
	if err := c.send(http.MethodPost, path, "", "", body, http.StatusOK, &answer); err != nil {
		return err
	}
	c.keep(&c.refreshes, answer.Refresh)
	return nil
}

func (c *mixedClients) keep(list *[]string, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(*list, value)
}

// take takes the value that was kept first.
func (c *mixedClients) take(list *[]string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(*list) == 0 {
		return "", false
	}
	value := (*list)[0]
	*list = (*list)[1:]
	return value, true
}
