# `make test` is all there is to know: it finds or installs what the tests
# need, then lints and race-tests every module.

# Tests that mostly wait for servers and browsers run beside those that compute, the longest first.
MODULES = store/sqlstore/enginetest . examples store/redisstore faults interop store/sqlstore store/sqlstore/pgnotify benchmarks
FUZZTIME ?= 10s
SPRING_BOOT = 3.5.7 4.0.7

.PHONY: test test-providers java tools chromium clients proxies servers fuzz faults bench bench-packages bench-scale release

test: tools chromium clients proxies servers
	@$(MAKE) -s -j2 $(addprefix check/,$(MODULES))
	@echo "== . without the workspace"
	@GOWORK=off go build ./... && GOWORK=off go vet ./...
	@echo "== internal/lint"
	@cd internal/lint && export GOWORK=off && test -z "$$(gofmt -l . | tee -a /dev/stderr)" && go vet . && go test .
	@echo "== jwt/wycheproof" # whose vectors need a newer Go than the workspace names
	@cd jwt/wycheproof && export GOWORK=off && test -z "$$(gofmt -l . | tee -a /dev/stderr)" && go vet -tags wycheproof ./... && $(CURDIR)/.tools/staticcheck -tags wycheproof ./... && go test -race -tags wycheproof ./...

# One module, such as check/store/sqlstore. LINT has the analyzers of go vet, too.
LINT = $(CURDIR)/.tools/lint

check/%: tools
	@echo "== $*"
	@cd $* && test -z "$$(gofmt -l . | tee -a /dev/stderr)" && go vet -vettool=$(LINT) ./... && \
		$(CURDIR)/.tools/staticcheck ./... && go test -race -timeout 20m ./...

# Both linters are built from internal/lint, a module of its own.
tools: .tools/staticcheck .tools/lint

.tools/staticcheck: internal/lint/go.mod
	cd internal/lint && GOWORK=off go build -o $(CURDIR)/$@ honnef.co/go/tools/cmd/staticcheck
	@touch $@

.tools/lint: internal/lint/go.mod $(wildcard internal/lint/*.go)
	cd internal/lint && GOWORK=off go build -o $(CURDIR)/$@ .
	@touch $@

# The browser that looks at pages. Tests that need it skip, and say so, where
# there is none, unless GATEWARDEN_REQUIRE_SERVICES is set.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else echo "no Chromium: tests of pages will skip"; fi

# The programs of others that interop/ runs, in the versions of interop/package.json and interop/requirements.txt. Tests
# that need them skip, as those of pages do.
HAVE_NPM = command -v node >/dev/null && command -v npm >/dev/null
HAVE_VENV = python3 -c 'import ensurepip, venv' 2>/dev/null

clients:
	@{ $(HAVE_NPM) && $(HAVE_VENV); } || if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		need=; $(HAVE_NPM) || need="nodejs npm"; $(HAVE_VENV) || need="$$need python3 python3-venv"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$need >/dev/null; fi || true
	@if $(HAVE_NPM) && $(MAKE) -s interop/node_modules/.installed; then :; else echo "no packages for Node: tests with them will skip"; fi
	@if $(HAVE_VENV) && $(MAKE) -s interop/.venv/.installed; then :; else echo "no packages for Python: tests with them will skip"; fi

interop/node_modules/.installed: interop/package.json
	cd interop && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

interop/.venv/.installed: interop/requirements.txt
	python3 -m venv --clear interop/.venv
	interop/.venv/bin/python -m pip install --disable-pip-version-check -q -r interop/requirements.txt
	@touch $@

# Spring Security against our provider, and our resource servers against a real Keycloak and a real Ory Hydra. They are
# apart from `make test` because Maven fetches 300 MB for them, and Go builds Hydra for minutes.
KEYCLOAK = 26.7.3

test-providers: java interop/keycloak/target/$(KEYCLOAK) interop/hydra/target/hydra
	cd interop/spring && for v in $(SPRING_BOOT); do mvn -B -q package -Dspring-boot.version=$$v || exit 1; done
	cd interop && go vet -tags providers . && GATEWARDEN_REQUIRE_SERVICES=1 go test -race -tags providers \
		-run 'TestSpring|TestKeycloak|TestHydra' .

java:
	@{ command -v java >/dev/null && command -v mvn >/dev/null; } || if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jdk-headless maven >/dev/null; \
	else echo "no Java and Maven" >&2; exit 1; fi

interop/keycloak/target/$(KEYCLOAK): interop/keycloak/realm.json | java
	rm -rf interop/keycloak/target && mkdir -p interop/keycloak/target
	cd interop/keycloak && mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack \
		-Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK):zip -DoutputDirectory=$(CURDIR)/interop/keycloak/target
	mv interop/keycloak/target/keycloak-$(KEYCLOAK) interop/keycloak/target/keycloak
	mkdir -p interop/keycloak/target/keycloak/data/import
	cp interop/keycloak/realm.json interop/keycloak/target/keycloak/data/import/
	@touch $@

# A module of its own, with the replacement that Hydra's go.mod has.
interop/hydra/target/hydra: interop/hydra/go.mod
	cd interop/hydra && GOWORK=off go build -tags sqlite -o target/hydra github.com/ory/hydra/v2

# The proxies that interop/ runs. They are installed only where no systemd would start them as services.
HAVE_PROXIES = command -v nginx >/dev/null && command -v haproxy >/dev/null && command -v caddy >/dev/null

proxies:
	@{ $(HAVE_PROXIES); } || \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && [ ! -d /run/systemd/system ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light haproxy caddy >/dev/null; \
	else echo "no nginx, HAProxy or Caddy: tests with them will skip"; fi

# The database servers that tests start for themselves; see internal/testserver. Debian's package of PostgreSQL would
# make a cluster and start it, so it is told not to. MariaDB's core packages have no service. PgBouncer and Redis are
# installed only where no systemd would start them. A server of the environment needs no program here.
HAVE_POSTGRES = test -n "$$GATEWARDEN_POSTGRES_URL" || command -v initdb >/dev/null || ls -d /usr/lib/postgresql/*/bin/initdb \
	/usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb 2>/dev/null | grep -q .
HAVE_MARIADB = test -n "$$GATEWARDEN_MYSQL_URL" || { PATH="$$PATH:/usr/sbin:/usr/libexec" && command -v mariadbd >/dev/null && \
	command -v mariadb-install-db >/dev/null; }
HAVE_REDIS = { test -n "$$GATEWARDEN_REDIS_URL" && test -n "$$GATEWARDEN_REDIS_CLUSTER_URL"; } || \
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null
HAVE_PGBOUNCER = test -x /usr/sbin/pgbouncer || command -v pgbouncer >/dev/null

servers:
	@need=; { $(HAVE_POSTGRES); } || need="postgresql"; { $(HAVE_MARIADB); } || need="$$need mariadb-server-core mariadb-client-core"; \
	[ -d /run/systemd/system ] || { $(HAVE_PGBOUNCER); } || need="$$need pgbouncer"; \
	{ $(HAVE_REDIS); } || if [ -d /run/systemd/system ]; then echo "no redis-server: tests with it will skip"; \
		else need="$$need redis-server redis-tools"; fi; \
	if [ -z "$$need" ]; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		case $$need in *postgresql*) mkdir -p /etc/postgresql-common/createcluster.d && \
			echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/gatewarden.conf;; esac; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$need >/dev/null; \
	else echo "not installed:$$need: tests with them will skip"; fi

# Each fuzz target for a while; all are in the root module.
fuzz:
	@for d in $$(go list -f '{{.Dir}}' ./...); do for f in $$(cat $$d/*_test.go 2>/dev/null | sed -nE 's/^func (Fuzz[A-Za-z0-9]+).*/\1/p'); do \
		echo "== $$d $$f"; go test $$d -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit 1; done; done

# The long form of each fault, with a table, and of tests of stores on all pairs of engines. `make test` runs a short form.
faults: servers
	cd faults && GATEWARDEN_FAULTS=full GATEWARDEN_REQUIRE_SERVICES=1 go test -count 1 -timeout 60m -v ./...
	@for m in store/sqlstore/enginetest store/redisstore; do (cd $$m && GATEWARDEN_FAULTS=full GATEWARDEN_REQUIRE_SERVICES=1 \
		go test -count 1 -timeout 60m -run 'TestUnitTransfer|TestUnitSettingsOfTheDriver' .) || exit 1; done

# The tables of docs/benchmarks.md, old and new side by side. See benchmarks/main.go for flags, such as
# `make bench BENCH='-run knox'`.
bench:
	go run ./benchmarks $(BENCH)

# Many tokens, and load, on real servers. It takes about half an hour and wants a machine for itself. See
# benchmarks/scale/main.go for parts and sizes, such as `make bench-scale SCALE='-parts engines -large 1M'`.
bench-scale: servers proxies
	go run ./benchmarks/scale $(SCALE)

# What single packages measure of themselves. Pipe into benchstat to compare.
bench-packages:
	go test ./knox ./session ./jwt ./oauth2/... -run '^$$' -bench . -count 6
	cd store/sqlstore/enginetest && go test . -run '^$$' -bench . -count 6
	cd store/redisstore && go test . -run '^$$' -bench . -count 6

# What a release takes; see CONTRIBUTING.md.
release:
	@echo "1. tag vX.Y.Z (root)                 2. in store/sqlstore: drop replace, require that tag, tag store/sqlstore/vX.Y.Z"
	@echo "   then the same in store/sqlstore/pgnotify and store/redisstore"
	@echo "3. enginetest, examples and interop follow; none is tagged"
