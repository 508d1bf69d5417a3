package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/redisstore"
)

// This file loads tokens into Redis. A token is issued and used first, and the keys that the store has written for it
// are written again for each other token. The append-only file is made after that, as by a server that rewrites it.

// loaders is how many connections load.
const loaders = 2

// pattern is a key of the sample.
type pattern struct {
	key     text
	value   text
	ordered bool // a sorted set, with value as member
	score   text
	isUse   bool // it is there for tokens that were used only
}

// text is parts of text around what differs. A part with a field of 1 or more is that field.
type text []struct {
	fixed string
	field int
}

// What a field stands for.
const (
	fieldDigest = iota + 1
	fieldID
	fieldUser
	fieldTag
	fieldCreated
	fieldExpires
	fieldUsed
	fields
)

// cut returns the text with fields in place of what the sample has.
func cut(whole string, sample [fields]string) (t text) {
	for whole != "" {
		at, field := len(whole), 0
		for f, value := range sample {
			if i := strings.Index(whole, value); value != "" && i >= 0 && i < at {
				at, field = i, f
			}
		}
		t = append(t, struct {
			fixed string
			field int
		}{fixed: whole[:at]})
		if field > 0 {
			t = append(t, struct {
				fixed string
				field int
			}{field: field})
		}
		whole = whole[at+len(sample[field]):]
	}
	return t
}

func (t text) fill(into []byte, values *[fields]string) []byte {
	into = into[:0]
	for _, part := range t {
		into = append(into, part.fixed...)
		into = append(into, values[part.field]...)
	}
	return into
}

// tagIn returns what is between the braces of a key.
func tagIn(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(rest, "}")
	return tag
}

// tagOf returns the tag of the keys of a token, as package redisstore has it.
func tagOf(digest string) string {
	return fmt.Sprintf("%03x", crc32.ChecksumIEEE([]byte(digest[:len("abc")]))%1024)
}

// client returns a connection without a cache.
func (d *database) client() (rueidis.Client, error) {
	option, err := rueidis.ParseURL(d.address.String())
	if err != nil {
		return nil, errors.New("the URL of Redis cannot be read")
	}
	option.SelectDB, option.DisableCache = redisNumbers[d.name], true
	return rueidis.NewClient(option)
}

// patterns issues a token, uses it, reads its keys, and ends it.
func (d *database) patterns(ctx context.Context) ([]pattern, error) {
	store := redisstore.Knox(d.redis)
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: anyUser})
	if err != nil {
		return nil, err
	}
	issued, err := tokens.Issue(ctx, sampleUser, sampleOptions)
	if err != nil {
		return nil, err
	}
	digest := backend.TokenDigest(issued.Secret.Reveal(), "")
	r, err := store.Find(ctx, digest)
	if err != nil || r == nil {
		return nil, fmt.Errorf("a token that was issued is not there: %w", err)
	}
	used := r.Created.Add(time.Second)
	touch := knox.Touch{Digest: digest, Used: used, ExpiresAt: r.ExpiresAt, LiveUntil: r.ExpiresAt}
	if err := store.Touch(ctx, touch); err != nil {
		return nil, err
	}
	sample := [fields]string{fieldDigest: digest, fieldID: r.ID, fieldUser: sampleUser, fieldCreated: micros(r.Created),
		fieldExpires: micros(r.ExpiresAt), fieldUsed: micros(used)}
	client, err := d.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	all, err := readPatterns(ctx, client, d.name+":", sample)
	if err != nil {
		return nil, err
	}
	_, err = tokens.RevokeAll(ctx, sampleUser)
	return all, err
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// readPatterns reads all keys. The versions of lists, which live for a day after a login and are random, are left out.
func readPatterns(ctx context.Context, client rueidis.Client, prefix string,
	sample [fields]string) ([]pattern, error) {
	keys, err := client.Do(ctx, client.B().Keys().Pattern(prefix+"*").Build()).AsStrSlice()
	if err != nil {
		return nil, err
	}
	var all []pattern
	for _, key := range keys {
		one, found, err := readPattern(ctx, client, key, sample)
		if err != nil {
			return nil, err
		}
		if found {
			all = append(all, one)
		}
	}
	return all, nil
}

// readPattern reads a key. It reports false for the version of a list.
func readPattern(ctx context.Context, client rueidis.Client, key string, sample [fields]string) (one pattern,
	found bool, err error) {
	kind, err := client.Do(ctx, client.B().Type().Key(key).Build()).ToString()
	if err != nil {
		return one, false, err
	}
	if tag := tagIn(key); tag != tagOf(sample[fieldDigest]) {
		return one, false, fmt.Errorf("%s has the tag %s, want %s", key, tag, tagOf(sample[fieldDigest]))
	}
	tagged := sample
	tagged[fieldTag] = "{" + tagIn(key) + "}"
	one = pattern{key: cut(key, tagged), ordered: kind == "zset"}
	if one.ordered {
		command := client.B().Zrange().Key(key).Min("0").Max("-1").Withscores().Build()
		members, err := client.Do(ctx, command).AsZScores()
		if err != nil || len(members) != 1 {
			return one, false, fmt.Errorf("%s has %d members, want one: %w", key, len(members), err)
		}
		one.value = cut(members[0].Member, sample)
		one.score = cut(strconv.FormatFloat(members[0].Score, 'f', 0, 64), sample)
		return one, true, nil
	}
	value, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
	if err != nil || !strings.HasPrefix(value, "{") {
		return one, false, err
	}
	one.value = cut(value, sample)
	one.isUse = !strings.Contains(value, sampleUser)
	return one, true, nil
}

// loadRedis writes the keys of a population.
func (d *database) loadRedis(ctx context.Context, p *population) error {
	patterns, err := d.patterns(ctx)
	if err != nil {
		return err
	}
	if len(patterns) != 4 {
		return fmt.Errorf("a token has %d keys, want its record, its use, a list of its user and an index by expiry",
			len(patterns))
	}
	stop := make(chan struct{})
	defer close(stop)
	records := p.records(stop)
	done := make(chan error, loaders)
	for range loaders {
		go func() { done <- d.pour(p, patterns, records) }()
	}
	for range loaders {
		err = errors.Join(err, <-done)
	}
	return err
}

// pour writes records through a connection of its own.
func (d *database) pour(p *population, patterns []pattern, records <-chan []record) error {
	conn, err := net.Dial("tcp", d.address.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	out, answers := bufio.NewWriterSize(conn, 1<<16), bufio.NewReaderSize(conn, 1<<16)
	sent := make(chan int, 1024) // commands in each flush
	failed := make(chan error, 1)
	go func() { failed <- readAnswers(answers, sent) }()
	password, _ := d.address.User.Password()
	c := &commands{out: out}
	c.do("AUTH", password)
	c.do("SELECT", strconv.Itoa(redisNumbers[d.name]))
	for many := range records {
		for i := range many {
			c.record(p, patterns, &many[i])
		}
		if err := out.Flush(); err != nil {
			return err
		}
		sent <- c.count
		c.count = 0
	}
	sent <- c.count
	close(sent)
	return errors.Join(out.Flush(), <-failed)
}

// readAnswers reads as many lines as commands were sent.
func readAnswers(answers *bufio.Reader, sent <-chan int) (err error) {
	for n := range sent {
		for range n {
			if err != nil {
				break
			}
			var line []byte
			if line, err = answers.ReadSlice('\n'); err == nil && line[0] == '-' {
				err = fmt.Errorf("redis: %s", line)
			}
		}
	}
	return err
}

// commands writes commands of Redis, and counts them.
type commands struct {
	out    *bufio.Writer
	count  int
	key    []byte
	value  []byte
	number []byte
}

func (c *commands) do(parts ...string) {
	c.begin(len(parts))
	for _, part := range parts {
		c.part([]byte(part))
	}
}

func (c *commands) begin(parts int) {
	c.count++
	_ = c.out.WriteByte('*')
	_, _ = c.out.Write(strconv.AppendInt(c.number[:0], int64(parts), 10))
	_, _ = c.out.WriteString("\r\n")
}

func (c *commands) part(text []byte) {
	_ = c.out.WriteByte('$')
	_, _ = c.out.Write(strconv.AppendInt(c.number[:0], int64(len(text)), 10))
	_, _ = c.out.WriteString("\r\n")
	_, _ = c.out.Write(text)
	_, _ = c.out.WriteString("\r\n")
}

// keptLonger is how much longer than its token a key lives.
const keptLonger = 24 * time.Hour

// record writes the keys of a token.
func (c *commands) record(p *population, patterns []pattern, r *record) {
	values := [fields]string{fieldDigest: r.digest, fieldID: r.id, fieldUser: r.user,
		fieldTag: "{" + tagOf(r.digest) + "}", fieldCreated: strconv.FormatInt(r.created, 10),
		fieldExpires: strconv.FormatInt(r.expires, 10), fieldUsed: strconv.FormatInt(r.lastUsed, 10)}
	ttl := time.UnixMicro(r.expires).Add(keptLonger).Sub(p.began).Milliseconds()
	var number [20]byte
	for i := range patterns {
		one := &patterns[i]
		if one.isUse && r.lastUsed == 0 {
			continue
		}
		c.key, c.value = one.key.fill(c.key, &values), one.value.fill(c.value, &values)
		if one.ordered {
			c.begin(4)
			c.part([]byte("ZADD"))
			c.part(c.key)
			c.part(one.score.fill(nil, &values))
			c.part(c.value)
			if r.first { // the index lives as long as its last token
				c.begin(3)
				c.part([]byte("PEXPIRE"))
				c.part(c.key)
				c.part(strconv.AppendInt(number[:0], (life + keptLonger).Milliseconds(), 10))
			}
			continue
		}
		c.begin(5)
		c.part([]byte("SET"))
		c.part(c.key)
		c.part(c.value)
		c.part([]byte("PX"))
		c.part(strconv.AppendInt(number[:0], ttl, 10))
	}
}
