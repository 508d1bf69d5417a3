// Package style has tests that keep the texts of this repository readable: comments and documentation in plain English,
// and lines of at most 120 columns. The rules stand in CONTRIBUTING.md.
package style
