# Saves the datastore into a file and proves it. Needs $name, $keep (how many of that name stay; 0: all). Prints a word
# and its value on each line. Exit statuses: 51 nothing was saved, 52 it can't be proven, 53 it is damaged, 54 this server's token
# doesn't open it; then the last line of the output is what was found.
setting() { sed -n "s/^$1: *[\"']\{0,1\}\([^\"' ]*\).*/\1/p" /etc/rancher/k3s/config.yaml 2>/dev/null | tail -n 1; }
data=$(setting data-dir)
data=${data:-/var/lib/rancher/k3s}
folder=$(setting etcd-snapshot-dir)
folder=${folder:-$data/server/db/snapshots}
# A save that failed may end with 0: only this line says that there is one.
said=$(/usr/local/bin/k3s etcd-snapshot save --name "$name" 2>&1)
saved=$(printf '%s\n' "$said" | sed -n 's/.*msg="Snapshot \(.*\) saved\.".*/\1/p' | tail -n 1)
[ -n "$saved" ] || { printf '%s\n' "$said" | grep -v 'Unknown flag' >&2; exit 51; }
path=$folder/$saved
case $path in *.zip) echo "$path is compressed" >&2; exit 52 ;; esac
[ -s "$path" ] || { echo "$path is not there" >&2; exit 52; }
# etcd writes whole pages, and the sum of them after that.
size=$(stat -c %s -- "$path")
[ $((size % 512)) = 32 ] || { echo "$path has $size bytes" >&2; exit 53; }
sum=$(head -c $((size - 32)) "$path" | sha256sum | cut -c1-64)
[ "$sum" = "$(tail -c 32 "$path" | od -An -tx1 | tr -d ' \n')" ] || { echo "$path is not what its own sum says" >&2; exit 53; }
# What a server needs beside its objects lies under a hash of the token's password.
hash=$(sed 's/^K10[^:]*::[^:]*://' "$data/server/token" | tr -d '\n' | sha256sum | cut -c1-12)
grep -aqF "/bootstrap/$hash" "$path" || { echo "$path has nothing under the hash of the token" >&2; exit 54; }
[ "$keep" = 0 ] || /usr/local/bin/k3s etcd-snapshot prune --name "$name" --snapshot-retention "$keep" >/dev/null 2>&1
echo "name=$saved"
echo "path=$path"
echo "size=$size"
echo "sha256=$(sha256sum <"$path" | cut -c1-64)"
