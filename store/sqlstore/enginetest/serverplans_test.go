package enginetest

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// statements are those that a place is given, with the arguments of the first time.
type statements struct {
	mu   sync.Mutex
	args map[string][]any
}

func (s *statements) note(query string, args []driver.NamedValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.args[query]; ok {
		return
	}
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg.Value
	}
	s.args[query] = values
}

var (
	numberedPrefix = regexp.MustCompile(`\bt\d+_`)
	verb           = regexp.MustCompile(`^(SELECT|UPDATE|DELETE)\b`)
	page           = regexp.MustCompile(`(?s)^SELECT .*ORDER BY (id|client_id) (DESC )?LIMIT \S+$`)
	// notHot are statements about the schema, those of the test itself, and those about the few keys of an issuer.
	notHot = regexp.MustCompile(`information_schema|_schema\b|^DELETE FROM \w+$|WHERE 1 = 0|FROM \w+_jwt_keys\b`)
)

// TestUnitPlansOfServers runs what storetest does with every store, as one instance, and asks the server how it finds
// the rows of each statement in tables of 10,000 rows.
func TestUnitPlansOfServers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		engine  *engine
		explain func(t *testing.T, conn *sql.Conn, statement string, args []any) (scan, sort string)
	}{{engines[1], explainPostgreSQL}, {engines[2], explainMariaDB}} {
		t.Run(row.engine.name, func(t *testing.T) {
			place := row.engine.place(t)
			noted := &statements{args: map[string][]any{}}
			place.tap.listen(noted.note)
			for _, suite := range suites {
				suite.run(t, place, 1)
			}
			place.tap.listen(nil)
			full := place.open(t)
			openAll(t, full)
			conn, err := full.Writer().Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			prefix := place.last
			fill(t, place, conn, prefix)
			checked := map[string]bool{}
			for _, statement := range slices.Sorted(maps.Keys(noted.args)) {
				text := numberedPrefix.ReplaceAllString(statement, prefix)
				if !verb.MatchString(text) || notHot.MatchString(text) || !strings.Contains(text, prefix) ||
					checked[text] {
					continue
				}
				checked[text] = true
				scan, sort := row.explain(t, conn, text, noted.args[statement])
				if scan != "" {
					t.Errorf("got %s, want a search by an index, for\n%s\nwith %.300v", scan, text,
						noted.args[statement])
				}
				if sort != "" && page.MatchString(text) {
					t.Errorf("got %s, want a page to be read in the order of an index, for\n%s", sort, text)
				}
			}
			if len(checked) < 60 {
				t.Errorf("got %d statements, want those of all stores", len(checked))
			}
		})
	}
}

// fill writes 10,000 rows into each table of a prefix. A hundred users have a hundred each, and most are live at noon.
func fill(t *testing.T, p *place, conn *sql.Conn, prefix string) {
	t.Helper()
	const digits = `(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
		UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)`
	const numbers = `(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS i, a.d + 10 * b.d AS low, c.d + 10 * e.d AS high
		FROM ` + digits + ` a CROSS JOIN ` + digits + ` b CROSS JOIN ` + digits + ` c CROSS JOIN ` + digits + ` e) AS n`
	schema, analyze := "DATABASE()", "ANALYZE TABLE "
	if p.driver == "pgx" {
		schema, analyze = "current_schema()", "ANALYZE "
	}
	columns := map[string][]string{}
	rows, err := conn.QueryContext(t.Context(), `SELECT table_name, column_name, data_type
		FROM information_schema.columns WHERE table_schema = `+schema)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(table, prefix) && !strings.HasSuffix(table, "_schema") && column != "n" {
			columns[table] = append(columns[table], column+" "+kind)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	parents := []string{prefix + "jwt_families", prefix + "oauth_grants"}
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(columns)), func(s string) bool {
		return slices.Contains(parents, s)
	})
	for _, table := range append(parents, others...) {
		var names, values []string
		for _, column := range columns[table] {
			name, kind, _ := strings.Cut(column, " ")
			value := valueOf(name, kind)
			if name == "user_id" && table == prefix+"owners" {
				value = "CONCAT('user', i)"
			}
			if name == "key" {
				name = map[string]string{"pgx": `"key"`, "mysql": "`key`"}[p.driver]
			}
			names, values = append(names, name), append(values, value)
		}
		for _, statement := range []string{
			"INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(values, ", ") +
				" FROM " + numbers,
			analyze + table,
		} {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
}

// valueOf is an expression for a column.
func valueOf(name, kind string) string {
	const noon = 1795435200000000 // as in storetest
	switch {
	case name == "user_id" || name == "owner":
		return "CONCAT('user', low)"
	case name == "client_id":
		return "CONCAT('client', high)"
	case name == "family_id" || name == "grant_id":
		return "CONCAT('id', i)"
	case name == "revoked_at", name == "rotated", name == "redeemed", name == "used":
		return fmt.Sprintf("CASE WHEN low %% 2 = 0 THEN NULL ELSE %d END", noon)
	case name == "expires_at":
		return fmt.Sprintf("%d + (i - 100) * 100000", noon)
	case name == "permissions" || name == "claims" || name == "extra" || name == "client":
		return "'[]'"
	case kind == "boolean" || kind == "tinyint":
		return "FALSE"
	case kind == "bytea" || kind == "mediumblob":
		return "''"
	case kind == "bigint":
		return fmt.Sprintf("%d + i", noon)
	}
	return "CONCAT('" + name + "', i)"
}

// node is a step of PostgreSQL.
type node struct {
	Type   string `json:"Node Type"`
	Table  string `json:"Relation Name"`
	Index  string `json:"Index Name"`
	Cond   string `json:"Index Cond"`
	Filter string
	Plans  []node
}

// explainPostgreSQL returns a step that reads a whole table or index, and one that sorts.
func explainPostgreSQL(t *testing.T, conn *sql.Conn, statement string, args []any) (scan, sort string) {
	t.Helper()
	// A table of 10,000 rows is small enough to be read for 256 keys. This asks for another way if there is one.
	if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := conn.QueryRowContext(t.Context(), "EXPLAIN (FORMAT JSON) "+statement, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	var visit func(n node)
	visit = func(n node) {
		switch {
		case n.Type == "Seq Scan", strings.HasPrefix(n.Type, "Index") && n.Cond == "",
			n.Type == "Bitmap Index Scan" && n.Cond == "":
			scan = fmt.Sprintf("a %s of %s %s", n.Type, n.Table, n.Index)
		case strings.HasSuffix(n.Type, "Sort"):
			sort = "a " + n.Type
		}
		for _, child := range n.Plans {
			visit(child)
		}
	}
	visit(plans[0].Plan)
	return scan, sort
}

// explainMariaDB returns a step that reads a whole table or index, and one that sorts.
func explainMariaDB(t *testing.T, conn *sql.Conn, statement string, args []any) (scan, sort string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN "+statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, kind, table, how, possible, key, length, ref, count, extra sql.NullString
		if err := rows.Scan(&id, &kind, &table, &how, &possible, &key, &length, &ref, &count, &extra); err != nil {
			t.Fatal(err)
		}
		if (how.String == "ALL" || how.String == "index") && !strings.Contains(extra.String, "Table function") {
			scan = fmt.Sprintf("%s of %s %s (%s)", how.String, table.String, key.String, extra.String)
		}
		if strings.Contains(extra.String, "filesort") {
			sort = extra.String
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return scan, sort
}
