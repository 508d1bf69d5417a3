package server_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestARegistrationWithoutResourcesIsNotOneForAll(t *testing.T) {
	s := newService(t, nil)
	_, _, err := s.server.NewClient(server.Registration{GrantTypes: []string{"client_credentials"},
		Resources: []string{}})
	var e *server.Error
	if !errors.As(err, &e) || e.Code != "invalid_client_metadata" {
		t.Errorf("%v", err)
	}
}

func TestAClientOfAFileIsChangedAtALaterInstant(t *testing.T) {
	s := newService(t, nil)
	client, err := s.server.Client(t.Context(), "job")
	s.must(err)
	ahead := *client
	ahead.Updated = client.Updated.Add(time.Hour) // by a machine with a clock that is
	ok, _, err := s.config.Store.ChangeClient(t.Context(), &ahead, client.Updated)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	next, err := s.server.EnsureClient(t.Context(),
		server.Registration{ClientID: "job", GrantTypes: []string{"client_credentials"}})
	if err != nil || !next.Updated.After(ahead.Updated) {
		t.Errorf("%+v, %v", next, err)
	}
}
