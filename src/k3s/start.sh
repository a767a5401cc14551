# Makes systemd read, enable and (re)start $unit without waiting for it. Prints which start ran before, and a place in
# the journal: what is read after it belongs to the new start.
set -e
systemctl daemon-reload
systemctl enable --quiet "$unit.service" 2>/dev/null || systemctl enable "$unit.service"
echo "invocation=$(systemctl show "$unit.service" -p InvocationID --value)"
echo "cursor=$(journalctl -q -n 1 -o json --output-fields=PRIORITY | sed -n 's/.*"__CURSOR" *: *"\([^"]*\)".*/\1/p')"
systemctl reset-failed "$unit.service" 2>/dev/null || :
systemctl --no-block "$action" "$unit.service"
