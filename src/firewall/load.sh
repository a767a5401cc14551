# load_firewall SECONDS RIVALS UPDATE: where $temp is the new file of rules, loads it under a guard, and lets it be loaded at
# every boot. UPDATE is the script that does the same to the rules in force, where there is one.
load_firewall() {
  file=/etc/k3srun/firewall.nft listing=/var/lib/k3srun/firewall.listing service=/etc/systemd/system/k3srun-firewall.service
  wanted=/etc/systemd/system/sysinit.target.wants/k3srun-firewall.service
  nft -c -f "$temp" || refuse 'nft does not accept the rules'
  guard firewall "$1" <<'END'
if [ -s table ]; then { echo 'add table inet k3srun; delete table inet k3srun'; cat table; } | nft -f -
else nft 'add table inet k3srun; delete table inet k3srun'; systemctl stop --no-block k3srun-firewall.service
fi
[ ! -e ufw ] || ufw --force enable
[ ! -e firewalld ] || systemctl enable --now --no-block firewalld.service
END
  nft list table inet k3srun >"$folder.new/table" 2>/dev/null || :
  for rival in $2; do : >"$folder.new/$rival"; done
  keep $file
  keep $listing
  keep $service
  keep $wanted
  cat >"$service" <<END
[Unit]
Description=Firewall of k3srun
DefaultDependencies=no
Wants=network-pre.target
# Also before sysinit.target: sockets that systemd opens by itself come right after it.
Before=network-pre.target sysinit.target shutdown.target
After=local-fs.target systemd-modules-load.service nftables.service k3srun-rollback-firewall.service
Conflicts=shutdown.target
# nftables.service empties the whole ruleset first.
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
ConditionPathExists=$file

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$(command -v nft) -f $file
ExecReload=$(command -v nft) -f $file

[Install]
WantedBy=sysinit.target
END
  mkdir -p /etc/systemd/system/sysinit.target.wants
  ln -sf ../k3srun-firewall.service "$wanted"
  armed
  for rival in $2; do
    case $rival in
    ufw) ufw --force disable ;;
    firewalld) systemctl disable --now firewalld.service ;;
    esac
  done
  place $file
  if [ -n "$3" ]; then printf %s "$3" | nft -f -; else nft -f $file; fi
  systemctl start k3srun-firewall.service
  nft -s list table inet k3srun >$listing
}
