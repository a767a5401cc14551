# Downloads, verifies, puts in place. Exit statuses: 41 download, 43 wrong checksum, 44 wrong version. The first line that it prints
# then is the error, the others are what a program said.
set -u
stop() { status=$1; shift; printf '%s\n' "$@" >&2; [ -z "${temp:-}" ] || rm -f -- "$temp"; exit "$status"; }
# What is not there at once may be a moment later; what doesn't come any more is given up. curl goes from https to nothing else;
# wget has no word for that, but the checksum has come another way.
fetch() {
  case $1 in https:*) protocols='=https' ;; *) protocols='=http,https' ;; esac
  if command -v curl >/dev/null; then
    said=$(curl -fsSL --proto "$protocols" --proto-redir "$protocols" --connect-timeout 15 --speed-limit 1000 --speed-time 10 \
      --retry 2 --retry-max-time 10 -o "$2" -- "$1" 2>&1) || stop 41 "can't download $1" "$said"
  else
    said=$(wget -nv --connect-timeout=15 --read-timeout=10 --tries=2 -O "$2" -- "$1" 2>&1) || stop 41 "can't download $1" "$said"
  fi
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
# Keeps the executable that is about to be replaced beside it, as a second name of the same file.
keep() { [ ! -f "$1" ] || ln -f -- "$1" "$1.previous" || stop 1 "can't keep $1 as $1.previous"; }
# Puts an executable in place that was staged, and so verified, before. Its time becomes that of this moment: what is newer than
# the process that runs is what asks for a restart. Exit status 45: it isn't there, or it is another one; an empty sum is any.
place_staged() {
  [ -x "$1" ] || exit 45
  [ -z "$4" ] || [ "$(sha256sum <"$1" | cut -c1-64)" = "$4" ] || exit 45
  prove "$1" "$3"
  touch -- "$1"
  keep "$2"
  place "$1" "$2" 0755
}
