package main

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/gatewarden/auth"
)

func TestUnitGinRunsNothingAfterARefusal(t *testing.T) {
	s, err := newService()
	if err != nil {
		t.Fatal(err)
	}
	var ran atomic.Int32
	count := func(*gin.Context) { ran.Add(1) }
	router := gin.New()
	mux := http.NewServeMux()
	s.handlers.Register(mux, "/auth")
	router.Any("/auth/*any", gin.WrapH(mux))
	things := router.Group("/things", ginMiddleware(s.guard.Require()), count)
	things.Any("", ginMiddleware(s.guard.Require(auth.FullAccess)), count, func(c *gin.Context) {
		ran.Add(1)
		user, _ := auth.UserFrom[*account](c.Request.Context())
		c.JSON(http.StatusCreated, gin.H{"user": user.name})
	})
	c := serve(t, router)
	token := c.login("alice")
	for _, row := range []struct {
		sentence, method string
		headers          []string
		status           int
		text             string
		ran              int32
	}{
		{"a good token runs all", "POST", []string{"Authorization", token}, 201, `{"user":"alice"}`, 3},
		{"no token runs nothing", "POST", nil, 401, `{"code":"not_authenticated"`, 0},
		{"a bad token runs nothing", "POST", []string{"Authorization", "Token abc"}, 401, `{"code":"invalid_token"`, 0},
		{"a malformed token runs nothing", "POST", []string{"Authorization", "Token a b"}, 401, `{"code":"invalid_`, 0},
		{"a preflight runs nothing", "OPTIONS",
			[]string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST"}, 204, "", 0},
		{"the inner middleware stops what follows it", "POST",
			[]string{"Authorization", c.personal("reports:read")}, 403, `{"code":"insufficient_scope"`, 1},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			ran.Store(0)
			client{t, c.server}.want(row.sentence, row.status, row.text, row.method, "/things", "", row.headers...)
			if got := ran.Load(); got != row.ran {
				t.Errorf("wanted %d handlers to run, got %d", row.ran, got)
			}
		})
	}
}
