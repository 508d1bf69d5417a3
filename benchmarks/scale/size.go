package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// This file measures what tokens take on the disk and in memory.

// size is in bytes.
type size struct {
	disk   int64
	memory int64 // of Redis; of SQL the indexes, which should fit into memory; 0 if not known
}

func (s size) minus(other size) size { return size{s.disk - other.disk, s.memory - other.memory} }

// size measures all tokens of the database. That of Redis is of the whole server.
func (d *database) size(ctx context.Context) (s size, err error) {
	query := ""
	switch d.address.Scheme {
	case "postgres":
		query = fmt.Sprintf("SELECT pg_total_relation_size('%s'), pg_indexes_size('%[1]s')", d.table())
	case "mysql":
		query = fmt.Sprintf("SELECT s.FILE_SIZE, t.INDEX_LENGTH FROM information_schema.INNODB_SYS_TABLESPACES s, "+
			"information_schema.TABLES t WHERE s.NAME = 'gatewarden/%s' AND t.TABLE_SCHEMA = 'gatewarden' AND "+
			"t.TABLE_NAME = '%[1]s'", d.table())
	case "sqlite":
		info, err := os.Stat(d.path)
		if err != nil {
			return s, err
		}
		return size{disk: info.Size()}, nil
	default:
		return d.redisSize(ctx)
	}
	err = d.sql.Reader().QueryRowContext(ctx, query).Scan(&s.disk, &s.memory)
	return s, err
}

// info returns what INFO says.
func (d *database) info(ctx context.Context) (map[string]string, error) {
	client, err := d.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	text, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			all[name] = value
		}
	}
	return all, nil
}

func (d *database) redisSize(ctx context.Context) (s size, err error) {
	info, err := d.info(ctx)
	if err != nil {
		return s, err
	}
	memory, err := strconv.ParseInt(info["used_memory"], 10, 64)
	disk, errDisk := strconv.ParseInt(info["aof_current_size"], 10, 64)
	return size{disk, memory}, errors.Join(err, errDisk)
}

// setAppending switches the append-only file of Redis.
func (d *database) setAppending(ctx context.Context, on string) error {
	client, err := d.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, client.B().ConfigSet().ParameterValue().ParameterValue("appendonly", on).Build()).Error()
}

// append has Redis write its append-only file, and waits until it has.
func (d *database) append(ctx context.Context, patience time.Duration) error {
	if err := d.setAppending(ctx, "yes"); err != nil {
		return err
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for timeout := time.After(patience); ; {
		info, err := d.info(ctx)
		if err != nil {
			return err
		}
		if info["aof_enabled"] == "1" && info["aof_rewrite_in_progress"] == "0" &&
			info["aof_rewrite_scheduled"] == "0" {
			if info["aof_last_bgrewrite_status"] != "ok" {
				return errors.New("redis cannot write its append-only file")
			}
			return nil
		}
		select {
		case <-look.C:
		case <-timeout:
			return fmt.Errorf("redis has not written its append-only file after %v", patience)
		}
	}
}

// load writes a population, and returns what it takes.
func (d *database) load(ctx context.Context, p *population) (s size, took time.Duration, err error) {
	before := size{}
	began := time.Now()
	if d.redis != nil {
		if before, err = d.size(ctx); err != nil {
			return s, 0, err
		}
		if err := d.setAppending(ctx, "no"); err != nil {
			return s, 0, err
		}
		err = d.loadRedis(ctx, p)
	} else {
		err = d.loadSQL(ctx, p)
	}
	if err != nil {
		return s, 0, fmt.Errorf("loading: %w", err)
	}
	if err := d.settled(ctx); err != nil {
		return s, 0, err
	}
	took = time.Since(began)
	after, err := d.size(ctx)
	return after.minus(before), took, err
}
