package oauth2_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2"
)

func TestUnitEveryNameOfThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"app.localhost:8000": true, "localhost.:8000": true, "localhost": true, "127.1.2.3:8000": true,
		"[::1]:8000":        true,
		"localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "127.0.0.1.example": false,
	} {
		t.Run("the resource at "+host, func(t *testing.T) {
			_, err := oauth2.New(oauth2.Config{Resource: "http://" + host, Sources: []oauth2.Source{legacy{}},
				User: oauth2.SubjectUser})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "loopback") {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
		t.Run("an endpoint at "+host, func(t *testing.T) {
			_, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: "http://" + host, ClientID: "api",
				ClientSecret: "x"})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "https") {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
	}
}
