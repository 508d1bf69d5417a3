package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// slot is a place for an instance. A test may put another instance there.
type slot struct{ now atomic.Pointer[instance] }

func newSlot(i *instance) *slot {
	s := &slot{}
	s.now.Store(i)
	return s
}

// request is what a client asks for.
type request struct {
	method, path string
	header       map[string]string
	form         url.Values
	body         any // JSON
}

// answer is what came of a request.
type answer struct {
	status       int // 0 if there was no answer
	header       http.Header
	body         []byte
	failure      error // without an answer
	began, ended time.Time
}

// outage reports that the request may have been served or not.
func (a answer) outage() bool { return a.status == 0 || a.status == http.StatusServiceUnavailable }

// unsent reports that the instance was not there, so that the request was not served.
func (a answer) unsent() bool { return errors.Is(a.failure, syscall.ECONNREFUSED) }

// member returns a member of a JSON object that is a text.
func (a answer) member(name string) string {
	var all map[string]any
	_ = json.Unmarshal(a.body, &all)
	text, _ := all[name].(string)
	return text
}

// cookie returns a cookie that begins with the name, as a browser sends it back.
func (a answer) cookie(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if strings.HasPrefix(c.Name, name) && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// client sends requests as programs do, on connections that it keeps.
type client struct{ http *http.Client }

// answerLimit is how long a client waits. The demo answers after 10 s at the latest.
const answerLimit = 14 * time.Second

func newClient() *client {
	return &client{&http.Client{
		Timeout:       answerLimit,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send sends a request to an instance.
func (c *client) send(to *instance, r request) answer { return c.sendIn(context.Background(), to, r) }

func (c *client) sendIn(ctx context.Context, to *instance, r request) (a answer) {
	a.began = time.Now()
	defer func() { a.ended = time.Now() }()
	sent, err := r.made(ctx, to.url)
	if err != nil {
		a.failure = err
		return a
	}
	got, err := c.http.Do(sent)
	if err != nil {
		a.failure = err
		return a
	}
	defer got.Body.Close()
	if a.body, a.failure = io.ReadAll(got.Body); a.failure == nil {
		a.status, a.header = got.StatusCode, got.Header
	}
	return a
}

// made makes a request. A cookie is sent by a browser, which names the origin of the page.
func (r request) made(ctx context.Context, base string) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.body != nil:
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(text), "application/json"
	}
	made, err := http.NewRequestWithContext(ctx, r.method, base+r.path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		made.Header.Set("Content-Type", contentType)
	}
	for name, value := range r.header {
		made.Header.Set(name, value)
	}
	return made, nil
}

// as is the header of a user that the demo believes this machine to name.
func as(user string) map[string]string { return map[string]string{"X-Username": user} }
