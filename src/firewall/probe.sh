command -v nft >/dev/null || return 0
same=no
nft -s list table inet k3srun 2>/dev/null | cmp -s - /var/lib/k3srun/firewall.listing && same=yes
enabled=no
[ -e /etc/systemd/system/sysinit.target.wants/k3srun-firewall.service ] && enabled=yes
# iptables keeps its rules in tables of its own names.
others=$(nft list tables 2>/dev/null | grep -vxE 'table (inet k3srun|(ip|ip6|arp|bridge) (filter|nat|mangle|raw|security))' | sed 's/^table //' | tr '\n' ',')
printf 'firewall\t%s\t%s\t%s\t%s\t%s\n' "$1" "$same" "$enabled" "$(nft -j list table inet k3srun 2>/dev/null | base64 -w0)" "${others%,}"
