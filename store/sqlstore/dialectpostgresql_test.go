package sqlstore

import (
	"fmt"
	"testing"
)

// stateError is an error as drivers of PostgreSQL return it.
type stateError string

func (e stateError) Error() string    { return "ERROR: (SQLSTATE " + string(e) + ")" }
func (e stateError) SQLState() string { return string(e) }

func TestUnitFaultsOfPostgreSQL(t *testing.T) {
	for state, want := range map[string]fault{
		"40P01": retryable,    // deadlock_detected
		"55P03": retryable,    // lock_not_available
		"23505": duplicateKey, // unique_violation
		"42P07": duplicateKey, // duplicate_table
		"42710": duplicateKey, // duplicate_object: CREATE TABLE finds the type of a table that another one creates
		"23503": permanent,    // foreign_key_violation
		"":      permanent,
	} {
		t.Run("state "+state, func(t *testing.T) {
			if got := (postgresql{}).fault(fmt.Errorf("wrapped: %w", stateError(state))); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
