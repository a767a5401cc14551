# Changes that could lock everybody out: taken back by the host itself unless a new connection confirms them in time.
# What is needed to take one back lies in $(rollback NAME), the unit rollback-k3srun-NAME does it: by a timer, and at the next
# boot before the network is up. Whoever holds the lock decides: confirmed or taken back, never both.
rollback() { echo "/var/lib/k3srun/rollback/$1"; }

# What units of ours are called: k3s's own scripts stop, and look for, everything in this folder that begins with k3s.
# Earlier versions used the second name.
rollback_units() { echo "rollback-k3srun-$1 k3srun-rollback-$1"; }

# guard NAME SECONDS: what follows is taken back after SECONDS. The commands for it, besides those of `keep`, are on standard
# input; they run in the folder with what was kept. Needs $temp, the file that `receive` made.
guard() {
  guarded=$1 folder=$(rollback "$1") unit=rollback-k3srun-$1
  [ -d /run/systemd/system ] || refuse "this host was not booted with systemd, which is to take the change back in time"
  command -v flock >/dev/null || refuse "flock is not installed on the host; it keeps a change from being confirmed and taken back at once"
  [ ! -e "$folder" ] || refuse "an earlier change of $1 is not confirmed yet; it will be taken back within a minute"
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  chmod 700 "${folder%/*}"
  cat >"$folder.new/commands"
  cat >"$folder.new/undo" <<END
exec 9>/run/$unit.lock && flock 9 && cd $folder || exit
. ./kept
. ./commands
rm -rf $folder.undone && mv $folder $folder.undone && rm -rf $folder.undone
rm -f /etc/systemd/system/$unit.service /etc/systemd/system/sysinit.target.wants/$unit.service /run/systemd/system/$unit.timer
END
  : >"$folder.new/kept"
  cat >"/etc/systemd/system/$unit.service" <<END
[Unit]
Description=Take back a change of $1 that k3srun has not confirmed
DefaultDependencies=no
RequiresMountsFor=/var/lib/k3srun
After=local-fs.target
Before=network-pre.target firewall-k3srun.service ssh.service sshd.service ssh.socket sshd.socket
Wants=network-pre.target
ConditionPathExists=$folder/undo

[Service]
Type=oneshot
ExecStart=/bin/sh $folder/undo

[Install]
WantedBy=sysinit.target
END
  mkdir -p /etc/systemd/system/sysinit.target.wants /run/systemd/system
  ln -sf "../$unit.service" "/etc/systemd/system/sysinit.target.wants/$unit.service"
  cat >"/run/systemd/system/$unit.timer" <<END
[Unit]
Description=Take back a change of $1 that k3srun does not confirm
DefaultDependencies=no

[Timer]
OnActiveSec=$2
AccuracySec=100ms
RemainAfterElapse=no
END
}

# keep PATH: what is at PATH now, if anything, comes back.
keep() {
  kept=$(wc -l <"$folder.new/kept")
  if [ -e "$1" ]; then
    cp -a -- "$1" "$folder.new/kept.$kept"
    echo "cp -a kept.$kept $1.k3srun && mv -f $1.k3srun $1" >>"$folder.new/kept"
  else
    echo "rm -f $1" >>"$folder.new/kept"
  fi
}

# armed: all is kept; from now on time runs. What fails after it is taken back at once.
armed() {
  trap 'status=$?; leave; [ "$status" = 0 ] || take_back "$guarded"' EXIT
  mv "$folder.new" "$folder"
  sync -f "$folder" 2>/dev/null || sync
  systemctl daemon-reload
  systemctl restart "$unit.timer"
}

# take_back NAME: now.
take_back() {
  folder=$(rollback "$1")
  stop_timers "$1"
  [ ! -e "$folder/undo" ] || (sh "$folder/undo") >&2
  forget "$1"
}

# stop_timers NAME: nothing takes it back by itself any more.
stop_timers() {
  for unit in $(rollback_units "$1"); do systemctl stop "$unit.timer" 2>/dev/null || :; done
}

# forget NAME: nothing of it is left.
forget() {
  rm -rf "$(rollback "$1").new" "$(rollback "$1").undone" "$(rollback "$1").confirmed"
  for unit in $(rollback_units "$1"); do
    rm -f "/etc/systemd/system/$unit.service" "/etc/systemd/system/sysinit.target.wants/$unit.service" \
      "/run/systemd/system/$unit.timer"
  done
  systemctl daemon-reload
}

# confirm NAME: the change stays. Fails where it was taken back already.
confirm() {
  folder=$(rollback "$1")
  exec 9>"/run/rollback-k3srun-$1.lock"
  flock 9
  [ -e "$folder/undo" ] || return 1
  mv "$folder" "$folder.confirmed"
  flock -u 9
  stop_timers "$1"
  forget "$1"
}
