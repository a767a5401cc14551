# Downloads, verifies, puts in place. Exit statuses: 41 download, 42 no checksum, 43 wrong checksum, 44 wrong version. The first
# line that it prints then is the error, the others are what a program said.
set -u
# What is not there at once may be a moment later; what doesn't come any more is given up.
curl_patience='--connect-timeout 15 --speed-limit 1000 --speed-time 10 --retry 2 --retry-max-time 10'
wget_patience='--connect-timeout=15 --read-timeout=10 --tries=2'
stop() { status=$1; shift; printf '%s\n' "$@" >&2; [ -z "${temp:-}" ] || rm -f -- "$temp"; exit "$status"; }
fetch() {
  if command -v curl >/dev/null; then
    said=$(curl -fsSL $curl_patience -o "$2" -- "$1" 2>&1) || stop 41 "can't download $1" "$said"
  else
    said=$(wget -nv $wget_patience -O "$2" -- "$1" 2>&1) || stop 41 "can't download $1" "$said"
  fi
}
# Sets $sum to what the list at an address says about a file. The list takes the place of the file, which comes after it.
listed() {
  fetch "$1" "$temp"
  sum=$(awk -v name="$2" '{ file = $2; sub(/^\*/, "", file); sub(/^\.\//, "", file) } file == name { print $1; exit }' "$temp")
  [ "${#sum}" -eq 64 ] || stop 42 "$1 has no checksum of $2"
}
verify() {
  found=$(sha256sum <"$1" | cut -c1-64)
  [ "$found" = "$2" ] || { rm -f -- "$1"; stop 43 "what has arrived has the sha256 $found, not $2"; }
}
place() { chmod "$3" "$1" && chown 0:0 "$1" && sync "$1" && mv -f -- "$1" "$2" || stop 1 "can't put $2 in place"; }
# k3s calls itself by the name of the file that was called, and then says its release.
prove() {
  chmod 0755 "$1" || exit
  said=$(exec 2>&1; "$1" --version; exit) || stop 44 "the executable does not run on this host" "$said"
  case $said in *" version $2 ("*) ;; *) stop 44 "the executable is not k3s $2" "$said" ;; esac
}
place_binary() { prove "$1" "$3"; place "$1" "$2" 0755; }
