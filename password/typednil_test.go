package password_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

func TestUnitASettingThatHoldsANilPointerIsRefused(t *testing.T) {
	load := func(_ context.Context, id string) (auth.User, error) { return user(id), nil }
	hasher := newHasher(t, password.HasherConfig{})
	var (
		knoxStore    *knox.MemoryStore
		sessionStore *session.MemoryStore
		throttle     *password.MemoryThrottle
		oneTimeStore *password.MemoryOneTimeStore
		verifier     *knox.Tokens
		loader       auth.UserLoader
	)
	for setting, build := range map[string]func() error{
		"knox: Config.Store": func() error {
			return second(knox.New(knox.Config{Store: knoxStore, LoadUser: load}))
		},
		"knox: Config.LoadUser": func() error {
			return second(knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: loader}))
		},
		"session: Config.Store": func() error {
			return second(session.New(session.Config{Store: sessionStore, LoadUser: load}))
		},
		"session: Config.LoadUser": func() error {
			return second(session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: loader}))
		},
		"header: APIKeyConfig.Verifier": func() error {
			return second(header.NewAPIKey(header.APIKeyConfig{Header: "X-Api-Key", Verifier: verifier}))
		},
		"header: Config.LoadUser": func() error {
			return second(header.New(header.Config{Header: "X-User", LoadUser: loader}))
		},
		"password: Config.Hasher":  func() error { return second(password.New(password.Config{Account: find})) },
		"password: Config.Account": func() error { return second(password.New(password.Config{Hasher: hasher})) },
		"password: Config.Throttle": func() error {
			return second(password.New(password.Config{Hasher: hasher, Account: find, Throttle: throttle}))
		},
		"password: MailThrottleConfig.Store": func() error {
			return second(password.NewMailThrottle(password.MailThrottleConfig{Store: throttle}))
		},
		"password: OneTimeConfig.Store": func() error {
			return second(password.NewOneTimeTokens(password.OneTimeConfig{Store: oneTimeStore, LoadUser: load}))
		},
	} {
		t.Run(setting, func(t *testing.T) {
			if err := build(); err == nil || !strings.Contains(err.Error(), setting+" is") {
				t.Errorf("%v, want an error that names %s", err, setting)
			}
		})
	}
}
