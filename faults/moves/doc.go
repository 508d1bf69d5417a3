// Package moves has the tests that move everything between databases of SQL and Redis. It is no library.
package moves
