package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatewarden/auth/jwt"
)

// This file loads logins of package jwt into SQL: one of each user, beside those that are refreshed. They are copies of
// one that was issued, with another user, identifier and digest. Their refresh tokens are not known.

// dialect has the expressions that differ between the engines. n is the number of a copy.
type dialect struct {
	numbers string // a table with a column n from 1 on, with %d for how many
	id      string
	digest  string
	user    string // with %d for the number of users
}

var dialects = map[string]dialect{
	"postgres": {numbers: "generate_series(1, %d) AS numbers(n)", id: "gen_random_uuid()::text",
		digest: "substr(md5(random()::text) || md5(random()::text), 1, 46)",
		user:   "'user-' || lpad((n %% %d)::text, 7, '0')"},
	"sqlite": {numbers: "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) " +
		"SELECT n FROM c)",
		id: "lower(hex(randomblob(18)))", digest: "substr(hex(randomblob(32)), 1, 46)",
		user: "printf('user-%%07d', n %% %d)"},
	"mysql": {numbers: "(SELECT seq AS n FROM seq_1_to_%d) AS numbers", id: "UUID()",
		digest: "SUBSTR(CONCAT(MD5(RAND()), MD5(RAND())), 1, 46)", user: "CONCAT('user-', LPAD(n %% %d, 7, '0'))"},
}

// loadLogins writes a login of each user into SQL. Redis finds a login by its key, however many there are.
func (d *database) loadLogins(ctx context.Context, p *population, pairs *jwt.Tokens) error {
	if d.redis != nil {
		return nil
	}
	options := jwt.Options{IP: sampleOptions.IP, UserAgent: sampleOptions.UserAgent}
	if _, err := pairs.Issue(ctx, sampleUser, options); err != nil {
		return err
	}
	own := dialects[d.address.Scheme]
	families, tokens := d.name+"_jwt_families", d.name+"_jwt_refresh"
	err := d.multiply(ctx, families, "s.user_id = '"+sampleUser+"'",
		map[string]string{"id": own.id, "user_id": fmt.Sprintf(own.user, p.users())},
		fmt.Sprintf(own.numbers, p.users()), p.users())
	if err != nil {
		return err
	}
	sampleFamily := "(SELECT id FROM " + families + " WHERE user_id = '" + sampleUser + "')"
	err = d.multiply(ctx, tokens, "s.family_id = "+sampleFamily,
		map[string]string{"digest": own.digest, "family_id": "f.id"},
		"(SELECT id FROM "+families+" WHERE user_id <> '"+sampleUser+"') AS f", p.users())
	if err != nil {
		return err
	}
	_, err = pairs.RevokeAll(ctx, sampleUser)
	return err
}

// multiply copies the row that a condition names once for each row of a source, with some columns of its own.
func (d *database) multiply(ctx context.Context, table, sample string, own map[string]string, source string,
	copies int) error {
	columns, err := d.columnsOf(ctx, table)
	if err != nil {
		return err
	}
	values, found := make([]string, len(columns)), 0
	for i, column := range columns {
		if values[i] = "s." + column; own[column] != "" {
			values[i] = own[column]
			found++
		}
	}
	if found != len(own) {
		return fmt.Errorf("%s has the columns %v, which are not those that this program knows", table, columns)
	}
	statement := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %[1]s s CROSS JOIN %[4]s WHERE %[5]s", table,
		strings.Join(columns, ", "), strings.Join(values, ", "), source, sample)
	done, err := d.sql.Writer().ExecContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("copying a row of %s: %w", table, err)
	}
	if copied, err := done.RowsAffected(); err != nil || copied != int64(copies) {
		return fmt.Errorf("%d rows of %s were written, want %d: %w", copied, table, copies, err)
	}
	return nil
}

func (d *database) columnsOf(ctx context.Context, table string) ([]string, error) {
	rows, err := d.sql.Reader().QueryContext(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return columns, rows.Err()
}
