package oauth2_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/oauth2"
)

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
