package enginetest

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

// storeSuite is what storetest has for a store.
type storeSuite struct {
	name string
	run  func(t *testing.T, p *place, instances int)
}

// suites are those of all stores.
var suites = []storeSuite{
	{"knox", suite(storetest.Knox, sqlstore.Knox, storetest.KnoxPair)},
	{"sessions", suite(storetest.Sessions, sqlstore.Sessions, storetest.SessionsPair)},
	{"jwt", suite(storetest.JWT, sqlstore.JWT, storetest.JWTPair)},
	{"jwtkeys", suite(storetest.JWTKeys, sqlstore.JWTKeys, storetest.JWTKeysPair)},
	{"oauth", suite(storetest.OAuth, sqlstore.OAuth, storetest.OAuthPair)},
	{"login", suite(storetest.External, sqlstore.External, storetest.ExternalPair)},
	{"onetime", suite(storetest.OneTime, sqlstore.OneTime, storetest.OneTimePair)},
	{"throttle", suite(storetest.Throttle, sqlstore.Throttle, storetest.ThrottlePair)},
}

// suite returns a function that checks a store on a place, as one instance or as two.
func suite[I any, S any](check func(*testing.T, func(*testing.T) I), open func(context.Context, *sqlstore.DB) (
	S, error),
	pair func(first, second I) I) func(t *testing.T, p *place, instances int) {
	return func(t *testing.T, p *place, instances int) {
		check(t, func(t *testing.T) I {
			dbs := p.instances(t, instances)
			stores := make([]I, instances)
			for i, db := range dbs {
				stores[i] = any(opened(t, open, db)).(I)
			}
			if instances == 1 {
				return stores[0]
			}
			return pair(stores[0], stores[1])
		})
	}
}

// TestUnitStores checks every store on every engine, as two instances of a program use it. On SQLite they are two pools
// of one file. The tests of plans check it as one instance.
func TestUnitStores(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel() // two instances on SQLite wait for each other most of the time
			place := engine.place(t)
			for _, suite := range suites {
				t.Run(suite.name, func(t *testing.T) { suite.run(t, place, 2) })
			}
		})
	}
}

// TestUnitSettingsOfTheDriver checks stores with settings of go-sql-driver/mysql that change what it says of a result,
// and how it sends a statement. The long form has all stores.
func TestUnitSettingsOfTheDriver(t *testing.T) {
	t.Parallel()
	found := slices.DeleteFunc(slices.Clone(suites), func(s storeSuite) bool {
		return s.name == "oauth" || s.name == "login"
	})
	if os.Getenv("GATEWARDEN_FAULTS") == "full" {
		found = suites
	}
	for options, suites := range map[string][]storeSuite{
		"?clientFoundRows=true": found,
		"?clientFoundRows=true&interpolateParams=true&parseTime=true&collation=utf8mb4_general_ci": suites[:2],
	} {
		t.Run(options, func(t *testing.T) {
			mariadb := *engines[2]
			mariadb.options = options
			place := mariadb.place(t)
			for _, suite := range suites {
				t.Run(suite.name, func(t *testing.T) { suite.run(t, place, 1) })
			}
		})
	}
}
