package testserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// Standby is a PostgreSQL that copies another one by streaming replication. It answers queries and takes no changes
// until [Standby.Promote].
type Standby struct {
	*Server
	primary *Server
}

// StandbyConfig is the configuration of a [Standby]. The zero value copies without making the primary wait.
type StandbyConfig struct {
	// From is host:port by which the standby reaches the primary, such as a proxy. If empty, it is the primary itself.
	From string
	// Synchronous lets each commit of the primary wait until the standby has it on its disk.
	Synchronous bool
}

// NewPostgreSQLStandby starts a standby of a server of NewPostgreSQL, and returns when it streams. It ends with the
// test. From then on, a commit on either server is on disk before it is acknowledged.
func NewPostgreSQLStandby(t testing.TB, primary *Server, config StandbyConfig) *Standby {
	t.Helper()
	primary.needDaemon(t)
	s, err := startStandby(primary, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if config.Synchronous && primary.reachable() { // or what other clean-up commits there would wait
			primary.exec(t, `ALTER SYSTEM RESET synchronous_standby_names`)
			primary.exec(t, `SELECT pg_reload_conf()`)
		}
		if pool, err := s.pool(); err == nil {
			_ = pool.Close()
		}
		s.daemon.close()
	})
	return s
}

func startStandby(primary *Server, config StandbyConfig) (*Standby, error) {
	if err := primary.try(`ALTER ROLE CURRENT_USER SET synchronous_commit = on`); err != nil {
		return nil, err
	}
	e := postgreSQL
	e.name = "standby of PostgreSQL"
	e.prepare = func(d *daemon) error { return copyPrimary(d, primary, config) }
	s := &Standby{Server: &Server{control: control{engine: e}}, primary: primary}
	s.Server.pool = sync.OnceValues(s.openPool)
	var err error
	if s.daemon, s.admin, err = startDaemon(e); err != nil {
		return nil, err
	}
	if err = waitFor("streaming standby", s.streams); err == nil && config.Synchronous {
		err = s.makeSynchronous()
	}
	if err != nil {
		s.daemon.close()
		return nil, err
	}
	return s, nil
}

// copyPrimary makes the data folder of a standby. The users and their passwords are those of the primary.
func copyPrimary(d *daemon, primary *Server, config StandbyConfig) error {
	d.password = primary.daemon.password
	from := url.URL{Scheme: "postgres", User: primary.admin.User, Host: cmp.Or(config.From, primary.admin.Host)}
	program := filepath.Join(filepath.Dir(d.programs.initialize), "pg_basebackup")
	return d.run(program, "--pgdata="+d.data(), "--dbname="+from.String(), "--write-recovery-conf",
		"--wal-method=stream", "--checkpoint=fast", "--no-sync")
}

// makeSynchronous lets the commits of the primary wait for the standby.
func (s *Standby) makeSynchronous() error {
	err := s.primary.try(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
	if err == nil {
		err = s.primary.try(`SELECT pg_reload_conf()`)
	}
	if err != nil {
		return err
	}
	return waitFor("synchronous standby", func() error {
		return s.primary.wantTrue(`SELECT COUNT(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'`)
	})
}

// Promote makes the standby a primary, whatever became of the one before, and returns when it takes changes.
func (s *Standby) Promote(t testing.TB) {
	t.Helper()
	err := s.wantTrue(fmt.Sprintf(`SELECT pg_promote(TRUE, %d)`, int(startTimeout.Seconds())))
	if err == nil {
		err = waitFor("end of the recovery", func() error { return s.wantTrue(`SELECT NOT pg_is_in_recovery()`) })
	}
	if err != nil {
		t.Fatalf("the standby is not promoted: %v", err)
	}
}

// WaitCaughtUp returns when the standby has replayed everything that the primary has written so far.
func (s *Standby) WaitCaughtUp(t testing.TB) {
	t.Helper()
	if err := waitFor("standby that has caught up", s.caughtUp); err != nil {
		t.Fatal(err)
	}
}

func (s *Standby) caughtUp() error {
	written, err := s.primary.text(`SELECT CAST(pg_current_wal_insert_lsn() AS text)`)
	if err != nil {
		return err
	}
	return s.wantTrue(`SELECT pg_last_wal_replay_lsn() >= '` + written + `'`)
}

// streams is an error unless the standby receives what the primary writes.
func (s *Standby) streams() error {
	return s.wantTrue(`SELECT COUNT(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming'`)
}

var errFalse = errors.New("it is not so")

// wantTrue is an error unless a query returns true.
func (s *Server) wantTrue(query string) error {
	found, err := s.text(query)
	if err == nil && found != "true" {
		err = errFalse
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.engine.name, query, err)
	}
	return nil
}

// text returns the one value of a query.
func (s *Server) text(query string) (found string, err error) {
	pool, err := s.pool()
	if err == nil {
		err = pool.QueryRow(query).Scan(&found)
	}
	return found, err
}

// try runs a statement as the administrator.
func (s *Server) try(statement string) error {
	pool, err := s.pool()
	if err == nil {
		_, err = pool.Exec(statement)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.engine.name, statement, err)
	}
	return nil
}

// StartAsStandby starts a PostgreSQL that was stopped or killed as one that takes no changes, as a tool for failover
// does with a primary that was replaced. It copies nothing, and is killed after the test.
func (s *Server) StartAsStandby(t testing.TB) {
	t.Helper()
	s.needDaemon(t)
	err := s.daemon.write(filepath.Join(s.daemon.data(), "standby.signal"), "")
	if err == nil {
		err = s.daemon.start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill(t) }) // it cannot drop the databases of the test
}
