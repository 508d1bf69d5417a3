package oauth2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

// network is a server without a socket, so that a test owns the clock.
type network struct {
	metadata, questions         atomic.Int32
	metadataDown, questionsDown atomic.Bool
	path                        atomic.Pointer[string] // of the endpoint, "/introspect" if nil
	takes                       time.Duration          // that each answer takes
}

const networkIssuer = "https://login.example"

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(n.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	path := "/introspect"
	if p := n.path.Load(); p != nil {
		path = *p
	}
	body := fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q}`, networkIssuer, networkIssuer+path)
	down := n.metadataDown.Load()
	if r.Method == http.MethodPost {
		n.questions.Add(1)
		body = `{"active":true,"sub":"alice","client_id":"web","aud":"` + resource + `"}`
		down = n.questionsDown.Load() || r.URL.Path != path
	} else {
		n.metadata.Add(1)
	}
	if down {
		return nil, errors.New("no route")
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (n *network) source(t *testing.T, change func(*oauth2.IntrospectionConfig)) *oauth2.Introspection {
	t.Helper()
	c := oauth2.IntrospectionConfig{Issuer: networkIssuer, ClientID: "api", ClientSecret: "secret",
		HTTP: oauth2.IntrospectionHTTP{Client: &http.Client{Transport: n}}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	source, err := oauth2.NewIntrospection(c)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// askAll asks about many tokens at once, and returns the errors.
func askAll(t *testing.T, source *oauth2.Introspection, tokens int) (failed []error) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			if _, err := source.Inspect(t.Context(), fmt.Sprint("token-", i)); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return failed
}

func TestUnitQuestionsAtOnceHaveABound(t *testing.T) {
	for sentence, row := range map[string]struct{ setting, want int }{"by default": {0, 100}, "as set": {7, 7}} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				n := &network{takes: time.Second}
				source := n.source(t, func(c *oauth2.IntrospectionConfig) {
					c.Endpoint, c.Limits.Concurrent = networkIssuer+"/introspect", row.setting
					c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
				})
				start := time.Now()
				failed := askAll(t, source, 1000)
				if got := int(n.questions.Load()); got != row.want || len(failed) != 1000-row.want {
					t.Errorf("want %d questions, got %d, and %d refusals", row.want, got, len(failed))
				}
				want := fmt.Sprintf("%d questions are under way already, which is "+
					"IntrospectionConfig.Limits.Concurrent",
					row.want)
				for _, err := range failed {
					if auth.KindOf(err) != nil || !strings.Contains(err.Error(), want) {
						t.Fatalf("want an outage with %q, got %v", want, err)
					}
				}
				if took := time.Since(start); took != time.Second {
					t.Errorf("want nobody to wait for more than one answer, got %v", took)
				}
				if got := strings.Count(logged.String(), "\n"); got != 100 || !strings.Contains(logged.String(), want) {
					t.Errorf("want 100 lines with the reason, got %d", got)
				}
				if failed := askAll(t, source, row.want); failed != nil {
					t.Errorf("want room again, got %v", failed)
				}
			})
		})
	}
	t.Run("requests with one token are one question", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{takes: time.Second}
			source := n.source(t, func(c *oauth2.IntrospectionConfig) { c.Limits.Concurrent = 1 })
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					if _, err := source.Inspect(t.Context(), "one"); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if got := n.questions.Load(); got != 1 {
				t.Errorf("want one question, got %d", got)
			}
		})
	})
}

func TestUnitMetadataIsReadOnceForAll(t *testing.T) {
	t.Run("questions at once share one reading", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{takes: time.Second}
			failed := askAll(t, n.source(t, nil), 50)
			if failed != nil || n.metadata.Load() != 1 || n.questions.Load() != 50 {
				t.Errorf("want 1 reading and 50 questions, got %d, %d and %v",
					n.metadata.Load(), n.questions.Load(), failed)
			}
		})
	})
	t.Run("metadata that cannot be read is asked for once in five seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{takes: time.Millisecond}
			n.metadataDown.Store(true)
			source := n.source(t, nil)
			for range 3 {
				before := n.metadata.Load()
				for range 20 {
					failed := askAll(t, source, 20)
					if len(failed) != 20 || !strings.Contains(failed[0].Error(), "no route") {
						t.Fatalf("want 20 outages with the reason, got %v", failed)
					}
				}
				if got := n.metadata.Load() - before; got != 1 {
					t.Errorf("want one reading, got %d", got)
				}
				time.Sleep(5 * time.Second)
			}
			n.metadataDown.Store(false)
			if failed := askAll(t, source, 1); failed != nil {
				t.Errorf("want the next reading to help, got %v", failed)
			}
		})
	})
	t.Run("a server that does not answer is looked for once in five seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			source := n.source(t, nil)
			if failed := askAll(t, source, 1); failed != nil {
				t.Fatalf("got the error %v, want none", failed)
			}
			moved := "/moved"
			n.path.Store(&moved)
			time.Sleep(time.Minute) // over what is remembered, and within the hour of the address
			for range 10 {
				if failed := askAll(t, source, 1); len(failed) == 0 {
					break // found at its new address
				}
			}
			if got := n.metadata.Load(); got != 2 {
				t.Errorf("want one more reading, got %d", got-1)
			}
			if failed := askAll(t, source, 10); failed != nil {
				t.Errorf("want the new address, got %v", failed)
			}
			n.questionsDown.Store(true)
			time.Sleep(time.Minute)
			before := n.metadata.Load()
			for range 20 {
				askAll(t, source, 10)
			}
			if got := n.metadata.Load() - before; got > 1 {
				t.Errorf("want at most one reading, got %d", got)
			}
		})
	})
	t.Run("a known address is used while the metadata cannot be read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			source := n.source(t, nil)
			if failed := askAll(t, source, 1); failed != nil {
				t.Fatalf("got the error %v, want none", failed)
			}
			n.metadataDown.Store(true)
			time.Sleep(2 * time.Hour)
			if failed := askAll(t, source, 20); failed != nil || n.metadata.Load() != 2 {
				t.Errorf("want answers and a try, got %v and %d readings", failed, n.metadata.Load()-1)
			}
		})
	})
	t.Run("a request that goes away does not stop the reading for others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{takes: time.Second}
			source := n.source(t, nil)
			gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			go func() { _, _ = source.Inspect(gone, "first") }()
			synctest.Wait()
			if _, err := source.Inspect(t.Context(), "second"); err != nil || n.metadata.Load() != 1 {
				t.Errorf("want an answer by one reading, got %v and %d", err, n.metadata.Load())
			}
		})
	})
}

// slowServer decides at once whether the token is active, and answers 4 seconds later.
type slowServer struct {
	revoked   atomic.Bool
	questions atomic.Int32
}

func (s *slowServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.questions.Add(1)
	body := fmt.Sprintf(`{"active":%v,"sub":"alice","client_id":"web","aud":%q}`, !s.revoked.Load(), resource)
	select {
	case <-time.After(4 * time.Second): // of the bubble
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s *slowServer) source(t *testing.T, ttl time.Duration) *oauth2.Introspection {
	t.Helper()
	source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: networkIssuer + "/introspect",
		ClientID:     "api",
		ClientSecret: "secret", Cache: oauth2.IntrospectionCache{TTL: ttl, NegativeTTL: ttl},
		HTTP:   oauth2.IntrospectionHTTP{Client: &http.Client{Transport: s}},
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestUnitAnAnswerIsNoOlderThanTheTTL(t *testing.T) {
	// overlap asks, revokes the token a while later, asks again, and returns the error of the second question.
	overlap := func(t *testing.T, ttl, between time.Duration) (s *slowServer, second error) {
		s = new(slowServer)
		source := s.source(t, ttl)
		go func() { _, _ = source.Inspect(t.Context(), "token") }()
		time.Sleep(between)
		s.revoked.Store(true)
		_, second = source.Inspect(t.Context(), "token")
		return s, second
	}
	for _, row := range []struct {
		name         string
		ttl, between time.Duration
		questions    int32
		served       bool
	}{
		{"without a cache a request never takes the answer to an earlier question", -1, time.Second, 2, false},
		{"also if both begin in one instant", -1, 0, 2, false},
		{"a request takes no answer to a question of TTL ago", time.Second, time.Second, 2, false},
		{"requests within the TTL wait for one answer", 30 * time.Second, time.Second, 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := overlap(t, row.ttl, row.between)
				synctest.Wait()
				if got := s.questions.Load(); got != row.questions {
					t.Errorf("got %d questions, want %d", got, row.questions)
				}
				if row.served != (err == nil) || err != nil && !errors.Is(err, auth.ErrInvalid) {
					t.Errorf("got %v, want that the token is served: %v", err, row.served)
				}
			})
		})
	}
	t.Run("an answer is remembered from the question on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := new(slowServer)
			source := s.source(t, 10*time.Second)
			for i, row := range []struct {
				wait      time.Duration
				questions int32
			}{{0, 1}, {6*time.Second - 1, 1}, {1, 2}} { // the first answer comes after 4 seconds
				time.Sleep(row.wait)
				if _, err := source.Inspect(t.Context(), "token"); err != nil || s.questions.Load() != row.questions {
					t.Errorf("number %d: got %v and %d questions, want %d", i, err, s.questions.Load(), row.questions)
				}
			}
		})
	})
	t.Run("questions about one token count against Concurrent, too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := new(slowServer)
			source := s.source(t, -1)
			for range 100 {
				go func() { _, _ = source.Inspect(t.Context(), "token") }()
			}
			synctest.Wait()
			if _, err := source.Inspect(t.Context(), "token"); err == nil || auth.KindOf(err) != nil {
				t.Errorf("got %v, want an outage", err)
			}
			time.Sleep(5 * time.Second)
			if _, err := source.Inspect(t.Context(), "token"); err != nil || s.questions.Load() != 101 {
				t.Errorf("got %v and %d questions, want that it is asked again", err, s.questions.Load())
			}
		})
	})
}

func TestUnitWhoLeavesMakesNoRoomForMoreQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slowServer)
		source := s.source(t, 0)
		ctx, leave := context.WithCancel(t.Context())
		for i := range 100 {
			go func() { _, _ = source.Inspect(ctx, fmt.Sprint("token ", i)) }()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		if _, err := source.Inspect(t.Context(), "one more"); err == nil || auth.KindOf(err) != nil {
			t.Errorf("got %v, want an outage", err)
		}
		if n := s.questions.Load(); n != 100 {
			t.Errorf("got %d questions, want 100", n)
		}
		time.Sleep(5 * time.Second)
		if _, err := source.Inspect(t.Context(), "one more"); err != nil {
			t.Errorf("after the answers: %v", err)
		}
	})
}

// noRoute is a network without a route.
type noRoute struct{}

func (noRoute) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

func TestUnitAStrangerCannotFillTheLogWhileTheServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{
			Issuer: "https://login.example", ClientID: "api", ClientSecret: "secret",
			HTTP:   oauth2.IntrospectionHTTP{Client: &http.Client{Transport: noRoute{}}},
			Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			if _, err := source.Inspect(t.Context(), fmt.Sprint("made-up-", i)); err == nil {
				t.Fatal("no error")
			}
		}
		if got := strings.Count(logged.String(), "\n"); got != 100 {
			t.Errorf("%d lines, want 100", got)
		}
		logged.Reset()
		time.Sleep(time.Second)
		_, _ = source.Inspect(t.Context(), "made-up")
		if got := logged.String(); !strings.Contains(got, "left_out=400") {
			t.Errorf("the next line: %s", got)
		}
	})
}
