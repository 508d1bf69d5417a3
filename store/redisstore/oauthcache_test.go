package redisstore

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/storetest"
)

// suiteTimeout is the Timeout for the races of the suite. 60 logins of one user wait for each other there. A machine
// that is busy with other tests needs longer than the default for all of them.
const suiteTimeout = 30 * time.Second

func TestOAuthCached(t *testing.T) {
	t.Parallel()
	storetest.OAuth(t, func(t *testing.T) server.Store { return OAuth(openTest(t, Config{Timeout: suiteTimeout})) })
}
