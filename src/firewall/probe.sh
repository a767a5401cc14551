command -v nft >/dev/null || return 0
state=/var/lib/k3srun units=/etc/systemd/system
same=no
[ "$(nft -s list table inet k3srun 2>/dev/null)" = "$(cat $state/firewall.listing 2>/dev/null)" ] && same=yes
enabled=no
[ -e $units/sysinit.target.wants/firewall-k3srun.service ] && [ ! -e $units/k3srun-firewall.service ] && enabled=yes
watched=no
systemctl is-active -q firewall-k3srun-watch.service 2>/dev/null && watched=yes
# iptables keeps its rules in tables of its own names.
others=$(nft list tables 2>/dev/null | grep -vxE 'table (inet k3srun(_held)?|(ip|ip6|arp|bridge) (filter|nat|mangle|raw|security))' | sed 's/^table //' | tr '\n' ',')
printf 'firewall\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$same" "$enabled" "$watched" \
  "$(nft -j list table inet k3srun 2>/dev/null | base64 -w0)" "$(nft -j list counters table inet k3srun_held 2>/dev/null | base64 -w0)" \
  "$(tr '\n' ',' 2>/dev/null <$state/firewall.restored)" "${others%,}"
