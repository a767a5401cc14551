# Installs and removes packages; one function per package manager, the same arguments: install|remove PACKAGE...

# Who holds the locks of apt and dpkg, e.g. "412 (unattended-upgr)"; nothing where nobody does.
apt_holder() {
  for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
    inode=$(stat -c %i "$lock" 2>/dev/null) || continue
    # /proc/locks: number, class, mode, kind, pid, major:minor:inode, ...
    while read -r _ _ _ _ pid file _; do
      [ "${file##*:}" = "$inode" ] || continue
      printf '%s (%s)\n' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null || echo 'not visible from here')"
      return
    done </proc/locks
  done
}

# Waits up to $1 seconds for whoever uses apt now, e.g. unattended-upgrades right after the first boot.
apt_wait() {
  waited=0
  while holder=$(apt_holder); [ -n "$holder" ]; do
    [ "$waited" -lt "$1" ] || refuse "apt's lock is still held by process $holder after $1 s"
    [ $((waited % 5)) -ne 0 ] || tell "waiting for process $holder, which has apt's lock ($waited s)"
    sleep 1
    waited=$((waited + 1))
  done
}

# Runs what does not wait for the lock by itself: again, where another program got in before it.
patiently() {
  until "$@"; do
    status=$?
    [ -n "$(apt_holder)" ] || return $status
    apt_wait "$wait"
  done
}

apt_run() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout="$wait" -o APT::Get::Assume-Yes=true \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# Finishes what was cut off in the middle: apt does nothing else before.
apt_mend() { DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a; }

# Packages of lists older than a day may be gone from the mirrors.
apt_fresh() {
  [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' 2>/dev/null | head -n 1)" ] &&
    [ -n "$(find /var/lib/apt/lists/partial -maxdepth 0 -mmin -1440 2>/dev/null)" ]
}

# One source that can't be read keeps nothing from being installed out of the others. Sets $refused to what apt says of it.
apt_update() {
  status=0
  { refused=$(patiently apt_run update 2>&1 >&4) || status=$?; } 4>&2
  case $status in
  0) refused= ;;
  100) ;;
  *) refuse "$refused" ;;
  esac
}

apt_install() {
  if apt_run install --no-install-recommends "$@"; then
    [ -z "$refused" ] || warn "apt can't read all of its sources: $(printf %s "$refused" | awk '/^E: / { printf "%s%s", sep, substr($0, 4); sep = "; " }')"
  else
    status=$?
    [ -z "$refused" ] || printf '%s\n' "$refused" >&2
    return $status
  fi
}

with_apt() {
  action=$1
  shift
  refused=
  apt_wait "$wait"
  patiently apt_mend
  if [ "$action" = remove ]; then apt_run remove "$@"; return; fi
  if apt_fresh; then
    ! apt_install "$@" || return 0
    echo 'reading the package lists again' >&2
  fi
  apt_update
  apt_install "$@"
}

with_dnf() {
  action=$1
  shift
  dnf -q -y --setopt=install_weak_deps=False "$action" "$@"
}

with_zypper() {
  action=$1
  shift
  case $action in
  install) ZYPP_LOCK_TIMEOUT=$wait zypper --non-interactive --quiet install --no-recommends "$@" ;;
  remove) ZYPP_LOCK_TIMEOUT=$wait zypper --non-interactive --quiet remove "$@" ;;
  esac
}
