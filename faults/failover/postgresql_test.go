package failover

import (
	"cmp"
	"database/sql"
	"log/slog"
	"net/url"
	"testing"

	"github.com/gatewarden/auth/faults/internal/proxy"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/sqlstore"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// poolSize is how many connections an instance has.
const poolSize = 10

// postgreSQLStores opens an instance's stores in PostgreSQL.
func postgreSQLStores(t testing.TB, dsn string, config sqlstore.Config) (*sqlstore.DB, serviceStores) {
	t.Helper()
	config.Logger = cmp.Or(config.Logger, slog.New(slog.DiscardHandler))
	pool := must[*sql.DB](t)(sql.Open("pgx", dsn))
	pool.SetMaxOpenConns(poolSize)
	db := must[*sqlstore.DB](t)(sqlstore.NewPostgreSQL(t.Context(), pool, config))
	t.Cleanup(func() { _ = db.Close() }) // the error names the last uses that are lost with the server
	return db, serviceStores{
		knox:  must[*sqlstore.KnoxStore](t)(sqlstore.Knox(t.Context(), db)),
		jwt:   must[*sqlstore.JWTStore](t)(sqlstore.JWT(t.Context(), db)),
		oauth: must[*sqlstore.OAuthStore](t)(sqlstore.OAuth(t.Context(), db)),
		ping:  db.Ping,
	}
}

// hostOf returns host:port of a server's address.
func hostOf(t testing.TB, address string) string {
	t.Helper()
	return must[*url.URL](t)(url.Parse(address)).Host
}

// at returns an address with other hosts, and settings for its query.
func at(t testing.TB, address, hosts, settings string) string {
	t.Helper()
	u := must[*url.URL](t)(url.Parse(address))
	u.Host = hosts
	if settings != "" {
		u.RawQuery += "&" + settings
	}
	return u.String()
}

// replicated is a primary with a standby, and an address that follows the primary.
type replicated struct {
	primary  *testserver.Server
	standby  *testserver.Standby
	database testserver.Database
	address  *proxy.Proxy // of the primary, for services
	wire     *proxy.Proxy // between the standby and the primary
}

func newReplicated(t testing.TB, synchronous bool) *replicated {
	t.Helper()
	r := &replicated{primary: testserver.NewPostgreSQL(t)}
	r.database = r.primary.Database(t)
	primary := hostOf(t, r.database.URL)
	r.address, r.wire = proxy.New(t, primary), proxy.New(t, primary)
	r.standby = testserver.NewPostgreSQLStandby(t, r.primary,
		testserver.StandbyConfig{From: r.wire.Address(), Synchronous: synchronous})
	return r
}

// standbyHost is host:port of the standby.
func (r *replicated) standbyHost(t testing.TB) string {
	t.Helper()
	return hostOf(t, r.standby.Admin().URL)
}

// failOver promotes the standby, and moves the address there.
func (r *replicated) failOver(t testing.TB) {
	t.Helper()
	r.standby.Promote(t)
	r.address.Point(r.standbyHost(t))
}

// TestUnitPostgreSQLFailover kills the primary under load and promotes its synchronous standby.
func TestUnitPostgreSQLFailover(t *testing.T) {
	t.Parallel()
	const moves = "an address that moves"
	for name, dsn := range map[string]func(t *testing.T, r *replicated) string{
		moves: func(t *testing.T, r *replicated) string {
			return at(t, r.database.DSN, r.address.Address(), "")
		},
		"a DSN with both servers": func(t *testing.T, r *replicated) string {
			both := r.standbyHost(t) + "," + hostOf(t, r.database.URL)
			return at(t, r.database.DSN, both, "target_session_attrs=read-write")
		},
	} {
		t.Run(name+" goes on after a failover, and nothing acknowledged is lost", func(t *testing.T) {
			t.Parallel()
			if name != moves {
				onlyFull(t)
			}
			r := newReplicated(t, true)
			key, log := newSigningKey(t), &logText{}
			var services []*service
			for range 2 {
				_, stores := postgreSQLStores(t, dsn(t, r), sqlstore.Config{Logger: log.logger()})
				services = append(services, newService(t, stores, key, log))
			}
			l := startLoad(t, 8, services...)
			l.goesOn(t, rounds())
			r.primary.Kill(t)
			r.failOver(t)
			l.goesOn(t, rounds())
			l.wantNothingLost(t)
			row(t, "PostgreSQL, synchronous standby, "+name, l.report(t))
			for _, s := range services {
				if err := s.stores.ping(t.Context()); err != nil {
					t.Errorf("the instance is not well after the failover: %v", err)
				}
			}
		})
	}
}
