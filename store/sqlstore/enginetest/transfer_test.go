package enginetest

import (
	"os"
	"testing"

	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

// transferEngine opens all stores of a database.
func transferEngine(t *testing.T, db *sqlstore.DB) storetest.TransferEngine {
	t.Helper()
	return storetest.TransferEngine{
		Transfer: opened(t, sqlstore.Transfer, db),
		Knox:     opened(t, sqlstore.Knox, db),
		Sessions: opened(t, sqlstore.Sessions, db),
		JWT:      opened(t, sqlstore.JWT, db),
		JWTKeys:  opened(t, sqlstore.JWTKeys, db),
		OAuth:    opened(t, sqlstore.OAuth, db),
		External: opened(t, sqlstore.External, db),
		OneTime:  opened(t, sqlstore.OneTime, db),
		Throttle: opened(t, sqlstore.Throttle, db),
	}
}

// TestUnitTransfer moves everything from SQLite to PostgreSQL and from there to MariaDB. The long form has all pairs.
func TestUnitTransfer(t *testing.T) {
	pairs := [][2]*engine{{engines[0], engines[1]}, {engines[1], engines[2]}}
	if os.Getenv("GATEWARDEN_FAULTS") == "full" {
		pairs = append(pairs, [][2]*engine{{engines[2], engines[0]}, {engines[1], engines[0]}, {engines[2], engines[1]},
			{engines[0], engines[2]},
			{engines[1], engines[1]}}...)
	}
	for _, pair := range pairs {
		t.Run("from "+pair[0].name+" to "+pair[1].name, func(t *testing.T) {
			t.Parallel()
			from, to := pair[0].place(t), pair[1].place(t)
			storetest.Transfer(t, func(t *testing.T) (storetest.TransferEngine, storetest.TransferEngine) {
				return transferEngine(t, from.open(t)), transferEngine(t, to.open(t))
			})
		})
	}
}
