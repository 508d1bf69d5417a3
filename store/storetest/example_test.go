package storetest_test

import (
	"testing"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/storetest"
)

// In a test file of the store's package, this is TestMyStore.
func ExampleKnox() {
	_ = func(t *testing.T) {
		storetest.Knox(t, func(*testing.T) knox.Store { return knox.NewMemoryStore() })
	}
}
