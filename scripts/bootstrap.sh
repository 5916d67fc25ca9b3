#!/usr/bin/env bash
# Brings what the service (start) or its tests (test) need: Node packages, system packages, a build. Run by `npm start` and `npm test` before
# anything else, as root or by a user with sudo. Doing it again does nothing and says nothing; several at once wait for each other.
# Standard output stays empty: it belongs to the service. Written for bash 3.2, which macOS still has.
#
# usage: scripts/bootstrap.sh [start|test]
set -euo pipefail

# One line per thing from the system's packages:  commands, any of which will do : apt : Homebrew : dnf : needed first for
# (Chromium twice: Debian has its windowless shell, which draws only what is asked for, as a package of its own.)
# `test` needs all lines, `start` only those that say so.
SYSTEM_PACKAGES="
redis-server,valkey-server:redis-server:redis:redis:start
sipp:sip-tester:sipp:sipp:test
baresip:baresip-core:baresip:baresip:test
chromium:chromium:chromium:chromium:test
chromium-headless-shell,chromium:chromium-headless-shell:::test
"

# A change in any of these makes the build old.
BUILD_INPUTS="src tag dashboard scripts/build-drachtio-srf.mjs scripts/build-tag.mjs scripts/build-dashboard.mjs tsconfig.json tsconfig.build.json package.json"

# Another run of this script may be installing everything on a slow line.
LOCK_WAIT_S=1800
# Another apt-get may be at work on a machine that has just been booted.
APT_LOCK_WAIT_S=600
GUARD=/usr/sbin/policy-rc.d
GUARD_MARK="# left by the bootstrap of ringmatch: may be deleted"

say() { printf 'ringmatch: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

main() {
  cd "$(dirname "$0")/.."
  local purpose="${1:-start}"
  case "$purpose" in start | test) ;; *) fail "usage: scripts/bootstrap.sh [start|test]" ;; esac
  exec 1>&2
  check_node
  mkdir -p .cache || fail "$(pwd) cannot be written by this user; run as its owner."
  take_turn
  log=".cache/bootstrap.log"
  install_system_packages "$purpose"
  install_node_packages
  if [ "$purpose" = start ]; then build; fi
}

check_node() {
  has node || fail "Node.js is missing: install version 20.19 or later from https://nodejs.org."
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old: install version 20.19 or later from https://nodejs.org."
  has npm || fail "npm is missing: install it (\"sudo apt-get install npm\" on Debian or Ubuntu), or Node.js from https://nodejs.org, which brings it."
}

# Descriptor 9 holds the lock until this script ends; `step` closes it for what it runs, so that nothing keeps it longer.
take_turn() {
  if has flock; then
    exec 9>.cache/bootstrap.lock
    flock -w "$LOCK_WAIT_S" 9 || fail "Another scripts/bootstrap.sh in $(pwd) has been running for $LOCK_WAIT_S s: end it, then start again."
    return
  fi
  exec 9>/dev/null
  local lock=.cache/bootstrap.lock.d waited=0 holder
  until mkdir "$lock" 2>/dev/null; do
    holder="$(cat "$lock/pid" 2>/dev/null || true)"
    # A holder that was killed, or that never got to write its pid within ten seconds.
    if { [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; } || { [ -z "$holder" ] && [ "$waited" -ge 10 ]; }; then
      # Moved first: of two that find it dead only one moves it, and one that moved a new holder's by mistake gives it back.
      if mv "$lock" "$lock.$$" 2>/dev/null; then
        if [ "$(cat "$lock.$$/pid" 2>/dev/null || true)" = "$holder" ]; then rm -rf "$lock.$$"; else mv "$lock.$$" "$lock"; fi
      fi
      continue
    fi
    [ "$waited" -lt "$LOCK_WAIT_S" ] || fail "Another scripts/bootstrap.sh (pid $holder) in $(pwd) has been running for $LOCK_WAIT_S s: end it, then start again."
    sleep 1
    waited=$((waited + 1))
  done
  trap 'rm -rf .cache/bootstrap.lock.d' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  echo $$ >"$lock/pid"
}

# step WHAT ADVICE COMMAND...: says what it does; shows the command's output and the advice only when it fails.
step() {
  local what="$1" advice="$2"
  shift 2
  say "$what ..."
  if ! "$@" >"$log" 2>&1 </dev/null 9>&-; then
    cat "$log" >&2
    fail "$advice"
  fi
}

install_node_packages() {
  if [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && [ -x node_modules/.bin/tsc ]; then return; fi
  step "installing Node packages" "npm ci failed: see its last lines above; check the network connection, then run the same command again." \
    npm ci --include=dev --no-audit --no-fund
  touch node_modules/.package-lock.json
}

build() {
  local inputs="" input
  for input in $BUILD_INPUTS; do if [ -e "$input" ]; then inputs="$inputs $input"; fi; done
  # shellcheck disable=SC2086 # a list of plain names
  if [ -f dist/.built ] && [ -z "$(find $inputs -newer dist/.built -print | head -n 1)" ]; then return; fi
  mkdir -p dist
  touch dist/.building # a file changed while the build runs is newer than this, so the next start builds again
  step "building" "The build failed: mend what the lines above name, then run the same command again." npm run --silent build
  mv dist/.building dist/.built
}

install_system_packages() {
  local purpose="$1" apt="" brew="" dnf="" line commands for_apt for_brew for_dnf needed_for
  for line in $SYSTEM_PACKAGES; do
    IFS=: read -r commands for_apt for_brew for_dnf needed_for <<<"$line"
    if [ "$purpose" = start ] && [ "$needed_for" != start ]; then continue; fi
    if has_any "$commands"; then continue; fi
    # A service that is given a Redis server starts none.
    if [ "$purpose" = start ] && [ "$for_apt" = redis-server ] && [ -n "${REDIS_URL:-}${REDIS_URL_FILE:-}" ]; then continue; fi
    apt="$apt $for_apt" brew="$brew${for_brew:+ $for_brew}" dnf="$dnf${for_dnf:+ $for_dnf}"
  done
  if [ -z "$apt" ]; then return; fi
  has apt-get || fail "Missing:$apt. Install with \"brew install$brew\" (Homebrew) or \"sudo dnf install$dnf\" (Fedora), then run the same command again."
  local advice="The system packages could not be installed: run \"sudo apt-get update && sudo apt-get install$apt\", then the same command again."
  local become=""
  if [ "$(id -u)" -ne 0 ]; then
    become=sudo
    has sudo || fail "$advice"
    if ! sudo -n true 2>/dev/null; then
      if [ ! -t 0 ]; then fail "$advice"; fi
      say "sudo asks for your password, to install:$apt"
      sudo -v 9>&- || fail "$advice"
    fi
  fi
  # shellcheck disable=SC2086 # lists of plain names
  step "installing from the system's packages:$apt" "$advice" $become bash scripts/bootstrap.sh --install-as-root $apt
}

has_any() {
  local name
  for name in ${1//,/ }; do if has "$name"; then return 0; fi; done
  return 1
}

# --install-as-root PACKAGE...: the part that needs root. Debian starts a server as soon as its package is installed, which would take the
# standard port; a policy-rc.d (see invoke-rc.d(8)) forbids that for as long as this runs, and for this one server.
install_as_root() {
  umask 022
  if has flock; then
    exec 8>/run/ringmatch-bootstrap.lock
    flock -w "$LOCK_WAIT_S" 8
  fi
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  local had_redis=no
  if dpkg-query -W -f '${db:Status-Status}' redis-server 2>/dev/null | grep -qx installed; then had_redis=yes; fi
  trap 'remove_guard' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if [ ! -e "$GUARD" ] && [ ! -L "$GUARD" ]; then
    printf '#!/bin/sh\n%s\ncase "$1" in redis-server*) exit 101 ;; esac\nexit 0\n' "$GUARD_MARK" >"$GUARD"
    chmod 755 "$GUARD"
  fi
  # Lists that are a little old, or one repository that is away, need not stop the installation.
  apt-get -o DPkg::Lock::Timeout="$APT_LOCK_WAIT_S" update -qq || true
  apt-get -o DPkg::Lock::Timeout="$APT_LOCK_WAIT_S" -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends "$@" 8>&-
  if [ "$had_redis" = no ]; then keep_redis_from_starting; fi
}

# Only our own guard, also one that a killed run left.
remove_guard() {
  if grep -qxF "$GUARD_MARK" "$GUARD" 2>/dev/null; then rm -f "$GUARD"; fi
}

# We brought the package for its program: its server shall not start at the next boot either.
keep_redis_from_starting() {
  if has systemctl; then
    systemctl disable redis-server.service || true
    if [ -d /run/systemd/system ]; then systemctl stop redis-server.service || true; fi
  elif has update-rc.d; then
    update-rc.d redis-server disable || true
  fi
}

if [ "${1:-}" = --install-as-root ]; then
  shift
  install_as_root "$@"
else
  main "$@"
fi
