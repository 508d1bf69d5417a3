package testidentity_test

import (
	"context"
	"testing"

	"github.com/gatewarden/auth/internal/testidentity"
)

type guardKey struct{}

func (guardKey) AsksForIdentity(testidentity.Internal) {}

// foreignKey is like a key of another module, which cannot name testidentity.Internal.
type foreignKey struct{}

func (foreignKey) AsksForIdentity(struct{}) {}

type innerKey struct{}

func TestUnitContext(t *testing.T) {
	ctx := context.WithValue(t.Context(), foreignKey{}, "a value")
	identity := &testidentity.Context{Context: ctx, User: "alice"}
	inner := context.WithValue(identity, innerKey{}, "a context around it")

	t.Run("a key of a guard finds the identity", func(t *testing.T) {
		if got := inner.Value(guardKey{}); got != identity {
			t.Errorf("got %v, want the context with the identity", got)
		}
	})
	t.Run("a key of another module finds its own value", func(t *testing.T) {
		if got := inner.Value(foreignKey{}); got != "a value" {
			t.Errorf("got %v, want the value of the context inside", got)
		}
	})
	t.Run("a key without a value finds nothing", func(t *testing.T) {
		if got := identity.Value("no such key"); got != nil {
			t.Errorf("got %v, want nil", got)
		}
	})
}
