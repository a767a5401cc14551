# Looks at NAME as the ACME server will: its addresses, and what answers there at port 80. One line for each finding.
# Without an IPv6 address of its own a host hides those of others, unless told not to.
ask() {
  getent --no-addrconfig "$1" "$NAME" 2>/dev/null || getent "$1" "$NAME" 2>/dev/null
}
if command -v getent >/dev/null; then
  addresses=$({ ask ahostsv4; ask ahostsv6; } | awk '!/::ffff:/ { print $1 }' | sort -u)
else
  addresses=$(dscacheutil -q host -a name "$NAME" | awk '/^ip(v6)?_address:/ { print $2 }' | sort -u)
fi
command -v curl >/dev/null || { echo "nocurl"; exit 0; }
for address in $addresses; do
  echo "address $address"
  case " $EXPECTED " in *" $address "*) ;; *) continue ;; esac
  case $address in *:*) place="[$address]" ;; *) place=$address ;; esac
  said=$(curl -sS -o /dev/null --noproxy '*' --max-time 10 --connect-to "::$place:80" -w '%{http_code} %{redirect_url}' \
    "http://$NAME/.well-known/acme-challenge/k3srun-check" 2>&1)
  echo "answer $address $? $said" | tr '\n' ' '
  echo
done
