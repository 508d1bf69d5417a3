// Package enginetest runs the stores of package sqlstore against real engines.
// It is a module of its own so that drivers stay out of everybody's go.sum.
package enginetest
