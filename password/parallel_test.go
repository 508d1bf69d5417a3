package password_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// Logins by real connections. With GATEWARDEN_SLOW_HASH they are of the default hasher's own
// strings, which takes minutes.
func TestUnitLoginsOverHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("2,000 logins over real connections")
	}
	hasher, stored := newHasher(t, password.HasherConfig{}), cheap
	if os.Getenv("GATEWARDEN_SLOW_HASH") != "" {
		var err error
		if stored, err = hasher.Hash(t.Context(), "password"); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, logins, atOnce int, userOf func(i int) string, want func(status map[int]int) bool) {
		t.Run(name, func(t *testing.T) {
			l, err := password.New(password.Config{
				Hasher: hasher, Decoy: cheap,
				Account: func(_ context.Context, name string) (auth.User, string, error) {
					return user(name), stored, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(
				auth.Config{Backends: []auth.Authenticator{l}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
			defer client.CloseIdleConnections()
			status, mu, all := map[int]int{}, sync.Mutex{}, sync.WaitGroup{}
			work := make(chan int)
			for range atOnce {
				all.Go(func() {
					for i := range work {
						r, _ := http.NewRequestWithContext(t.Context(), "POST", server.URL, nil)
						r.SetBasicAuth(userOf(i), "password")
						answer, err := client.Do(r)
						if err != nil {
							t.Error(err)
							continue
						}
						_ = answer.Body.Close()
						mu.Lock()
						status[answer.StatusCode]++
						mu.Unlock()
					}
				})
			}
			for i := range logins {
				work <- i
			}
			close(work)
			all.Wait()
			if !want(status) {
				t.Errorf("answers by status: %v", status)
			}
			t.Log(status)
		})
	}
	allRight := func(n int) func(map[int]int) bool {
		return func(status map[int]int) bool { return status[200] == n }
	}
	one := func(int) string { return "alice" }
	run("12 of one user at once are all 200", 12, 12, one, allRight(12))
	run("30 users behind one address at once are all 200", 30, 30,
		func(i int) string { return fmt.Sprint("user", i) }, allRight(30))
	run("2,000 of one user, 16 at a time, are all 200", 2000, 16, one, allRight(2000))
	run("2,000 of 500 users behind one address, 16 at a time, are all 200", 2000, 16,
		func(i int) string { return fmt.Sprint("user", i%500) }, allRight(2000))
	run("2,000 at once are 200, or 503 after MaxWait", 2000, 2000, one,
		func(status map[int]int) bool { return status[200]+status[503] == 2000 && status[200] >= 12 })
}
