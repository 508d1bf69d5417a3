package knox_test

import (
	"testing"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Knox(t, func(*testing.T) knox.Store { return knox.NewMemoryStore() })
}
