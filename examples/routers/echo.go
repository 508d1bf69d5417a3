package main

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/gatewarden/auth"
)

// echo: echo.WrapMiddleware takes Require and Optional, and handlers are
// registered with a ServeMux, which echo mounts. Note that in echo a parameter at
// the end of a route takes the rest of the path, with its slashes.
func (s *service) echo() http.Handler {
	router := echo.New()
	mux := http.NewServeMux()
	s.handlers.Register(mux, "/auth")
	router.Any("/auth/*", echo.WrapHandler(mux))
	router.GET("/hello", func(c echo.Context) error {
		return c.String(http.StatusOK, greeting(c.Request().Context()))
	}, echo.WrapMiddleware(s.guard.Optional()))
	// A route that is added to this group later is closed.
	reports := router.Group("/reports", echo.WrapMiddleware(s.guard.Require()))
	reports.GET("/:id", func(c echo.Context) error {
		return c.String(http.StatusOK, report(c.Request().Context(), c.Param("id")))
	}, echo.WrapMiddleware(s.guard.Require(auth.FullAccessOr("reports:read"))))
	reports.DELETE("/:id", func(c echo.Context) error {
		return c.NoContent(http.StatusNoContent)
	}, echo.WrapMiddleware(s.guard.Require(auth.FullAccess)))
	return router
}
