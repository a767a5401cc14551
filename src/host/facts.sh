# Tells what a host is: lines `key=value`, then sections that start with a line `@name`. Needs nothing but a POSIX shell.
say() { printf '%s=%s\n' "$1" "$2"; }
have() { command -v "$1" >/dev/null 2>&1; }
first() { for tool in "$@"; do have "$tool" && { echo "$tool"; return; }; done; }
say time "$(date +%s.%N)"
say hostname "$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)"
say arch "$(uname -m)"
say kernel "$(uname -r)"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
say boot_id "$(cat /proc/sys/kernel/random/boot_id)"
say machine_id "$(cat /etc/machine-id 2>/dev/null)"
say uid "$(id -u)"
say user "${SUDO_USER:-$(id -un)}"
if [ -d /run/systemd/system ]; then say init systemd
elif [ -d /run/openrc ]; then say init openrc
else say init "$(cat /proc/1/comm 2>/dev/null)"
fi
# Where we come from: sshd tells it to the login's first process, and sudo doesn't pass it on.
pid=$$ connection=
while [ "$pid" -gt 1 ] && [ -z "$connection" ]; do
  connection=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p')
  read -r stat <"/proc/$pid/stat"
  set -- ${stat##*) }
  pid=$2
done
say ssh_connection "$connection"
# Firewalls of others. ufw's unit is active also when ufw is not.
rivals=
have ufw && grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf && rivals=ufw
have systemctl && systemctl is-active -q firewalld 2>/dev/null && rivals="$rivals firewalld"
say firewalls "$rivals"
say package_manager "$(first apt-get dnf yum zypper apk pacman)"
if have systemd-detect-virt; then say virtualization "$(systemd-detect-virt)"
elif [ -e /.dockerenv ]; then say virtualization docker
elif grep -q '^flags.* hypervisor' /proc/cpuinfo 2>/dev/null; then say virtualization vm
else say virtualization none
fi
df -Pk / | { read -r _; read -r _ total _ free _; say disk_kb "$total"; say disk_free_kb "$free"; }
echo @os
cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null
echo @memory
grep -E '^(MemTotal|MemAvailable|SwapTotal):' /proc/meminfo
if ip -json addr >/dev/null 2>&1; then
  echo @ip
  ip -json addr
  exit 0
fi
echo @links
for dir in /sys/class/net/*; do
  [ -e "$dir/mtu" ] || continue
  echo "${dir##*/} $(cat "$dir/address") $(cat "$dir/mtu") $(cat "$dir/flags")"
done
echo @inet6
cat /proc/net/if_inet6 2>/dev/null
echo @routes
cat /proc/net/route
echo @trie
cat /proc/net/fib_trie
