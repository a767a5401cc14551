# Puts the password with which agents join into $file: the one that the server in $data knows, else a new one. Exit status 7: the
# server has started without.
set -e
umask 077
of() { sed -n "s/,$1,.*//p" "$data/server/cred/passwd" 2>/dev/null || :; }
password=$(of node)
[ "$password" != "$(of server)" ] || password=
if [ -z "$password" ]; then
  [ ! -e "$data/server/cred/passwd" ] && [ ! -e "$data/server/token" ] || exit 7
  password=$(od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n')
  [ ${#password} = 64 ]
fi
mkdir -p -m 0755 "${file%/*}"
new=$(mktemp "$file.XXXXXXXXXX")
trap 'rm -f "$new"' EXIT
printf '%s\n' "$password" >"$new"
mv -f "$new" "$file"
