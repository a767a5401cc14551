# Downloads, verifies, puts in place. Exit statuses: 41 download, 42 no checksum, 43 wrong checksum, 44 wrong version.
set -u
stop() { status=$1; shift; printf '%s\n' "$*" >&2; [ -z "${temp:-}" ] || rm -f -- "$temp"; exit "$status"; }
fetch() {
  if command -v curl >/dev/null; then
    said=$(curl -fsSL --retry 3 --connect-timeout 15 -o "$2" -- "$1" 2>&1) || stop 41 "can't download $1: $said"
  else
    said=$(wget -nv --tries=3 --connect-timeout=15 -O "$2" -- "$1" 2>&1) || stop 41 "can't download $1: $said"
  fi
}
# Sets $sum to what the list at an address says about a file.
listed() {
  list=$(mktemp) || exit
  fetch "$1" "$list"
  sum=$(awk -v name="$2" '{ file = $2; sub(/^\*/, "", file); sub(/^\.\//, "", file) } file == name { print $1; exit }' "$list")
  rm -f -- "$list"
  [ "${#sum}" -eq 64 ] || stop 42 "$1 has no checksum of $2"
}
verify() {
  found=$(sha256sum <"$1" | cut -c1-64)
  [ "$found" = "$2" ] || { rm -f -- "$1"; stop 43 "the sha256 is $found, not $2"; }
}
place() { chmod "$3" "$1" && chown 0:0 "$1" && sync "$1" && mv -f -- "$1" "$2" || stop 1 "can't put $2 in place"; }
place_binary() {
  chmod 0755 "$1" || exit
  said=$("$1" --version 2>&1) || stop 44 "the executable does not run here: $said"
  version=$(printf '%s\n' "$said" | sed -n 's/^k3s version \([^ ]*\).*/\1/p')
  [ "$version" = "$3" ] || stop 44 "the executable says that it is ${version:-no k3s at all}, not $3"
  place "$1" "$2" 0755
}
