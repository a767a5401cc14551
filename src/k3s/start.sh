# Makes systemd read, enable and (re)start $unit without waiting for it. Prints which start ran before, and a place in
# the journal: what is read after it belongs to the new start. Exit status 8: no token at the path that it prints.
set -e
if [ "$unit" = k3s-agent ]; then
  # An agent waits in silence for a file that isn't there, and doesn't end while it does.
  file=$(cat /etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.d/*.y*ml 2>/dev/null |
    sed -n "s/^token-file: *[\"']\{0,1\}\([^\"' ]*\).*/\1/p" | tail -n 1)
  [ -z "$file" ] || [ -s "$file" ] || { echo "$file"; exit 8; }
fi
# In the first seconds of its start k3s doesn't end when it is told to: systemd kills it after a minute and a half, and until
# then it fills the journal. So it is left alone until it has started, or has been at it for half a minute.
tries=30
while [ "$action" = restart ] && [ $tries -gt 0 ]; do
  read -r now _ </proc/uptime
  begun=$(systemctl show "$unit.service" -p ExecMainStartTimestampMonotonic --value)
  case $(systemctl show "$unit.service" -p SubState --value) in
  start-pre) ;;
  start) [ $((${now%.*} - ${begun:-0} / 1000000)) -lt 30 ] || break ;;
  *) break ;;
  esac
  tries=$((tries - 1))
  sleep 1
done
systemctl daemon-reload
systemctl enable --quiet "$unit.service" 2>/dev/null || systemctl enable "$unit.service"
echo "invocation=$(systemctl show "$unit.service" -p InvocationID --value)"
echo "cursor=$(journalctl -q -n 1 -o json --output-fields=PRIORITY | sed -n 's/.*"__CURSOR" *: *"\([^"]*\)".*/\1/p')"
systemctl reset-failed "$unit.service" 2>/dev/null || :
systemctl --no-block "$action" "$unit.service"
