package oauth2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

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
