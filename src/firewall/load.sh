# load_firewall SECONDS RIVALS UPDATE: where $temp is the new file of rules, $parts are the paths of what keeps them in force and
# write_parts writes those, loads the rules under a guard, at every boot, and whenever somebody else removes them. UPDATE is the
# script that does the same to the rules in force, where there is one.
load_firewall() {
  file=/etc/k3srun/firewall.nft listing=/var/lib/k3srun/firewall.listing units=/etc/systemd/system
  nft -c -f "$temp" || refuse 'nft does not accept the rules'
  guard firewall "$1" <<'END'
exec 8>/run/firewall-k3srun.lock && flock 8
systemctl daemon-reload
watch=firewall-k3srun-watch.service
# Where none is wanted any more it ends first: it would look after the table that goes now.
[ -e /etc/systemd/system/$watch ] || timeout 20 systemctl stop $watch
if [ -s table ]; then { echo 'add table inet k3srun; delete table inet k3srun'; cat table; } | nft -f -
else nft 'add table inet k3srun; delete table inet k3srun'
fi
if [ -e /etc/systemd/system/$watch ]; then systemctl restart --no-block $watch
else systemctl stop --no-block firewall-k3srun.service $watch
fi
[ ! -e ufw ] || ufw --force enable
[ ! -e firewalld ] || systemctl enable --now --no-block firewalld.service
END
  nft list table inet k3srun >"$folder.new/table" 2>/dev/null || :
  for rival in $2; do : >"$folder.new/$rival"; done
  wanted=$units/sysinit.target.wants/firewall-k3srun.service
  # What earlier versions called it: k3s's own scripts stop, and are put off by, units that begin with k3s.
  former="$units/k3srun-firewall.service $units/sysinit.target.wants/k3srun-firewall.service"
  for part in $file $listing $wanted $parts $former; do keep "$part"; done
  armed
  for rival in $2; do
    case $rival in
    ufw) ufw --force disable ;;
    firewalld) systemctl disable --now firewalld.service ;;
    esac
  done
  exec 8>/run/firewall-k3srun.lock
  flock 8
  place $file
  write_parts
  ln -sf ../firewall-k3srun.service "$wanted"
  # shellcheck disable=SC2086 # two paths
  rm -f $former
  systemctl daemon-reload
  if [ -n "$3" ]; then printf %s "$3" | nft -f -; else nft -f $file; fi
  systemctl start firewall-k3srun.service
  systemctl stop k3srun-firewall.service 2>/dev/null || :
  nft -s list table inet k3srun >$listing
  flock -u 8
  exec 8>&-
  systemctl restart firewall-k3srun-watch.service
  # The copy has the new rules before the confirmation; a kernel that has none lets us wait in vain, for a second.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! nft list table inet k3srun_held >/dev/null 2>&1 || break
    sleep 0.1
  done
}

# part PATH: writes one of $parts from standard input; what is half written the guard takes back.
part() {
  mkdir -p "${1%/*}"
  cat >"$1"
  chmod 0644 "$1"
}
