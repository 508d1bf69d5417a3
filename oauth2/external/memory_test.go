package external_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.External(t, func(*testing.T) external.Store { return external.NewMemoryStore() })
}
