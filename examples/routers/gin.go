package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/gatewarden/auth"
)

// ginMiddleware makes a handler of gin from middleware of net/http, such as
// guard.Require(). The rest of the chain runs inside the middleware. If the
// middleware answers by itself, the chain ends.
func ginMiddleware(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // has the identity
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

// gin: handlers are registered with a ServeMux, which gin mounts.
func (s *service) gin() http.Handler {
	router := gin.New()
	router.HandleMethodNotAllowed = true
	mux := http.NewServeMux()
	s.handlers.Register(mux, "/auth")
	router.Any("/auth/*any", gin.WrapH(mux))
	router.GET("/hello", ginMiddleware(s.guard.Optional()), func(c *gin.Context) {
		c.String(http.StatusOK, greeting(c.Request.Context()))
	})
	// A route that is added to this group later is closed.
	reports := router.Group("/reports", ginMiddleware(s.guard.Require()))
	reports.GET("/:id", ginMiddleware(s.guard.Require(auth.FullAccessOr("reports:read"))), func(c *gin.Context) {
		c.String(http.StatusOK, report(c.Request.Context(), c.Param("id")))
	})
	reports.DELETE("/:id", ginMiddleware(s.guard.Require(auth.FullAccess)), func(c *gin.Context) {
		c.Status(http.StatusNoContent)
	})
	return router
}
