package enginetest

import (
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

// A connection that cannot be set up fails a change by the end of its wait. The error must
// then name the fault of the disk, and not only that the time was over.
func TestUnitAFaultThatOutlastsTheWaitIsNamed(t *testing.T) {
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	d := failingSwitch{plain.Driver(), codedError(266), new(atomic.Int64), new(atomic.Int64)}
	sql.Register(t.Name(), d)
	db, err := sqlstore.OpenSQLite(t.Context(), t.Name(), filepath.Join(t.TempDir(), "fault.db"),
		sqlstore.Config{BusyTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d.fails.Store(1 << 40)
	_ = db.Update(t.Context(), func(conn *sql.Conn) error { // drops the connection
		return conn.Raw(func(any) error { return driver.ErrBadConn })
	})
	if err := db.Update(t.Context(), nothing); err == nil || !strings.Contains(err.Error(), "disk I/O error (266)") {
		t.Errorf("got %v, want an error that names the fault", err)
	}
}
