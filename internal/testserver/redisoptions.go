package testserver

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// RedisOption changes the Redis that NewRedis or NewRedisCluster starts.
type RedisOption func(*redisOptions) error

// redisOptions are what a Redis is started with.
type redisOptions struct {
	password string
	settings [][]string // lines of redis.conf, of which a later one wins
	acl      []string   // rules of the aclfile
	tls      *certificates
	replicas int // of each master of a Cluster
	cluster  bool
	replica  bool // it follows another node from the start
	sentinel bool // it is a Sentinel
}

// RedisSetting is a line of redis.conf, such as RedisSetting("maxmemory", "3mb"). The setting "requirepass" also
// changes the password in the address. If it is "", the server has no password. This package signs in as the default
// user, which must keep every right.
func RedisSetting(name string, values ...string) RedisOption {
	return func(o *redisOptions) error {
		if name == "requirepass" {
			if len(values) != 1 {
				return fmt.Errorf("requirepass takes one value, got %d", len(values))
			}
			o.password = values[0]
			return nil
		}
		o.settings = append(o.settings, append([]string{name}, values...))
		return nil
	}
}

// RedisAOF lets the server write each change to its disk before it answers. What it has acknowledged is there after
// Kill and Start. Without this option the server forgets everything when it ends.
func RedisAOF() RedisOption {
	return func(o *redisOptions) error {
		o.settings = append(o.settings, []string{"appendonly", "yes"}, []string{"appendfsync", "always"})
		return nil
	}
}

// RedisACLFile gives the server an aclfile with these rules, such as "user reader on >secret ~* +@read". ACL SAVE and
// ACL LOAD then work. The default user keeps every right and the password in the address, unless a rule changes that.
func RedisACLFile(rules ...string) RedisOption {
	return func(o *redisOptions) error {
		o.acl = rules
		o.settings = append(o.settings, []string{"aclfile", aclFile})
		return nil
	}
}

const aclFile = "users.acl" // in the folder of the server

// RedisTLS lets the server speak TLS only. [Node.TLS] is the configuration of a client. A client needs no certificate
// unless RedisSetting("tls-auth-clients", "yes") follows.
func RedisTLS() RedisOption {
	return func(o *redisOptions) (err error) {
		o.tls, err = makeCertificates()
		return err
	}
}

// RedisReplicaOf lets the server copy another one. It has the same password and, if the other one speaks TLS, the same
// certificates. NewRedis returns when the copy is complete.
func RedisReplicaOf(primary *Node) RedisOption {
	return func(o *redisOptions) error {
		host, port, err := net.SplitHostPort(primary.Address())
		if err != nil {
			return err
		}
		o.password, _ = primary.admin.User.Password()
		o.tls = primary.certificates
		o.replica = true
		o.settings = append(o.settings, []string{"replicaof", host, port})
		return nil
	}
}

// RedisReplicas gives each master of a Cluster so many replicas.
func RedisReplicas(n int) RedisOption {
	return func(o *redisOptions) error {
		if n < 0 {
			return fmt.Errorf("%d replicas", n)
		}
		o.replicas = n
		return nil
	}
}

func newRedisOptions(options []RedisOption) (redisOptions, error) {
	o := redisOptions{password: rand.Text()}
	for _, option := range options {
		if err := option(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// engine is the Redis of these options.
func (o redisOptions) engine() engine {
	e := engine{
		name: "Redis", scheme: "redis", variable: redisVariable,
		find: findRedis, start: "0",
		port:      freePort,
		prepare:   o.prepare,
		arguments: func(d *daemon) []string { return []string{redisConf(d)} },
		ready:     "Ready to accept connections",
		held:      "already used by a different Redis Cluster node",
		stop:      syscall.SIGTERM,
		last:      "KILL",
	}
	if o.tls != nil {
		e.scheme = "rediss"
	}
	if o.sentinel {
		e.name, e.ready = "Redis Sentinel", "+monitor master"
		e.arguments = func(d *daemon) []string { return []string{redisConf(d), "--sentinel"} }
	}
	if o.cluster {
		e.name, e.variable, e.port = "Redis Cluster", redisClusterVariable, freeClusterPort
	}
	return e
}

// findRedis looks in PATH, and where Homebrew puts it. Valkey goes on from Redis 7.2 under another name.
func findRedis() (programs, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, found := findProgram(name, []string{"/opt/homebrew/bin", "/usr/local/bin"}); found {
			return programs{serve: path}, nil
		}
	}
	return programs{}, fmt.Errorf("%w: no redis-server: run make servers, or set %s and %s", errMissing, redisVariable,
		redisClusterVariable)
}

func redisConf(d *daemon) string { return filepath.Join(d.folder, "redis.conf") }

// prepare writes redis.conf, which only the user of the server can read.
func (o redisOptions) prepare(d *daemon) error {
	d.password = o.password
	lines := [][]string{{"bind", "127.0.0.1"}, {"dir", d.folder}, {"daemonize", "no"}, {"save", ""},
		{"appendonly", "no"}}
	if o.password != "" {
		lines = append(lines, []string{"requirepass", o.password}, []string{"masterauth", o.password})
	}
	if o.cluster {
		lines = append(lines, []string{"cluster-enabled", "yes"}, []string{"cluster-config-file", "nodes.conf"},
			[]string{"cluster-node-timeout", "5000"}, []string{"cluster-announce-ip", "127.0.0.1"})
	}
	if o.acl != nil {
		if err := d.write(filepath.Join(d.folder, aclFile), o.aclText()); err != nil {
			return err
		}
	}
	if o.tls == nil {
		lines = append(lines, []string{"port", strconv.Itoa(d.port)})
	} else {
		tls, err := o.writeTLS(d)
		if err != nil {
			return err
		}
		lines = append(lines, tls...)
	}
	if o.sentinel {
		lines = o.sentinelLines(d)
	}
	var text strings.Builder
	for _, line := range append(lines, o.settings...) {
		text.WriteString(line[0])
		for _, value := range line[1:] {
			text.WriteString(" " + quoteRedis(value))
		}
		text.WriteString("\n")
	}
	return d.write(redisConf(d), text.String())
}

// aclText is the text of the aclfile. Redis takes requirepass for the default user only if there is no aclfile.
func (o redisOptions) aclText() string {
	password := "nopass"
	if o.password != "" {
		password = fmt.Sprintf("#%x", sha256.Sum256([]byte(o.password)))
	}
	rules := append([]string{"user default on " + password + " ~* &* +@all"}, o.acl...)
	return strings.Join(rules, "\n") + "\n"
}

// writeTLS writes the certificates and returns the settings with them.
func (o redisOptions) writeTLS(d *daemon) ([][]string, error) {
	lines := [][]string{{"port", "0"}, {"tls-port", strconv.Itoa(d.port)}, {"tls-auth-clients", "optional"},
		{"tls-replication", "yes"}}
	if o.cluster {
		lines = append(lines, []string{"tls-cluster", "yes"})
	}
	files := map[string][]byte{"tls-ca-cert-file": o.tls.authority, "tls-cert-file": o.tls.certificate,
		"tls-key-file": o.tls.key}
	for setting, text := range files {
		path := filepath.Join(d.folder, setting+".pem")
		if err := d.write(path, string(text)); err != nil {
			return nil, err
		}
		lines = append(lines, []string{setting, path})
	}
	return lines, nil
}

// quoteRedis quotes a value as redis.conf reads it.
func quoteRedis(value string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, b := range []byte(value) {
		switch {
		case b == '"' || b == '\\':
			quoted.WriteString(`\` + string(rune(b)))
		case b < ' ' || b > '~':
			fmt.Fprintf(&quoted, `\x%02x`, b)
		default:
			quoted.WriteByte(b)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}
